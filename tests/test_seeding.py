"""A destination that was filled by pg_dump is followed from the slot that the dump began with."""

import json
import subprocess

import psycopg
import pytest
from harness.freshet import FreshetSystem
from harness.place import Place
from harness.scenario import Table
from harness.traffic import random_moment
from harness.waiting import wait_until
from servers.binaries import find_client, find_postgres

T = Table("public", "t")
LOG = Table("public", "log")  # without a key: a row that came twice would stay
PREFLIGHT, GAP = 3, 4
SLOT = "by_hand"
KILLS = 8


class SeededPlace(Place):
    """A publication, a slot made by hand, writes before and after it, and a dump of its snapshot."""

    def __init__(self, pair, directory):
        super().__init__(pair, "seed", directory)
        self.source.query("CREATE TABLE t (id int PRIMARY KEY, a text)")
        self.source.query("CREATE TABLE log (line text)")
        self.source.query("ALTER TABLE log REPLICA IDENTITY FULL")
        for table in ("t", "log"):
            self.source.query(f"ALTER TABLE {table} OWNER TO app")
            self.source.query(f"GRANT SELECT ON {table} TO freshet")
        self.write(1)
        self.source.query("CREATE PUBLICATION seed FOR TABLE t, log")

    def write(self, round_number: int) -> None:
        first = round_number * 1000
        self.source.query(f"INSERT INTO t SELECT n, 'new' FROM generate_series({first}, {first + 99}) n")
        self.source.query(f"UPDATE t SET a = 'round {round_number}' WHERE id % 3 = 0")
        self.source.query("DELETE FROM t WHERE id % 7 = 0")
        self.source.query("INSERT INTO log VALUES ('same'), ('same'), (%s)", [f"round {round_number}"])

    def make_slot_and_dump(self) -> None:
        """As docs/seeding.md tells."""
        with self.source.server.connect(self.source.name, replication="database") as walsender:
            cursor = psycopg.ClientCursor(walsender)
            cursor.execute(f"CREATE_REPLICATION_SLOT {SLOT} LOGICAL pgoutput EXPORT_SNAPSHOT")
            snapshot = cursor.fetchone()[2]
            self.write(2)
            self.dump(f"--snapshot={snapshot}")

    def dump(self, *options: str) -> None:
        server = self.source.server
        program = find_postgres(server.version).program("pg_dump")
        if not program.exists():
            pytest.skip(f"no pg_dump of PostgreSQL {server.version} is here, and another would not do")
        done = subprocess.run(
            [program, "--no-publications", *options, server.dsn(self.source.name)],
            check=True, capture_output=True, text=True,
        )
        self.target.server.psql(done.stdout, self.target.name)
        for table in ("t", "log"):
            self.target.query(f"ALTER TABLE {table} OWNER TO freshet")

    def make(self, **options) -> FreshetSystem:
        self.system = FreshetSystem(
            self.source, self.target, self.directory, tables=[T, LOG], publications=["seed"],
            options={"source.slot": SLOT, "source.adopt_slot": True, "source.copy.mode": "none"}
            | options,
        )
        self.system.slot = SLOT
        return self.system

    def refused(self, *words: str) -> None:
        self.system.start()
        assert self.system.process.wait(40) == PREFLIGHT, self.system.log_text()
        for word in words:
            assert word in self.system.log_text(), self.system.log_text()
        assert self.target.value("SELECT count(*) FROM freshet.tables") == 0


@pytest.fixture
def place(version, pairs, engine_directory):
    place = SeededPlace(pairs.get(version), engine_directory)
    yield place
    place.source.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE database = current_database() AND NOT active"
    )
    place.close()


def findings(place: SeededPlace, code: int = 0) -> dict[str, list[dict]]:
    report = json.loads(place.command("check", "--json", str(place.system.config_path), code=code))
    found: dict[str, list[dict]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["id"], []).append(finding)
    return found


