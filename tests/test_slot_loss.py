"""A lost slot with `source.on_gap: resync`: what the scenarios S92 cannot show."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import chosen_versions
from harness.database import Database, new_databases
from harness.environment import CANARY, drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.sessions import Session
from harness.traffic import random_moment
from harness.waiting import wait_until
from servers.binaries import find_client

TABLE = Table("public", "t")
LINES = "lines.jsonl"
KILLS = 12


@pytest.fixture
def system(request, pairs, engine_directory):
    source, target = new_databases(pairs.get(request.param), "loss")
    writer = Session("main", source.server.port, "app", CANARY, source.name)
    writer.run("CREATE TABLE t (id int PRIMARY KEY, a text);")
    writer.run("INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 500) n;")
    options = {"source.on_gap": "resync", "destinations.lines": {"url": f"jsonl:{LINES}"}}
    system = FreshetSystem(source, target, engine_directory, tables=[TABLE], options=options)
    system.writer = writer
    system.start()
    system.wait_streaming()
    system.wait_position(source.barrier())
    yield system
    writer.close()
    system.retire()
    source.close()
    drop_database(source.server, source.name)


def pytest_generate_tests(metafunc):
    versions = chosen_versions(metafunc.config)
    metafunc.parametrize("system", versions, ids=[f"pg{v}" for v in versions], indirect=True)


def replay(path: Path) -> dict[int, str]:
    """The rows that a reader of the lines has, up to the last position line."""
    whole: dict[int, str] = {}
    rows: dict[int, str] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        match entry["op"]:
            case "reset":
                rows = {}
            case "copy" | "insert" | "update" | "upsert":
                if entry["key"] and entry["key"]["id"] != entry["after"]["id"]:
                    del rows[entry["key"]["id"]]
                rows[entry["after"]["id"]] = entry["after"]["a"]
            case "delete":
                del rows[entry["key"]["id"]]
            case "position":
                whole = dict(rows)
    return whole


def rows_of(database: Database) -> dict[int, str]:
    return dict(database.query("SELECT id, a FROM t"))


def expect_equal(system: FreshetSystem) -> None:
    system.wait_streaming()
    system.wait_position(system.source.barrier())
    system.wait_streaming()
    wanted = rows_of(system.source)
    assert rows_of(system.target) == wanted
    lines = system.directory / LINES
    wait_until(lambda: replay(lines) == wanted, "the lines tell the same rows", seconds=20,
               describe=system.describe)


@pytest.mark.timeout(300)
def test_every_destination_is_copied_to_again(system):
    assert system.stop() == 0
    system.writer.run("DELETE FROM t WHERE id <= 100; UPDATE t SET a = 'unseen' WHERE id = 200;")
    system.source.query("SELECT pg_drop_replication_slot(%s)", [system.slot])
    system.start()
    system.writer.run("INSERT INTO t VALUES (1000, 'after it'); DELETE FROM t WHERE id = 300;")
    expect_equal(system)
    # Also where it happens again, and the engine goes on from a kill.
    system.kill()
    drop_slot(system)
    system.writer.run("DELETE FROM t WHERE id > 900;")
    system.start()
    expect_equal(system)
    assert system.log_text().count("changes were lost with the slot") == 2


def drop_slot(system: FreshetSystem) -> None:
    idle = "SELECT NOT active FROM pg_replication_slots WHERE slot_name = %s"
    wait_until(lambda: system.source.value(idle, [system.slot]) is not False, "the slot is idle")
    drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
    system.source.query(drop, [system.slot])


@pytest.mark.timeout(300)
def test_killed_at_random_moments_while_everything_is_copied_again(system, seed):
    for number in range(KILLS):
        system.kill()
        if number % 3 == 0:
            drop_slot(system)
        system.writer.run(f"DELETE FROM t WHERE id % 20 = {number};")
        system.writer.run(f"INSERT INTO t SELECT n, 'new' FROM generate_series({number + 2}000, {number + 2}050) n;")
        system.start()
        random_moment(0.6)
        system.check_alive()
    expect_equal(system)


@pytest.mark.timeout(300)
def test_a_slot_that_another_process_streams_from_is_left_alone(system):
    assert system.stop() == 0
    system.writer.run("INSERT INTO t VALUES (1001, 'read by another');")
    server = system.source.server
    thief = subprocess.Popen(
        [str(find_client("pg_recvlogical")), "-h", "127.0.0.1", "-p", str(server.port), "-U",
         server.user, "-d", system.source.name, "--slot", system.slot, "--start", "-f", os.devnull,
         "-o", "proto_version=1", "-o", f"publication_names={system.slot}",
         "--fsync-interval=1", "--status-interval=1"],
        env=os.environ | {"PGPASSWORD": server.password},
    )
    try:
        moved = "SELECT active AND confirmed_flush_lsn > %s FROM pg_replication_slots WHERE slot_name = %s"
        before = system.source.value("SELECT pg_current_wal_lsn()")
        system.writer.run("INSERT INTO t VALUES (1002, 'read by another, too');")
        wait_until(lambda: system.source.value(moved, [before, system.slot]), "the slot has moved")
        system.start()
        # Who streams from it may be about to end: that is waited for.
        wait_until(lambda: "it is in use" in system.log_text(), "the error", describe=system.describe)
        assert thief.poll() is None
        assert set(system.phases()) == {"streaming"}
    finally:
        thief.terminate()
        thief.wait()
    expect_equal(system)
