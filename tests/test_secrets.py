"""Passwords appear nowhere: not in output, process list, state or destination.

Beyond these tests, the end of the session searches all output of all tests (conftest.log_root).
"""

import stat
from pathlib import Path

import pytest
from conftest import chosen_versions
from harness.engine import EngineProcess, run_once
from harness.environment import CANARY, url_of
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.trial import Trial
from harness.waiting import wait_until


@pytest.fixture
def trial(pairs, request, engine_directory):
    pair = pairs.get(chosen_versions(request.config)[-1])
    trial = Trial.make(pair.source, pair.destination, engine_directory)
    yield trial
    trial.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://freshet:{canary}@127.0.0.1:1/x",
        "postgresql://freshet:{canary}@no-such-host.invalid/x",
        "postgresql://freshet:{canary}@127.0.0.1:notaport/x",
        "postgresql://freshet:{canary}%zz@127.0.0.1/x",
        "postgresql://freshet@127.0.0.1/x?password={canary}&nonsense=1",
        "host=127.0.0.1 port=1 user=freshet password='{canary}'",
        "host=127.0.0.1 password={canary} nonsense",
        "postgres ql://freshet:{canary}@x",
        "mysql://freshet:{canary}@127.0.0.1/x",
    ],
)
@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_url_that_fails_is_told_without_its_password(trial, url, side):
    config = trial.config()
    part = config["source"] if side == "source" else config["destinations"]["main"]
    part["url"] = url.format(canary=CANARY)
    path = trial.write(config)
    for command in (["run", str(path)], ["check", str(path)], ["status", str(path)]):
        code, output = run_once(command, trial.directory, env=trial.env)
        assert CANARY not in output
        assert code != 0 or command[0] == "status", output


def test_a_password_among_the_arguments_is_blanked(trial):
    source = url_of(trial.source.server.port, trial.source.name)
    target = url_of(trial.target.server.port, trial.target.name)
    arguments = ["run", "--source", source, "--to", target, "--table", "public.t"]
    log = trial.directory / "arguments.log"
    process = EngineProcess(arguments, log, directory=trial.directory)
    try:
        shown = Path(f"/proc/{process.pid}/cmdline")
        wait_until(lambda: CANARY.encode() not in shown.read_bytes(), "the password is blanked")
        is_there = "SELECT to_regclass('public.t') IS NOT NULL"
        wait_until(lambda: trial.target.value(is_there), "the table", describe=process.log_tail)
        assert process.terminate() == 0
    finally:
        if process.exit_code is None:
            process.kill()
    assert CANARY not in process.log_text()


def test_state_and_destination_hold_no_password(trial):
    system = FreshetSystem(
        trial.source, trial.target, trial.directory / "run", tables=[Table("public", "t")]
    )
    system.start()
    system.wait_streaming()
    assert system.stop() == 0
    for path in system.directory.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    state = system.directory / "state.db"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    kept = trial.target.query("SELECT to_jsonb(p)::text FROM freshet.progress p")
    assert CANARY not in str(kept)
