"""A run of the whole matrix of scenarios: keeps each result, prints them, has the page written.

Results are kept beside the clone's other stamps, a line of JSON each. A result counts as long as
the engine and the scenario's file are what they were, so that a run goes on where it ended: what
has passed is not run again.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from harness.cells import Cell, Choice, cells_of
from harness.engine import REPOSITORY, find_binary
from harness.matrix_page import Result, marks, page
from harness.scenario import SCENARIOS, find_scenarios

LEDGER = REPOSITORY / ".deps" / "matrix.jsonl"
PAGE = REPOSITORY / "docs" / "matrix.md"


@cache
def engine_hash() -> str:
    return hashlib.sha256(find_binary().read_bytes()).hexdigest()[:16]


def _subject(name: str) -> str:
    """Names what a result is about: this engine and this text of the scenario."""
    text = (SCENARIOS / f"{name}.scenario").read_bytes()
    return f"{engine_hash()}-{hashlib.sha256(text).hexdigest()[:16]}"


def load_results() -> dict[str, Result]:
    """Returns what is known of the present engine and files, by the test's name."""
    results: dict[str, Result] = {}
    if not LEDGER.exists():
        return results
    subjects = {scenario.name: _subject(scenario.name) for scenario in find_scenarios()}
    for line in LEDGER.read_text().splitlines():
        entry = json.loads(line)
        if subjects.get(entry.pop("scenario")) == entry.pop("subject"):
            results[entry["test"]] = Result(**entry)
    return results


def not_yet_passed(cells: dict[str, list[Cell]]) -> dict[str, list[Cell]]:
    """Leaves out what has passed already."""
    passed = {test for test, result in load_results().items() if result.outcome == "passed"}
    return {
        name: [cell for cell in listed if f"{name}-{cell}" not in passed]
        for name, listed in cells.items()
    }


class MatrixRun:
    """A pytest plugin: hears of each test's end."""

    def __init__(self, config, choice: Choice):
        self._config = config
        self._choice = choice
        self._scenarios = find_scenarios()
        self._names = {
            f"{scenario.name}-{cell}": scenario.name
            for scenario in self._scenarios
            for cell in cells_of(scenario, choice)
        }
        # A file that is edited meanwhile is another subject than the one that runs.
        self._subjects = {scenario.name: _subject(scenario.name) for scenario in self._scenarios}
        self._seen: set[str] = set()
        LEDGER.parent.mkdir(exist_ok=True)

    def pytest_runtest_logreport(self, report) -> None:
        test = report.nodeid.partition("[")[2].removesuffix("]")
        is_news = report.when == "call" or report.outcome != "passed"
        if test not in self._names or not is_news:
            return
        name = self._names[test]
        self._seen.add(name)
        result = Result(
            test, report.outcome, _why(report), round(report.duration, 2), int(time.time())
        )
        line = {"scenario": name, "subject": self._subjects[name]} | asdict(result)
        with open(LEDGER, "a") as ledger:
            ledger.write(json.dumps(line) + "\n")

    def pytest_terminal_summary(self, terminalreporter, exitstatus) -> None:
        results = load_results()
        chosen = self._config.option
        is_part = chosen.keyword or chosen.collectonly or exitstatus not in (0, 1, 5)
        for scenario in self._scenarios:
            if scenario.name in self._seen:
                terminalreporter.write_line(
                    f"{scenario.name:50} {' '.join(marks(scenario, self._choice, results))}"
                )
        target = self._config.getoption("--page") or ("" if is_part else str(PAGE))
        if target:
            text = page(self._scenarios, self._choice, results, engine_hash())
            Path(target).write_text(text)
            terminalreporter.write_line(f"wrote {target}")


def _why(report) -> str:
    """Returns the reason of a skip, or the first line of what went wrong."""
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    if report.outcome == "failed" and crash:
        return crash.message.splitlines()[0][:200]
    return str(report.longrepr).splitlines()[-1][:200] if report.outcome == "failed" else ""
