"""Runs clang-tidy over src/, skipping files whose last run was clean.

A file is run again when its own text, that of a header of ours that it reaches,
the configuration or its compile command has changed. Tests are left out: their
macros cost most of the time and yield nothing.
"""

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".deps" / "tidy-cache"
TIDY = "clang-tidy-19"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
RECENT_COMMITS = 10
RECENT_FILES_MAX = 25
TEST_FILE = re.compile(r"(_(test|pgtest|fuzz|bench)\.cc$|/testing/)")


def main() -> int:
    options = parse_arguments()
    commands = json.loads((options.build / "compile_commands.json").read_text())
    files = {c["file"]: c["command"] for c in commands if is_checked(c["file"])}
    CACHE.mkdir(parents=True, exist_ok=True)
    config = (ROOT / ".clang-tidy").read_text()
    roots = [ROOT / "src", ROOT / "include", options.build / "generated"]
    keys = {file: cache_key(Path(file), [config, files[file]], roots) for file in files}
    todo = [f for f in sorted(files) if options.all or not (CACHE / keys[f]).exists()]
    if options.sample:
        todo = sample(todo, options.sample)
    started = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda file: run(file, keys[file], options.build), todo))
    seconds = time.monotonic() - started
    failed = results.count(False)
    print(
        f"clang-tidy: {len(files)} files, {len(todo)} run in {seconds:.0f} s, {failed} failed",
        file=sys.stderr,
    )
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "dev")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true", help="run clean files too")
    parser.add_argument(
        "--sample", type=float, default=0, metavar="PERCENT",
        help="only those that the last commits changed (but of many only some), and of the others "
        "some, chosen by FRESHET_SAMPLE_SEED",
    )
    return parser.parse_args()


def sample(files: list[str], percent: float) -> list[str]:
    """Returns some of the files: a whole run takes half an hour of two cores."""
    log = ["git", "log", f"-{RECENT_COMMITS}", "--name-only", "--format="]
    changed = subprocess.run(log, cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    names = {str((ROOT / name).with_suffix("")) for name in changed if name}
    recent = [file for file in files if str(Path(file).with_suffix("")) in names]
    chance = random.Random(os.environ.get("FRESHET_SAMPLE_SEED", "0"))
    drawn = {file for file in files if chance.random() * 100 < percent}
    drawn.update(chance.sample(recent, min(len(recent), RECENT_FILES_MAX)))
    return sorted(drawn)


def is_checked(file: str) -> bool:
    return file.startswith(str(ROOT / "src")) and not TEST_FILE.search(file)


def cache_key(file: Path, parts: list[str], roots: list[Path]) -> str:
    """Returns a hash of the parts and of the file with all headers of ours below it."""
    digest = hashlib.sha256("\0".join(parts).encode())
    seen: set[Path] = set()
    todo = [file]
    while todo:
        path = todo.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        text = path.read_text()
        digest.update(text.encode())
        for name in INCLUDE.findall(text):
            todo += [root / name for root in roots]
    return digest.hexdigest()


def run(file: str, key: str, build: Path) -> bool:
    """Checks one file; remembers it if clean, prints what was found if not."""
    command = [TIDY, "-p", str(build), "--quiet", "--extra-arg=-Wno-everything", file]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        (CACHE / key).touch()
        return True
    print(done.stdout.strip() or done.stderr.strip(), flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
