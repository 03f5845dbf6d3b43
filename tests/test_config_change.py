"""A pipeline goes on after its file was changed: tables that were added come, others go."""

import pytest
from harness.database import new_databases
from harness.environment import CANARY, drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.sessions import Session
from harness.waiting import wait_until


@pytest.fixture
def system(version, pairs, engine_directory):
    source, target = new_databases(pairs.get(version), "change")
    system = FreshetSystem(source, target, engine_directory, tables=[Table("public", "t")])
    yield system
    system.retire()
    source.close()
    drop_database(source.server, source.name)


def rows(system, table: str) -> list:
    return system.target.query(f"SELECT id FROM {table} ORDER BY id")


def published(system) -> list:
    names = system.source.query(
        "SELECT tablename FROM pg_publication_tables WHERE pubname = %s ORDER BY 1", [system.slot]
    )
    return [name for (name,) in names]


def test_a_table_added_to_the_file_is_copied_and_followed(system):
    writer = Session("main", system.source.server.port, "app", CANARY, system.source.name)
    writer.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);")
    writer.run("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1);")
    system.start()
    system.wait_streaming()
    assert system.stop() == 0

    writer.run("INSERT INTO t VALUES (2); INSERT INTO u VALUES (2);")
    system.change_tables([Table("public", "t"), Table("public", "u")])
    system.start()
    system.wait_streaming()
    writer.run("INSERT INTO t VALUES (3); INSERT INTO u VALUES (3);")
    system.wait_position(system.source.barrier())
    assert rows(system, "t") == rows(system, "u") == [(1,), (2,), (3,)]
    assert published(system) == ["t", "u"]
    assert system.stop() == 0

    # One that was taken out is left alone, here as there.
    system.change_tables([Table("public", "u")])
    system.start()
    wait_until(lambda: published(system) == ["u"], "the publication follows")
    writer.run("INSERT INTO t VALUES (4); INSERT INTO u VALUES (4);")
    system.wait_position(system.source.barrier())
    assert rows(system, "t") == [(1,), (2,), (3,)]
    assert rows(system, "u") == [(1,), (2,), (3,), (4,)]
    assert system.stop() == 0

    # What it missed meanwhile is there when it comes back.
    system.change_tables([Table("public", "t"), Table("public", "u")])
    system.start()
    system.wait_streaming()
    system.wait_position(system.source.barrier())
    assert rows(system, "t") == rows(system, "u") == [(1,), (2,), (3,), (4,)]
    writer.close()


def change_while_away(system, *, before: dict, after: dict) -> None:
    """The table's definition changes while one set of destinations makes room for another."""
    system.source.query("CREATE TABLE t (id int PRIMARY KEY, a text)")
    system.source.query("ALTER TABLE t OWNER TO app")
    system.source.query("INSERT INTO t VALUES (1, 'a')")
    system.change_options(before)
    system.start()
    wait_until(
        lambda: "table is streaming" in system.log_text(), "t is streaming", describe=system.log_text
    )
    assert system.stop() == 0
    system.source.query("ALTER TABLE t DROP COLUMN a, ADD COLUMN b int DEFAULT 7")
    system.change_options(after)


def expect_as_it_is_now(system) -> None:
    system.start()
    system.wait_streaming()
    system.source.query("INSERT INTO t VALUES (2, 8)")
    system.wait_position(system.source.barrier())
    assert system.target.query("SELECT * FROM t ORDER BY id") == [(1, 7), (2, 8)]
    assert "warning" not in system.log_text(), system.log_text()
    assert system.stop() == 0


def test_a_destination_that_is_added_gets_tables_as_they_are_now(system):
    lines = {"url": f"jsonl:{system.directory / 'rows.jsonl'}"}
    change_while_away(
        system, before={"destinations": {"lines": lines}}, after={"destinations.lines": lines}
    )
    expect_as_it_is_now(system)


def test_a_destination_that_lost_all_it_had_gets_tables_as_they_are_now(system):
    lines = {"url": f"jsonl:{system.directory / 'rows.jsonl'}"}
    change_while_away(
        system, before={"destinations.lines": lines}, after={"destinations.lines": lines}
    )
    system.target.query("DROP TABLE t")
    system.target.query("DROP SCHEMA freshet CASCADE")
    expect_as_it_is_now(system)
