"""Reports how much of the files under test the fuzz targets reach.

usage: fuzz_coverage.py BUILD_DIR

Reads BUILD_DIR/profiles/*.profraw, which `./dev fuzz --coverage` leaves there. A target names its
files in lines `// Covers: PATH...` at its head; it is held to those alone, so that no target takes
credit for what another one reaches. Exits with 1 if one of them is below 95 % of its lines.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINE_PERCENT_MIN = 95.0
COVERS = re.compile(r"^// Covers: (.+)$", re.MULTILINE)


def files_under_test(target: str) -> list[str]:
    """Returns what a target says it covers, relative to src/."""
    (source,) = (ROOT / "src").rglob(f"{target}.cc")
    return [path for line in COVERS.findall(source.read_text()) for path in line.split()]


def measure(build: Path, target: str) -> dict[str, dict[int, int]]:
    """Returns how often each line of each file in the target's binary was run."""
    merged = build / "profiles" / f"{target}.profdata"
    raw = merged.with_suffix(".profraw")
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", raw, "-o", merged], check=True)
    command = ["llvm-cov-19", "export", "-format=lcov", f"-instr-profile={merged}", build / target]
    exported = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    files: dict[str, dict[int, int]] = {}
    for record in exported.split("end_of_record"):
        name = re.search(r"^SF:(.+)$", record, re.MULTILINE)
        if name:
            counts = re.findall(r"^DA:(\d+),(\d+)$", record, re.MULTILINE)
            files[name[1]] = {int(line): int(count) for line, count in counts}
    return files


def report(build: Path, target: str) -> bool:
    """Prints a line for each file under test; false if one is below the limit."""
    passes = True
    measured = measure(build, target)
    for path in files_under_test(target):
        found = [counts for name, counts in measured.items() if name.endswith(f"src/{path}")]
        lines = found[0] if found else {}
        missed = [str(line) for line, count in lines.items() if count == 0]
        percent = 100 * (1 - len(missed) / len(lines)) if lines else 0
        passes = passes and percent >= LINE_PERCENT_MIN
        print(f"{target:20} {path:44} {percent:6.2f} % of {len(lines):3} lines"
              + (f", not {' '.join(missed[:20])}" if missed else "")
              + ("" if percent >= LINE_PERCENT_MIN else "  BELOW THE LIMIT"))
    return passes


def main() -> int:
    build = Path(sys.argv[1])
    targets = sorted(path.stem for path in (build / "profiles").glob("*.profraw"))
    if not targets:
        sys.exit("fuzz_coverage: no target was run")
    passes = [report(build, target) for target in targets]
    if all(passes):
        return 0
    print(f"fuzz: fewer than {LINE_PERCENT_MIN:.0f} % of the lines of a file under test are reached",
          file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
