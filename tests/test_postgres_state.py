"""A pipeline whose state is in a PostgreSQL database: killed, competed for, cut off, not allowed."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import chosen_versions
from harness.database import Database, difference
from harness.engine import EngineProcess, find_binary, run_once
from harness.environment import (
    CANARY,
    create_database,
    drop_database,
    make_roles,
    new_name,
    url_of,
)
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.trial import Trial
from harness.waiting import wait_until
from servers import Postgres

PREFLIGHT = 3
TABLE = Table("public", "t")
LEASE_SECONDS = 15


@dataclass
class Place:
    """A source with a table, an empty destination, and a database for the state."""

    source: Database
    target: Database
    state: Database
    directory: Path

    def system(self) -> FreshetSystem:
        url = url_of(self.state.server.port, self.state.name, secret="${DESTINATION_PASSWORD}")
        return FreshetSystem(
            self.source, self.target, self.directory, tables=[TABLE], options={"state": url}
        )

    def insert(self, first: int, last: int) -> None:
        rows = f"SELECT n, 'row' FROM generate_series({first}, {last}) n"
        self.source.query(f"INSERT INTO t {rows}")

    def expect_equal(self, system: FreshetSystem) -> None:
        system.wait_position(self.source.barrier())
        columns = ("id", "a")
        sides = [side.rows_of(TABLE, columns) for side in (self.source, self.target)]
        assert not difference(*sides)

    def close(self) -> None:
        for database in (self.source, self.target, self.state):
            database.close()
            if database.server.is_running:
                drop_database(database.server, database.name)


def make_place(source: Postgres, target: Postgres, state: Postgres, directory: Path) -> Place:
    name = new_name("shared")
    create_database(source, name)
    create_database(target, name)
    create_database(state, f"{name}_state")
    databases = Database(source, name), Database(target, name), Database(state, f"{name}_state")
    place = Place(*databases, directory)
    place.source.query("CREATE TABLE t (id int PRIMARY KEY, a text)")
    place.source.query("ALTER TABLE t OWNER TO app")
    place.insert(1, 1000)
    return place


@pytest.fixture
def pair(pairs, request):
    return pairs.get(chosen_versions(request.config)[-1])


@pytest.fixture
def place(pair, engine_directory):
    place = make_place(pair.source, pair.destination, pair.destination, engine_directory)
    yield place
    place.close()


def status_of(system: FreshetSystem) -> dict:
    done = subprocess.run(
        [str(find_binary()), "status", str(system.config_path), "--json"],
        env=system.env, cwd=system.directory, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_killed_pipeline_goes_on_where_it_was(place):
    system = place.system()
    system.start()
    try:
        system.wait_streaming()
        place.expect_equal(system)
        before = status_of(system)
        assert before["running"] and before["holder"]["pid"] == system.process.pid
        system.kill()
        assert not status_of(system)["running"]
        place.insert(1001, 2000)
        system.start()
        place.expect_equal(system)
        after = status_of(system)
        assert after["slot_identity"] == before["slot_identity"]
        assert [table["phase"] for table in after["tables"]] == ["streaming"]
        assert system.stop() == 0
        assert not status_of(system)["running"]
    finally:
        system.close()
    assert not list(place.directory.rglob("*.db")), "the state is in a file too"
    for (name,) in place.state.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'freshet_state'::regnamespace"
        " AND relkind = 'r'"
    ):
        assert CANARY not in str(place.state.query(f"SELECT r::text FROM freshet_state.{name} r"))


def test_of_two_one_waits_and_takes_over_when_the_other_is_killed(place):
    system = place.system()
    system.start()
    second = third = None
    try:
        system.wait_streaming()
        second = system.launch(place.directory / "second.log")
        assert second.wait(60) == PREFLIGHT
        assert f"pid={system.process.pid}" in second.log_text(), second.log_tail()
        place.insert(1001, 2000)
        place.expect_equal(system)

        third = system.launch(place.directory / "third.log")
        wait_until(lambda: "waiting" in third.log_text(), "it waits", describe=third.log_tail)
        system.kill()
        place.insert(2001, 3000)
        system.process = third
        place.expect_equal(system)
        assert third.terminate() == 0
    finally:
        system.close()
        for process in (second, third):
            if process and process.exit_code is None:
                process.kill()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Returns how to launch an engine on a host of another name."""
    probe = ["unshare", "--uts", "hostname", "elsewhere"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("another host name needs root")
    wrapper = tmp_path / "freshet"
    wrapper.write_text(
        "#!/bin/sh\n"
        f"exec unshare --uts sh -c 'hostname elsewhere && exec \"$0\" \"$@\"' {find_binary()} \"$@\"\n"
    )
    wrapper.chmod(0o755)

    def launch(system: FreshetSystem, log: Path) -> EngineProcess:
        with monkeypatch.context() as changed:
            changed.setenv("FRESHET_BIN", str(wrapper))
            return system.launch(log)

    return launch


def test_another_host_takes_over_once_the_lease_runs_out(place, elsewhere):
    system = place.system()
    system.start()
    other = None
    try:
        system.wait_streaming()
        place.expect_equal(system)
        other = elsewhere(system, place.directory / "other.log")
        wait_until(lambda: "waiting" in other.log_text(), "it waits", describe=other.log_tail)
        # A living holder keeps its lease for longer than a dead one.
        time.sleep(LEASE_SECONDS / 3)
        system.freeze()
        # The source, too, gives up on who is silent: here without its timeout of a minute.
        place.source.query(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s",
            [system.slot],
        )
        place.insert(1001, 2000)
        frozen, system.process = system.process, other
        place.expect_equal(system)
        assert status_of(system)["holder"]["host"] == "elsewhere"
        os.kill(frozen.pid, 18)  # SIGCONT
        assert frozen.wait(60) == 1, frozen.log_tail()
        assert "taken over" in frozen.log_text() or "took the pipeline over" in frozen.log_text()
        place.insert(2001, 3000)
        place.expect_equal(system)
        assert other.terminate() == 0
    finally:
        system.close()
        if other and other.exit_code is None:
            other.kill()


def test_a_server_of_the_state_that_restarts_interrupts_nothing_for_long(pair, engine_directory):
    with Postgres(pair.version) as server:
        make_roles(server)
        place = make_place(pair.source, pair.destination, server, engine_directory)
        system = place.system()
        try:
            system.start()
            system.wait_streaming()
            for number in range(3):
                place.insert(1001 + 100 * number, 1100 + 100 * number)
                server.restart("immediate")
                time.sleep(1)
                system.check_alive()
            place.expect_equal(system)
            server.stop("immediate")
            place.insert(2001, 3000)
            wait_until(lambda: "server=state" in system.log_text(), "it notices")
            time.sleep(5)
            system.check_alive()
            server.start()
            place.expect_equal(system)
            assert system.stop() == 0
        finally:
            system.close()
            place.close()


def test_the_lease_is_kept_while_a_destination_is_away(pair, engine_directory):
    with Postgres(pair.version) as target:
        make_roles(target)
        place = make_place(pair.source, target, pair.destination, engine_directory)
        system = place.system()
        age = "SELECT extract(epoch FROM clock_timestamp() - renewed_at) FROM freshet_state.pipeline"
        try:
            system.start()
            system.wait_streaming()
            target.stop("immediate")
            place.insert(1001, 2000)
            # Long enough for pauses that would let it run out.
            deadline = time.monotonic() + 3 * LEASE_SECONDS
            while time.monotonic() < deadline:
                system.check_alive()
                assert place.state.value(age) < LEASE_SECONDS / 2, system.process.log_tail()
                time.sleep(0.2)
            target.start()
            place.expect_equal(system)
            assert system.stop() == 0
        finally:
            system.close()
            place.close()


def test_a_state_that_may_not_be_made_is_told_with_what_mends_it(pair, engine_directory):
    trial = Trial.make(pair.source, pair.destination, engine_directory)
    name = new_name("closed")
    pair.destination.create_database(name)
    config = trial.config()
    config["state"] = url_of(pair.destination.port, name, secret="${DESTINATION_PASSWORD}")
    schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'freshet_state'"
    try:
        trial.fails(config, PREFLIGHT, r"CREATE SCHEMA freshet_state AUTHORIZATION")
        path = str(trial.write(config))
        code, output = run_once(["check", path, "--json"], trial.directory, env=trial.env)
        assert code == PREFLIGHT
        found = [f for f in json.loads(output)["findings"] if f["area"] == "state"]
        assert [f["severity"] for f in found] == ["error"], output
        assert found[0]["fix"] == 'CREATE SCHEMA freshet_state AUTHORIZATION "freshet";'
        pair.destination.execute(found[0]["fix"], dbname=name)
        code, output = run_once(["check", path, "--json"], trial.directory, env=trial.env)
        assert not [f for f in json.loads(output)["findings"] if f["area"] == "state"], output
        code, output = run_once(["status", path], trial.directory, env=trial.env)
        assert code == 0 and "nothing is kept" in output, output
        made = "SELECT count(*) FROM pg_class WHERE relnamespace = 'freshet_state'::regnamespace"
        assert pair.destination.value(made, dbname=name) == 0
        assert pair.destination.value(schemas, dbname=name) == 1
    finally:
        trial.close()
        drop_database(pair.destination, name)


def test_a_state_that_cannot_be_reached_is_told_without_its_password(pair, engine_directory):
    trial = Trial.make(pair.source, pair.destination, engine_directory)
    config = trial.config()
    config["state"] = f"postgresql://freshet:{CANARY}@127.0.0.1:1/x"
    try:
        trial.fails(config, PREFLIGHT, r"server=state")
        path = str(trial.write(config))
        for command in (["check", path], ["status", path], ["drop", "--yes", path]):
            code, output = run_once(command, trial.directory, env=trial.env)
            assert code == PREFLIGHT, output
            assert CANARY not in output and "server=state" in output, output
    finally:
        trial.close()
