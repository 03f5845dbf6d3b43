"""Reports how much of the files under test the fuzz targets reach.

usage: fuzz_coverage.py BUILD_DIR

Reads BUILD_DIR/profiles/*.profraw, which `./dev fuzz --coverage` leaves there. A target names its
files in lines `// Covers: PATH...` at its head; it is held to those alone, so that no target takes
credit for what another one reaches. Exits with 1 if one of them is below 95 % of its lines.
"""

import json
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


def measure(build: Path, target: str) -> dict[str, dict]:
    """Returns llvm-cov's summary of each file that the target's binary holds."""
    merged = build / "profiles" / f"{target}.profdata"
    raw = merged.with_suffix(".profraw")
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", raw, "-o", merged], check=True)
    command = ["llvm-cov-19", "export", "-summary-only", f"-instr-profile={merged}", build / target]
    exported = subprocess.run(command, check=True, capture_output=True).stdout
    return {file["filename"]: file["summary"] for file in json.loads(exported)["data"][0]["files"]}


def report(build: Path, target: str) -> bool:
    """Prints a line for each file under test; false if one is below the limit."""
    passes = True
    measured = measure(build, target)
    for path in files_under_test(target):
        found = [summary for name, summary in measured.items() if name.endswith(f"src/{path}")]
        if len(found) != 1:
            print(f"{target:22} {path:46} not in the binary")
            passes = False
            continue
        lines, regions = found[0]["lines"], found[0]["regions"]
        is_enough = lines["percent"] >= LINE_PERCENT_MIN
        passes = passes and is_enough
        print(f"{target:22} {path:46} {lines['covered']:4} of {lines['count']:4} lines "
              f"{lines['percent']:6.2f} %  regions {regions['percent']:6.2f} %"
              + ("" if is_enough else "  BELOW THE LIMIT"))
    return passes


def main() -> int:
    build = Path(sys.argv[1])
    targets = sorted(path.stem for path in (build / "profiles").glob("*.profraw"))
    if not targets:
        sys.exit("fuzz_coverage: no target was run")
    passes = [report(build, target) for target in targets]
    if all(passes):
        return 0
    print(f"fuzz: fewer than {LINE_PERCENT_MIN:.0f} % of the lines of a file under test are "
          "reached; for what is missing: llvm-cov-19 show -compilation-dir=. "
          f"-instr-profile={build}/profiles/TARGET.profdata {build}/TARGET", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
