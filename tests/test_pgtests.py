"""Runs the programs freshet_*_pgtest, unit tests that need a server, against each version.

They find a superuser's URI of an empty database in FRESHET_TEST_PG.
"""

import os
import subprocess
from pathlib import Path

import pytest
from servers import Postgres, versions_under_test

BUILD = Path(os.environ.get("FRESHET_BUILD_DIR", Path(__file__).parents[1] / "build" / "dev"))
PROGRAMS = sorted(BUILD.glob("freshet_*_pgtest"))


@pytest.fixture(scope="module", params=versions_under_test(), ids=lambda version: f"pg{version}")
def server(request):
    with Postgres(request.param) as postgres:
        yield postgres


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_passes_against_a_server(server, program):
    dsn = server.create_database(program.name)
    done = subprocess.run(
        [program, "--gtest_brief=1"],
        env=os.environ | {"FRESHET_TEST_PG": dsn},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
