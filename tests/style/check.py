"""Holds the source to the style's rules that no other tool knows.

Layering, purity, sizes, names, and what must not be in tracked files. Standard
library only: it runs before anything is installed. Prints one line per problem
and exits with 1 if there is any.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from functions import cpp_functions, without_comments  # noqa: E402

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

# What each folder under src/ may include besides itself. An arrow may only point
# down; siblings do not know each other.
LAYERS = {
    "base": set(),
    "types": {"base"},
    "core": {"types", "base"},
    "pg": {"types", "base"},
    "source": {"core", "pg", "types", "base"},
    "state": {"core", "pg", "types", "base"},
    "embedders": {"base"},
    "transforms": {"types", "base"},
    "destinations": {"pg", "types", "base"},
}
_STORES = set(LAYERS)
for _layer in ("pipeline", "config", "ops", "server", "cli"):
    LAYERS[_layer] = set(_STORES)
    _STORES.add(_layer)

PURE_LAYERS = {"base", "types", "core"}
PURE_EXCEPTIONS = re.compile(r"^src/base/(bounded_queue|clock|system_clock|thread_name)\w*\.(h|cc)$")
IMPURE = [
    (re.compile(r"#include <libpq-fe\.h>|#include <libpq/"), "libpq"),
    (re.compile(r"#include <(thread|stop_token)>"), "threads"),
    (re.compile(r"#include <(fstream|filesystem)>|\bfopen\("), "files"),
    (re.compile(r"#include <(sys/socket|netinet/\w+|arpa/inet|netdb|poll)\.h>"), "sockets"),
    (re.compile(r"_clock::now\("), "the clock"),
    (re.compile(r"\bstd::random_device\b"), "random numbers"),
]

TEST_FILE = re.compile(r"(_(test|pgtest|fuzz|bench)\.cc$|/testing/)")
FORBIDDEN_WORDS = {"utils", "util", "helpers", "helper", "misc", "manager", "managers"}
FORBIDDEN_NAMES = FORBIDDEN_WORDS | {"common"}
TODO = re.compile(r"\bTODO\b(?P<rest>.*)")
# Spelled in pieces, so that this file passes its own test.
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:wo" + r"rk|ro" + r"ot)(?:/|(?=[\s\"'`,;)]|$))")
STANDARD_HEADER = re.compile(r"<[a-z_0-9]+>")
INCLUDE = re.compile(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")')


def tracked_files() -> list[str]:
    """Returns the files that git tracks or would, or every file outside build trees."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        names = listed.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")]
        names = [n for n in names if not n.startswith((".git/", ".deps/", "build"))]
    return sorted(name for name in set(names) if name and (ROOT / name).is_file())


def check_file(name: str, text: str) -> list[tuple[int, str]]:
    """Returns (line, problem) for one text file, named relative to the root."""
    problems = []
    if name.endswith((".h", ".cc")):
        problems += check_includes(name, text)
        problems += check_purity(name, text)
        problems += check_cpp_sizes(text)
        if name.endswith(".h") and "#pragma once" not in text:
            problems.append((1, "a header starts with #pragma once"))
    if name.endswith(".py"):
        problems += check_python_sizes(text)
    if name.endswith((".h", ".cc", ".py", ".sql", ".sh", ".cmake")) or name == "dev":
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            problems.append((lines, f"{lines} lines, at most {FILE_LINES_MAX}: split by step"))
        problems += check_todos(text)
    return problems + check_machine_paths(text)


def check_includes(name: str, text: str) -> list[tuple[int, str]]:
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        problem = include_problem(name, found.group(1))
        if problem:
            problems.append((number, problem))
    return problems


def include_problem(name: str, included: str) -> str | None:
    """Says what is wrong with a file's #include, with brackets or quotes, if anything."""
    path = included[1:-1]
    parts = Path(name).parts
    if name.startswith("include/freshet/"):
        if path.startswith("freshet/") or STANDARD_HEADER.fullmatch(included):
            return None
        return f"a public header may include freshet/* and the standard library, not {included}"
    if included[0] == "<" or parts[0] != "src" or path.startswith("freshet/"):
        return None
    layer, target = parts[1], path.split("/")[0]
    if "/" not in path or target not in LAYERS:
        return f"write the path from src/ or include/: {included}"
    if target != layer and target not in LAYERS.get(layer, set()):
        return f"{layer} may not include {target} ({included}): arrows point down only"
    if layer == "destinations":
        return destination_problem(parts, path)
    return None


def destination_problem(parts: tuple[str, ...], path: str) -> str | None:
    """A destination knows itself, its own store's client, and what lies directly beside it.

    The contract's tests know all destinations.
    """
    if parts[2] in ("contract", "testing"):
        return None
    if path.startswith("pg/") and parts[2] != "postgres":
        return f"of the destinations only postgres may include {path}"
    if not path.startswith("destinations/"):
        return None
    other = path.split("/")[1:-1]
    shared = {parts[2], "testing", "contract"}
    if len(parts) < 4 or not other or other[0] in shared:
        return None
    return f"destination {parts[2]} may not include destination {other[0]}"


def check_purity(name: str, text: str) -> list[tuple[int, str]]:
    parts = Path(name).parts
    if parts[0] != "src" or parts[1] not in PURE_LAYERS:
        return []
    if PURE_EXCEPTIONS.match(name) or TEST_FILE.search(name):
        return []
    problems = []
    for number, line in enumerate(without_comments(text, keep_strings=True).splitlines(), 1):
        for pattern, what in IMPURE:
            if pattern.search(line):
                problems.append((number, f"{parts[1]} must not know {what}"))
    return problems


def check_cpp_sizes(text: str) -> list[tuple[int, str]]:
    return [
        (f.line, f"{f.name} has {f.line_count} lines, at most {FUNCTION_LINES_MAX}")
        for f in cpp_functions(text)
        if f.line_count > FUNCTION_LINES_MAX
    ]


def check_python_sizes(text: str) -> list[tuple[int, str]]:
    problems = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                problem = f"{node.name} has {length} lines, at most {FUNCTION_LINES_MAX}"
                problems.append((node.lineno, problem))
    return problems


def check_todos(text: str) -> list[tuple[int, str]]:
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        found = TODO.search(line)
        # A mark in code or prose about the word itself is no task.
        if not found or not re.match(r"\s*(//|#|--|/\*|\*)", line) or "`TODO`" in line:
            continue
        if len(found["rest"].split()) < 4:
            problems.append((number, "a TODO says in a sentence what is to be done"))
    return problems


def check_machine_paths(text: str) -> list[tuple[int, str]]:
    return [
        (number, "a path of one machine")
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]


def check_name(name: str) -> str | None:
    for part in Path(name).parts:
        stem = part.split(".")[0].lower()
        if stem in FORBIDDEN_NAMES or FORBIDDEN_WORDS & set(re.split(r"[_-]", stem)):
            return f"'{part}' says nothing: name it by its concept"
    return None


def check_tree() -> list[str]:
    """Returns all problems of the tree, one line each."""
    lines = []
    for name in tracked_files():
        problem = check_name(name)
        if problem:
            lines.append(f"{name}:1: {problem}")
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines += [f"{name}:{number}: {problem}" for number, problem in check_file(name, text)]
    return lines


def main() -> int:
    problems = check_tree()
    for problem in problems:
        print(problem)
    print(f"style: {len(problems)} problem(s)", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
