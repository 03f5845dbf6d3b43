#!/usr/bin/env python3
"""Turns a terminal screen into an SVG picture: tmux capture-pane -e -p | terminal_svg.py > picture.svg"""

import html
import re
import sys

COLUMN_PIXELS, LINE_PIXELS, MARGIN = 8.4, 19, 14
COLORS = {
    30: "#6b7280", 31: "#f87171", 32: "#86efac", 33: "#fde047", 34: "#93c5fd", 35: "#d8b4fe",
    36: "#67e8f9", 37: "#e5e7eb", 90: "#9ca3af",
}
PLAIN = "#e5e7eb"


def spans(line: str) -> list[tuple[str, str, bool]]:
    """Splits a line at its SGR sequences into (text, color, is bold)."""
    found, color, bold = [], PLAIN, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not match:
            if part:
                found.append((part, color, bold))
            continue
        for code in [int(c or 0) for c in match[1].split(";")]:
            if code == 0:
                color, bold = PLAIN, False
            elif code == 1:
                bold = True
            elif code == 2:
                color = COLORS[90]
            elif code == 39:
                color = PLAIN
            elif code in COLORS:
                color = COLORS[code]
    return found


def render(lines: list[str]) -> str:
    widest = max((len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines), default=1)
    width, height = widest * COLUMN_PIXELS + 2 * MARGIN, len(lines) * LINE_PIXELS + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace" font-size="14">',
        '<rect width="100%" height="100%" rx="8" fill="#111827"/>',
    ]
    for number, line in enumerate(lines):
        column, y = 0, MARGIN + (number + 0.75) * LINE_PIXELS
        for text, color, bold in spans(line):
            weight = ' font-weight="bold"' if bold else ""
            x = MARGIN + column * COLUMN_PIXELS
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}"{weight} xml:space="preserve" '
                f'textLength="{len(text) * COLUMN_PIXELS:.1f}">{html.escape(text)}</text>'
            )
            column += len(text)
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    screen = [line.rstrip("\n") for line in sys.stdin]
    while screen and not screen[-1].strip():
        screen.pop()
    sys.stdout.write(render(screen))
