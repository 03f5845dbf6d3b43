"""Freshet and its peers side by side, in one run on one machine: see README.md beside this file."""

import argparse
import os
import signal
import sys
from pathlib import Path

import loopback
from contest import Contest, say
from drain import run_drains
from initial_copy import run_copies
from measure import RunFailed
from report import environment, is_sound, print_contest, print_environment, to_json
from stage import Stage

TASKS = ("drain-null", "drain-postgres", "copy-null", "copy-postgres")
_LOAD_MAX = 1.0


def main() -> int:
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    is_isolated = loopback.isolate()
    facts = environment(options.pg, is_isolated=is_isolated)
    print_environment(facts)
    load = os.getloadavg()[0]
    if load > _LOAD_MAX:
        say(f"the machine is busy (load {load:.1f}): take ratios, not absolute figures")
    contests: list[Contest] = []

    def report(contest: Contest) -> None:
        contests.append(contest)
        print_contest(contest)
        if options.json:
            # Written anew each time, so that a run that is cut short leaves what it had.
            options.json.write_text(to_json(facts, describe(options), contests) + "\n")

    tasks = set(options.only)
    try:
        with Stage(options.pg) as stage:
            if tasks & {"drain-null", "drain-postgres"}:
                run_drains(stage, tasks, options.rows, options.repeat, report)
            if tasks & {"copy-null", "copy-postgres"}:
                run_copies(stage, tasks, options.copy_rows, options.repeat, report)
    except RunFailed as error:
        say(f"given up: {error}")
        return 1
    return 0 if all(map(is_sound, contests)) else 1


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Benchmarks of Freshet beside its peers."
    )
    parser.add_argument(
        "--rows", type=positive, default=2_000_000, help="rows of a backlog (default 2,000,000)"
    )
    parser.add_argument(
        "--copy-rows", type=positive, default=5_000_000, help="rows to copy (default 5,000,000)"
    )
    parser.add_argument("--repeat", type=positive, default=3, help="runs of each (default 3)")
    parser.add_argument(
        "--only", type=tasks_of, default=list(TASKS), help=f"some of {','.join(TASKS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--pg", type=int, default=15, help="servers' major version (default 15)")
    return parser.parse_args()


def describe(options: argparse.Namespace) -> dict[str, object]:
    return {name: getattr(options, name) for name in ("rows", "copy_rows", "repeat", "only", "pg")}


def positive(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def tasks_of(text: str) -> list[str]:
    chosen = text.split(",")
    for task in chosen:
        if task not in TASKS:
            raise argparse.ArgumentTypeError(f"unknown: {task}; there are {', '.join(TASKS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
