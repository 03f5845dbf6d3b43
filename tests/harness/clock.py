"""A wall clock for the engine that tests can set, by libfaketime; monotonic clocks stay true."""

import os
from pathlib import Path

import pytest

_LIBRARY = "faketime/libfaketimeMT.so.1"


def fake_clock(file: Path, offset_seconds: int) -> dict[str, str]:
    """Sets the clock kept in `file` off, and returns the environment of a program that uses it."""
    if os.environ.get("FRESHET_TEST_SANITIZED"):
        pytest.skip("a sanitizer and libfaketime do not go together")
    library = next(Path("/usr/lib").glob(f"*/{_LIBRARY}"), None)
    if library is None:
        pytest.skip("no libfaketime here: run ./dev setup")
    new = file.with_suffix(".new")
    new.write_text(f"{offset_seconds:+d}s\n")
    new.replace(file)  # the program may look at any moment
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
