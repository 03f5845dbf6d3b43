"""S40: two databases feed each other, and no change goes round in circles."""

import time

import pytest
from harness.database import Database, new_databases
from harness.environment import drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table

ORIGIN_FUNCTIONS = "pg_replication_origin_create(text), pg_replication_origin_session_setup(text)"
TABLE = Table("public", "t")


@pytest.fixture
def sides(version, pairs):
    databases = new_databases(pairs.get(version), "both")
    for database in databases:
        database.query("CREATE TABLE t (id int PRIMARY KEY, v text)")
        database.query("ALTER TABLE t OWNER TO freshet")
        database.query(f"GRANT EXECUTE ON FUNCTION {ORIGIN_FUNCTIONS} TO freshet")
    yield databases
    for database in databases:
        database.close()
        drop_database(database.server, database.name)


def write(database: Database, first: int) -> None:
    database.query(f"INSERT INTO t SELECT n, 'new' FROM generate_series({first}, {first + 999}) n")
    database.query(f"UPDATE t SET v = 'changed' WHERE id BETWEEN {first} AND {first + 99}")
    database.query(f"DELETE FROM t WHERE id = {first + 500}")


def changes_of(database: Database) -> int:
    return database.value(
        "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 't'"
    )


def test_two_databases_feed_each_other_without_a_loop(sides, engine_directory):
    options = {"source.origin": "none", "source.copy.mode": "none"}
    systems = [
        FreshetSystem(source, target, engine_directory / way, tables=[TABLE], options=options)
        for way, source, target in (("there", *sides), ("back", *reversed(sides)))
    ]
    try:
        for system in systems:
            system.start()
            system.wait_streaming()
        for number, database in enumerate(sides):
            write(database, 1 + number * 10_000)
        # What came by one way is not sent back by the other: two rounds would show it.
        for _ in range(2):
            for system in systems:
                system.wait_position(system.source.barrier())
        here, there = (database.query("SELECT * FROM t ORDER BY id") for database in sides)
        assert here == there and len(here) == 2 * 999
        time.sleep(2)  # until the servers' statistics are in
        changed = [changes_of(database) for database in sides]
        # 1,000 inserts, 100 updates and a delete from either side; some are netted on the way.
        assert max(changed) <= 2 * 1101
        time.sleep(3)
        assert [changes_of(database) for database in sides] == changed
    finally:
        for system in systems:
            system.retire_engine()
