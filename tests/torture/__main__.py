"""The command line of ./dev torture."""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness.environment import start_pair

from torture import plan as plans
from torture.run import Torture, Verdict

_ABOUT = """
Differential torture. From a seed: random tables, random transactions by several sessions, changes of
the tables, kills of Freshet and of both servers; every 8 to 18 seconds writers pause, and all rows of
source and destination are compared. Exit code 0 if all were equal.

The seed decides tables, options, faults, and what each session would do next. When things happen
beside each other is up to the machine: a seed that failed may need several tries to fail again.
"""


def main() -> int:
    options = _parse()
    # Servers are stopped and their directories removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    unknown = options.without - plans.names()
    if unknown:
        print(f"torture: nothing is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    root = Path(options.logs or tempfile.mkdtemp(prefix="freshet-torture-"))
    verdicts = []
    for version in options.pg:
        pair = start_pair(version)
        try:
            for seed in options.seeds:
                verdicts.append(_run(seed, version, pair, root, options))
        finally:
            pair.close()
    if len(verdicts) > 1:
        print(_table(verdicts))
    return 1 if any(verdict.problem for verdict in verdicts) else 0


def _run(seed: int, version: int, pair, root: Path, options) -> Verdict:
    plan = plans.draw_plan(seed, version, options.without)
    if options.writers:
        plan.writers = options.writers
    directory = root / f"seed{seed}-pg{version}"
    verdict = Torture(plan, pair, directory, known=options.known).run(options.seconds)
    if verdict.problem:
        print(f"\n{verdict.problem}\nlogs: {directory}")
    print(verdict.summary(), flush=True)
    return verdict


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev torture", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="one seed; without it and --seeds, the time")
    parser.add_argument("--seeds", help="several, e.g. 1-30 or 3,7,9")
    parser.add_argument("--seconds", type=float, default=30, help="of writing per seed (30)")
    parser.add_argument("--pg", default="18", help="PostgreSQL versions, e.g. 15,18 (18)")
    parser.add_argument("--without", default="", metavar="NAME,…",
                        help="leaves out changes, definitions, faults, shapes or features: "
                        + ", ".join(sorted(plans.names())))  # fmt: skip
    parser.add_argument("--writers", type=int, help="this many sessions instead of the seed's number")
    parser.add_argument("--known", default="", metavar="REGEX",
                        help="starts the engine again if it ended with words like these")
    parser.add_argument("--logs", help="keep logs below this directory instead of a temporary one")
    options = parser.parse_args()
    options.seeds = _numbers(options.seeds or str(options.seed or time.time_ns() % 1_000_000))
    options.pg = _numbers(options.pg)
    options.without = set(filter(None, options.without.split(",")))
    if options.logs:
        options.logs = os.path.abspath(options.logs)
    return options


def _numbers(text: str) -> list[int]:
    found = []
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _table(verdicts: list[Verdict]) -> str:
    head = f"{'seed':>8} {'pg':>3} {'seconds':>8} {'operations':>11} {'rows':>9} {'faults':>7} {'compared':>9}  verdict"
    lines = [head]
    for v in verdicts:
        lines.append(
            f"{v.seed:>8} {v.version:>3} {v.seconds:>8.0f} {v.counts.get('operations', 0):>11}"
            f" {v.counts.get('rows changed', 0):>9} {sum(v.faults.values()):>7}"
            f" {v.counts.get('comparisons', 0):>9}  {'FAILED' if v.problem else 'equal'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
