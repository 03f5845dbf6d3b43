"""Results as a table on stdout and as JSON."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from harness.engine import find_binary
from servers import find_postgres

from contest import Contest
from measure import Measurement

_COLUMNS = (
    ("contender", 26),
    ("thousand rows/s", 24),
    ("ratio", 7),
    ("client CPU s", 13),
    ("source CPU s", 13),
    ("dest. CPU s", 12),
    ("peak MiB", 9),
    ("net MiB", 9),
    ("load", 5),
)


def environment(version: int, *, is_isolated: bool) -> dict[str, object]:
    """Describes what the figures were measured on."""
    binary = find_binary()
    return {
        "freshet": _first_line([str(binary), "--version"]),
        "build": binary.parent.name,
        "postgres": _first_line([str(find_postgres(version).program("postgres")), "--version"]),
        "cpus": os.cpu_count(),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "own_loopback": is_isolated,
        "load": os.getloadavg()[0],
    }


def print_environment(facts: dict[str, object]) -> None:
    print("  ".join(f"{name}={value}" for name, value in facts.items()))
    if not facts["own_loopback"]:
        print("net MiB counts the machine's whole loopback: only root gets one of its own")


def print_contest(contest: Contest) -> None:
    """Prints one table: medians, with the least and the most in brackets."""
    print(f"\n{contest.title}")
    print("".join(f"{title:<{width}}" for title, width in _COLUMNS).rstrip())
    base = _base_rate(contest)
    for name, runs in contest.runs.items():
        cells = zip(_cells(contest, name, runs, base), _COLUMNS, strict=True)
        print("".join(f"{cell:<{width}}" for cell, (_, width) in cells).rstrip())
    for line in [*_voids(contest), *contest.failures, *contest.notes]:
        print(f"  {line}")
    print(end="", flush=True)


def to_json(
    facts: dict[str, object], options: dict[str, object], contests: list[Contest]
) -> str:
    listed = [
        {
            "task": contest.task,
            "title": contest.title,
            "rows": contest.rows,
            "notes": contest.notes,
            "failures": contest.failures,
            "contenders": [
                {
                    "name": name,
                    "rows_per_second": _rates(contest, runs),
                    "runs": [asdict(run) for run in runs],
                }
                for name, runs in contest.runs.items()
            ],
        }
        for contest in contests
    ]
    return json.dumps({"environment": facts, "options": options, "contests": listed}, indent=1)


def is_sound(contest: Contest) -> bool:
    """Says whether every run ended well and brought over what it should."""
    return not contest.failures and not _voids(contest)


def _cells(
    contest: Contest, name: str, runs: list[Measurement], base: float | None
) -> list[str]:
    valid = _valid(runs)
    if not valid:
        return [name, "void" if runs else "failed", *[""] * (len(_COLUMNS) - 2)]
    rates = [contest.rows / run.seconds / 1000 for run in valid]
    rate = statistics.median(rates)
    return [
        name,
        f"{rate:,.1f} ({min(rates):,.1f}–{max(rates):,.1f})",
        f"{rate * 1000 / base:.2f}" if base else "–",
        f"{_median(valid, lambda run: run.client_cpu_seconds):.2f}",
        f"{_median(valid, lambda run: run.source_cpu_seconds):.2f}",
        f"{_median(valid, lambda run: run.destination_cpu_seconds):.2f}",
        f"{_median(valid, lambda run: run.memory_mib):.1f}",
        f"{_median(valid, lambda run: run.network_mib):.1f}",
        f"{_median(valid, lambda run: run.load):.1f}",
    ]


def _base_rate(contest: Contest) -> float | None:
    for name, runs in contest.runs.items():
        if not name.startswith("freshet") and _valid(runs):
            return _median(_valid(runs), lambda run: contest.rows / run.seconds)
    return None


def _voids(contest: Contest) -> list[str]:
    return [
        f"void, {name}, run {number}: {run.void}"
        for name, runs in contest.runs.items()
        for number, run in enumerate(runs, 1)
        if run.void
    ]


def _valid(runs: list[Measurement]) -> list[Measurement]:
    return [run for run in runs if not run.void]


def _median(runs: list[Measurement], value: Callable[[Measurement], float]) -> float:
    return statistics.median(map(value, runs))


def _rates(contest: Contest, runs: list[Measurement]) -> dict[str, float] | None:
    rates = [contest.rows / run.seconds for run in _valid(runs)]
    if not rates:
        return None
    return {"median": statistics.median(rates), "min": min(rates), "max": max(rates)}


def _first_line(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0] if said else ""


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
