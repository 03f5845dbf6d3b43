"""Finds the functions of C++ source by their braces: a heuristic, not a parser."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"//[^\n]*"
    r"|/\*.*?\*/"
    r'|R"(?P<tag>[^()\\ ]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
_CONSTRUCTOR_COLON = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:)")
_NAME = re.compile(r"(~?[\w:]+|operator\s*\S+?)\s*\(")


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    line_count: int


def without_comments(text: str, *, keep_strings: bool = False) -> str:
    """Blanks comments, and unless told otherwise literals, keeping all line numbers."""

    def blank(found: re.Match) -> str:
        token = found.group()
        if keep_strings and token[0] != "/":
            return token
        return re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


def cpp_functions(text: str) -> list[Function]:
    """Returns the outermost functions; a lambda or local class counts with what is around it."""
    return _Scanner(re.sub(r"^\s*#.*$", "", without_comments(text), flags=re.MULTILINE)).scan()


class _Scanner:
    def __init__(self, code: str):
        self._code = code
        self._open: list[tuple[str, int]] = []  # what a brace opened, and where its header starts
        self._header = 0
        self._parentheses = 0
        self._found: list[Function] = []

    def scan(self) -> list[Function]:
        for at, character in enumerate(self._code):
            if self._is_inside_function() and character not in "{}":
                continue
            if character == "{":
                self._open_brace(at)
            elif character == "}":
                self._close_brace(at)
            elif character == "(":
                self._parentheses += 1
            elif character == ")":
                self._parentheses = max(0, self._parentheses - 1)
            elif character == ";" and self._parentheses == 0:
                self._header = at + 1
        return self._found

    def _is_inside_function(self) -> bool:
        return any(kind == "function" for kind, _ in self._open)

    def _open_brace(self, at: int) -> None:
        kind = "inner" if self._is_inside_function() else self._kind(at)
        self._open.append((kind, self._header))
        if kind == "scope":
            self._header = at + 1

    def _kind(self, at: int) -> str:
        header = self._code[self._header : at]
        before = header.rstrip()[-1:]
        if self._parentheses > 0:
            return "value"
        if _CONSTRUCTOR_COLON.search(header) and (before.isalnum() or before in "_>"):
            return "value"
        if "(" in header and not re.search(r"=\s*$", header):
            return "function"
        return "scope" if _SCOPE.search(header) else "value"

    def _close_brace(self, at: int) -> None:
        if not self._open:
            return
        kind, start = self._open.pop()
        if kind == "function":
            self._add(start, at)
            self._header = at + 1
        elif kind == "scope":
            self._header = at + 1

    def _add(self, start: int, end: int) -> None:
        header = self._code[start:end]
        # A label such as `public:` before it is not part of a function.
        header_text = re.sub(r"^(\s*(public|private|protected)\s*:)+", "", header)
        start += len(header) - len(header_text)
        start += len(header_text) - len(header_text.lstrip())
        first = self._code.count("\n", 0, start) + 1
        last = self._code.count("\n", 0, end) + 1
        name = _NAME.search(header_text)
        self._found.append(Function(name.group(1) if name else "?", first, last - first + 1))
