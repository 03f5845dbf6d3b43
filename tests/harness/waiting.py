"""Waiting for conditions: never for time alone."""

import os
import time
from collections.abc import Callable

# Sanitizers and loaded machines are slow; a deadline is for what never comes.
PATIENCE = float(os.environ.get("FRESHET_TEST_PATIENCE", "1"))
WAIT_SECONDS_MAX = 30.0
_LOOK_EVERY_SECONDS = 0.02


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def wait_until(
    condition: Callable[[], object],
    what: str,
    *,
    seconds: float = WAIT_SECONDS_MAX,
    describe: Callable[[], str] | None = None,
) -> object:
    """Returns the first true result of `condition`; past the deadline tells what was missing."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            more = f"\n{describe()}" if describe else ""
            raise NotInTime(f"not in {seconds * PATIENCE:g} s: {what}{more}")
        time.sleep(_LOOK_EVERY_SECONDS)
