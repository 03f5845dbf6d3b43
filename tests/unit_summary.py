"""pytest plugin: repeats the unit tests' result beside pytest's own summary."""

import os


def pytest_terminal_summary(terminalreporter):
    result = os.environ.get("FRESHET_UNIT_TESTS")
    if result:
        terminalreporter.write_line(f"unit tests: {result}")