def test_a_dump_of_the_slots_snapshot_is_gone_on_from(place):
    place.make_slot_and_dump()
    place.write(3)
    system = place.make()
    system.write_config()
    found = findings(place)
    assert "streaming begins at" in found["adopt_slot"][0]["what"]
    assert [f["where"] for f in found["adopted_without_key"]] == ["public.log"]

    system.start()
    system.wait_streaming()
    place.expect_equal(T, LOG)
    assert "replication slot adopted" in system.log_text()
    system.kill()
    place.write(4)
    system.start()
    place.expect_equal(T, LOG)
    assert system.stop() == 0
    assert "adopt_slot" not in findings(place)

    # From here on it is watched like any other.
    place.write(5)
    place.source.query(
        "SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", [SLOT]
    )
    system.start()
    assert system.process.wait(40) == GAP, system.log_text()
    assert "confirmed past what the destinations hold" in system.log_text()

    # It is not ours to drop.
    told = place.command("drop", "--yes", str(system.config_path))
    assert f"pg_drop_replication_slot('{SLOT}')" in told
    assert place.source.value("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", [SLOT])
    assert place.source.value("SELECT count(*) FROM pg_publication") == 1


def test_a_later_dump_of_tables_with_keys_comes_right(place):
    place.source.query("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
    place.write(2)
    place.dump()
    place.source.query("DELETE FROM t WHERE id % 5 = 0")
    place.make()
    place.system.change_tables([T])
    place.system.start()
    place.system.wait_streaming()
    place.settle()
    assert not place.difference(T, ("id", "a"))


def test_a_start_that_is_killed_at_random_moments_is_completed(place, seed):
    place.make_slot_and_dump()
    later = place.source.value("SELECT pg_current_wal_flush_lsn()")
    place.target.query("TRUNCATE t, log")
    place.dump("--data-only")
    # Nothing was written in between: all that the dump has ends at or before this LSN.
    place.make(**{"source.start_lsn": later})
    for number in range(KILLS):
        place.system.start()
        random_moment(0.25)
        place.system.kill()
        place.write(3 + number)
    place.system.start()
    place.system.wait_streaming()
    place.expect_equal(T, LOG)


def test_what_cannot_be_adopted_is_refused_with_a_reason(place):
    system = place.make()
    place.refused("there is no slot of that name to be adopted", "remove source.adopt_slot")

    place.source.query("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [SLOT])
    place.refused("none for pgoutput")
    place.source.query("SELECT pg_drop_replication_slot(%s)", [SLOT])

    place.source.query("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
    place.make(**{"source.start_lsn": "0/1"})
    place.refused("lies before what the slot has kept")
    place.make(**{"source.start_lsn": "FFFF/0"})
    place.refused("has not reached source.start_lsn")

    # Changes from before would be sent by what the publication was then.
    place.make()
    place.source.query("CREATE TABLE late (id int PRIMARY KEY)")
    place.source.query("ALTER PUBLICATION seed ADD TABLE late")
    place.refused("may have been made or altered after the slot", "late")
    assert "adopt_slot" in findings(place, code=PREFLIGHT)

    # Without the word nothing is taken over, and nothing is dropped.
    system = place.make(**{"source.adopt_slot": False})
    place.refused("this pipeline did not make it", "source.adopt_slot: true")
    assert place.source.value("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", [SLOT])
    assert system.phases() == []


def test_a_slot_that_another_process_streams_from_is_left_to_it(place):
    place.source.query("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
    receiver = subprocess.Popen(
        [find_client("pg_recvlogical"), "--start", "-S", SLOT, "-f", "-", "-o", "proto_version=1",
         "-o", "publication_names=seed", "-d", place.source.server.dsn(place.source.name)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        wait_until(lambda: place.source.value(active, [SLOT]), "somebody streams from the slot")
        place.make()
        place.refused("the slot to be adopted is in use", "pid=")
    finally:
        receiver.terminate()
        receiver.wait()
