"""`freshet table`: one table is paused, resumed or copied again while the others go on."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from harness.database import difference
from harness.engine import run_once
from harness.environment import make_roles, url_of
from harness.freshet import FreshetSystem
from harness.lsn import format_lsn, parse_lsn
from harness.place import Place, place_fixture
from harness.scenario import Table
from harness.waiting import wait_until
from servers import Postgres

USAGE = 2
ROWS = 1000
TABLES = [Table("public", "t"), Table("public", "u")]


class Writer:
    """Inserts, updates and deletes rows of both tables until it is told to stop."""

    def __init__(self, source):
        self._source = source
        self._is_over = threading.Event()
        self._is_done = False
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert self._is_done, "the writer failed"

    def _write(self) -> None:
        number = ROWS
        with self._source.server.connect(self._source.name) as connection:
            while not self._is_over.wait(0.005):
                number += 1
                for table in TABLES:
                    connection.execute(f"INSERT INTO {table.name} VALUES (%s, 1)", [number])
                    connection.execute(f"UPDATE {table.name} SET v = v + 1 WHERE id % 100 = 7")
                    connection.execute(f"DELETE FROM {table.name} WHERE id = %s", [number - 300])
        self._is_done = True


class ControlPlace(Place):
    """Two tables with rows, an empty destination, and a pipeline between them."""

    def __init__(self, pair, directory):
        super().__init__(pair, "control", directory)
        self.writer: Writer | None = None
        for table in TABLES:
            self.source.query(f"CREATE TABLE {table.name} (id int PRIMARY KEY, v int)")
            self.source.query(f"ALTER TABLE {table.name} OWNER TO app")
            self.source.query(f"INSERT INTO {table.name} SELECT n, n FROM generate_series(1, {ROWS}) n")

    def make(self, tables=None, **more) -> FreshetSystem:
        tables = TABLES if tables is None else tables
        self.system = FreshetSystem(self.source, self.target, self.directory, tables=tables, **more)
        return self.system

    def control(self, verb: str, *tables: str, code: int = 0) -> str:
        return self.command("table", verb, str(self.system.config_path), *tables, code=code)

    def told(self) -> list[dict]:
        """Returns what `freshet status` says of each table and destination."""
        return json.loads(self.command("status", str(self.system.config_path), "--json"))["tables"]

    def status(self) -> dict[str, dict]:
        """The same, where there is one destination."""
        return {table["table"]: table for table in self.told()}

    def told_phases(self) -> dict[tuple[str, str], str]:
        return {(told["destination"], told["table"]): told["phase"] for told in self.told()}

    def recorded(self) -> dict[str, str]:
        """Returns the tables' phases as the destination has them."""
        there = self.target.value("SELECT to_regclass('freshet.tables') IS NOT NULL")
        return dict(self.target.query('SELECT "table", phase FROM freshet.tables')) if there else {}

    def wait_phase(self, table: str, phase: str) -> None:
        def has_phase() -> bool:
            self.system.check_alive()
            return self.recorded().get(table) == phase

        wait_until(has_phase, f"{table} is {phase}", describe=self.system.describe)

    def wait_acknowledged(self, lsn: int) -> None:
        asked = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s"
        wait_until(
            lambda: parse_lsn(self.source.value(asked, [self.system.slot])) >= lsn,
            f"the slot has passed {format_lsn(lsn)}", describe=self.system.describe,
        )

    def rows(self, table: str) -> object:
        return self.target.rows_of(Table("public", table), ("id", "v"))

    def expect_equal(self, *tables: str) -> None:
        """Once nobody writes any more."""
        if self.writer:
            self.writer.stop()
        super().expect_equal(*(Table("public", table) for table in tables))

    def close(self) -> None:
        if self.writer:
            self.writer.stop()
        super().close()


place = place_fixture(ControlPlace)


def test_a_paused_table_is_left_out_and_the_others_go_on(place):
    system = place.make()
    system.start()
    system.wait_streaming()
    place.writer = Writer(place.source)
    assert "within seconds" in place.control("pause", "public.u")
    place.wait_phase("u", "paused")
    assert place.recorded()["t"] == "streaming"
    frozen = place.rows("u")
    told = place.status()["u"]
    assert (told["phase"], told["wish"]) == ("paused", None)
    assert told["reason"] == "paused by `freshet table pause`"
    assert "paused already" in place.control("pause", "public.u")

    before = place.rows("t")
    system.wait_position(place.source.barrier())
    place.wait_acknowledged(place.source.barrier())
    assert place.rows("t") != before
    assert place.rows("u") == frozen

    system.kill()
    system.start()
    lsn = place.source.barrier()
    system.wait_position(lsn)
    place.wait_acknowledged(lsn)
    assert place.recorded() == {"t": "streaming", "u": "paused"}
    assert place.rows("u") == frozen

    place.control("resume", "public.u")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert place.status()["u"]["wish"] is None
    assert "not paused" in place.control("resume", "public.u")
    assert system.stop() == 0


def test_resync_mends_a_table_while_the_others_go_on(place):
    state = url_of(place.target.server.port, place.target.name, secret="${DESTINATION_PASSWORD}")
    system = place.make(options={"state": state})
    system.start()
    system.wait_streaming()
    place.writer = Writer(place.source)
    place.target.query("DELETE FROM u WHERE id < 500")
    place.control("resync", "public.u")
    wait_until(
        lambda: place.target.value("SELECT count(*) FROM u WHERE id < 500") > 400,
        "the rows are back", describe=system.describe,
    )
    system.wait_streaming()
    assert place.status()["u"]["wish"] is None
    place.expect_equal("t", "u")
    log = system.log_text()
    again = [line for line in log.splitlines() if "copying the table again" in line]
    assert again and all("table=public.u" in line for line in again), log
    assert log.count(" streaming slot=") == 1, "it began anew for it"
    assert system.stop() == 0


def test_a_table_that_was_set_aside_is_tried_again(place):
    system = place.make()
    place.target.query("CREATE TABLE u (id int PRIMARY KEY, v int CHECK (v < 10))")
    place.target.query("ALTER TABLE u OWNER TO app")
    system.start()
    place.wait_phase("u", "errored")

    # For nothing, while the cause is there.
    place.control("resync", "public.u")
    wait_until(
        lambda: system.log_text().count("was set aside") == 2, "it fails again",
        describe=system.describe,
    )
    place.source.query("INSERT INTO t VALUES (0, 0)")
    place.wait_phase("t", "streaming")
    place.expect_equal("t")
    assert place.status()["u"]["phase"] == "errored"
    assert place.status()["u"]["wish"] is None

    place.target.query("ALTER TABLE u DROP CONSTRAINT u_v_check")
    place.control("resync", "public.u")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0


@pytest.mark.parametrize("is_running", [True, False])
def test_a_table_that_cannot_be_emptied_is_set_aside(place, is_running):
    system = place.make()
    system.start()
    system.wait_streaming()
    place.target.query("CREATE TABLE mine (u int REFERENCES u)")
    if not is_running:
        assert system.stop() == 0
    place.control("resync", "public.u")
    if not is_running:
        system.start()
    place.wait_phase("u", "errored")
    assert sessions_begun_while_writing(place, ROWS, seconds=2) <= 1
    told = place.status()["u"]
    assert "foreign key" in told["reason"] and told["wish"] is None

    place.target.query("DROP TABLE mine")
    place.control("resync", "public.u")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0


def sessions_begun_while_writing(place, first: int, seconds: float = 4) -> int:
    """Writes to the other table, which is to arrive, and returns how often streaming began."""
    before = place.system.log_text().count(" streaming slot=")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        first += 1
        place.source.query("INSERT INTO t VALUES (%s, 0)", [first])
        place.settle()
    return place.system.log_text().count(" streaming slot=") - before


def test_a_table_that_may_not_be_read_keeps_its_wish_until_it_may(place):
    system = place.make()
    system.start()
    system.wait_streaming()
    place.source.query("REVOKE SELECT ON u FROM app")
    place.control("resync", "public.u")
    place.wait_phase("u", "errored")

    place.control("resync", "public.u")
    assert sessions_begun_while_writing(place, ROWS) <= 1
    told = place.status()["u"]
    assert (told["phase"], told["wish"]) == ("errored", "resync")
    assert "permission denied" in told["reason"] or "may not read" in told["reason"]

    place.source.query("GRANT SELECT ON u TO app")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert place.status()["u"]["wish"] is None
    assert system.stop() == 0


def test_a_table_under_row_level_security_is_set_aside_until_it_is_not(place):
    system = place.make()
    system.start()
    system.wait_streaming()
    assert system.stop() == 0
    place.source.query("ALTER TABLE u ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    system.start()
    place.wait_phase("u", "errored")
    assert sessions_begun_while_writing(place, ROWS) <= 1
    assert "row level security" in place.status()["u"]["reason"]

    place.source.query("ALTER TABLE u NO FORCE ROW LEVEL SECURITY")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0


def test_a_table_whose_condition_calls_what_the_role_may_not_waits_for_a_resync(place):
    place.source.query("CREATE FUNCTION is_wanted(int) RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    limited = {"name": "public.u", "copy_where": "public.is_wanted(v)"}
    system = place.make(options={"source.tables": ["public.t", limited]})
    system.start()
    system.wait_streaming()
    place.source.query("REVOKE EXECUTE ON FUNCTION is_wanted(int) FROM public")
    place.control("resync", "public.u")
    place.wait_phase("u", "errored")
    # One more or two: it can be read, after all. Then none.
    begun = [sessions_begun_while_writing(place, round * ROWS) for round in range(1, 5)]
    assert begun[-1] == 0, begun
    assert "is_wanted" in place.status()["u"]["reason"]

    place.source.query("GRANT EXECUTE ON FUNCTION is_wanted(int) TO app")
    place.control("resync", "public.u")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0


def damage(server, path: str) -> None:
    """Spoils the header of a table's first page, as a bad disk does."""
    server.stop()
    with (server.data / path).open("r+b") as heap:
        heap.write(b"\xff" * 64)
    server.start()


@pytest.mark.parametrize("mode", ["snapshot", "chunked"])
def test_a_table_that_the_source_cannot_read_is_set_aside(version, pairs, engine_directory, mode):
    with Postgres(version) as source:
        make_roles(source)
        pair = replace(pairs.get(version), source=source)
        place = ControlPlace(pair, engine_directory)
        system = place.make(options={"source.copy.mode": mode})
        try:
            damage(source, place.source.value("SELECT pg_relation_filepath('u')"))
            system.start()
            place.wait_phase("u", "errored")
            place.wait_phase("t", "streaming")
            place.source.query("INSERT INTO t VALUES (0, 0)")
            place.expect_equal("t")
            assert "invalid page" in place.status()["u"]["reason"]
            assert system.stop() == 0
        finally:
            place.close()


def test_rows_that_were_never_ours_stay(place):
    place.source.query("CREATE PUBLICATION pub FOR TABLE t")
    place.target.query("CREATE TABLE u (id int PRIMARY KEY, v int)")
    place.target.query("ALTER TABLE u OWNER TO app")
    place.target.query("INSERT INTO u VALUES (-1, -1)")
    system = place.make([], publications=["pub"])
    system.start()
    place.wait_phase("t", "streaming")
    place.source.query("ALTER PUBLICATION pub ADD TABLE u")

    def expect_set_aside(times: int) -> None:
        wait_until(
            lambda: system.log_text().count("was set aside") == times, "u is set aside again",
            describe=system.describe,
        )
        wait_until(lambda: place.status()["u"]["phase"] == "errored", "and told to be")
        place.source.query("UPDATE t SET v = v + 1")
        place.expect_equal("t")
        assert place.target.query("SELECT id, v FROM u") == [(-1, -1)]

    expect_set_aside(1)
    place.control("resync", "public.u")
    expect_set_aside(2)
    place.control("pause", "public.u")
    wait_until(lambda: place.status()["u"]["phase"] == "paused", "u is paused")
    place.control("resume", "public.u")
    expect_set_aside(3)
    assert system.stop() == 0
    system.start()
    expect_set_aside(4)
    assert system.stop() == 0


def test_wishes_wait_for_an_engine_that_does_not_run(place):
    system = place.make()
    system.write_config()
    assert "next start" in place.control("pause", "public.u")
    assert "public.u: not begun, to be paused" in place.control("list")
    system.start()
    place.wait_phase("t", "streaming")
    place.source.query("DELETE FROM u WHERE id < 100")
    place.expect_equal("t")
    assert "u" not in place.recorded()
    assert place.target.value("SELECT to_regclass('u') IS NULL")
    assert system.stop() == 0

    assert "next start" in place.control("resume", "public.u")
    assert "public.u → main: paused (paused by `freshet table pause`), to be copied again" in (
        place.control("list")
    )
    system.start()
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0
    assert "copying the table again" not in system.log_text(), "it was copied twice"

    place.target.query("DELETE FROM t WHERE id < 500")
    place.control("resync", "public.t")
    system.start()
    wait_until(lambda: place.target.value("SELECT count(*) FROM t") == ROWS, "the rows are back")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert place.status()["t"]["wish"] is None
    assert system.stop() == 0


def test_a_resync_that_is_killed_before_its_copy_is_not_forgotten(place):
    """At a destination that keeps no phases."""
    system = place.make(options={"destinations.main.url": "null:"})

    def wait_told(**phases: str) -> None:
        wanted = {("main", table): phase for table, phase in phases.items()}
        wait_until(
            lambda: system.check_alive() or place.told_phases() == wanted, f"{phases}",
            describe=system.describe,
        )

    system.start()
    wait_told(t="streaming", u="streaming")
    assert system.stop() == 0
    place.control("resync", "public.u")
    with place.source.server.connect(place.source.name, autocommit=False) as held:
        held.execute("SELECT pg_current_xact_id()")
        system.start()
        wait_until(
            lambda: system.check_alive() or place.status()["u"]["wish"] is None, "it was granted",
            describe=system.describe,
        )
        system.kill()
        assert place.status()["u"]["phase"] == "pending"
        held.rollback()
    system.start()
    wait_told(t="streaming", u="streaming")
    assert system.stop() == 0


def test_with_all_tables_paused_wal_is_released_and_a_sync_ends_well(place):
    system = place.make()
    system.start()
    system.wait_streaming()
    place.control("pause", "public.t", "public.u", "public.t")
    for table in ("t", "u"):
        place.wait_phase(table, "paused")
    for table in ("t", "u"):
        place.source.query(f"UPDATE {table} SET v = -v")
    place.wait_acknowledged(place.source.barrier())
    assert system.stop() == 0

    arguments = ["run", str(system.config_path), "--until", "caught-up"]
    code, output = run_once(arguments, place.directory, env=system.env, seconds=60)
    assert code == 0, output
    for table in ("public.t", "public.u"):
        assert f"is paused and was left out table={table}" in output

    place.control("resume", "public.t", "public.u")
    code, output = run_once(arguments, place.directory, env=system.env, seconds=60)
    assert code == 0 and "left out" not in output, output
    for table in TABLES:
        expected = place.source.rows_of(table, ("id", "v"))
        assert not difference(expected, place.rows(table.name))


def test_what_cannot_be_done_is_told_and_changes_nothing(place):
    system = place.make()
    system.write_config()
    output = place.control("pause", "public.t", "public.uu", code=USAGE)
    assert "did you mean `public.u`?" in output and "tables=public.t, public.u" in output
    assert output.count("error:") == 1
    assert "no table is named" in place.control("pause", code=USAGE)
    assert "to be paused" not in place.control("list")

    place.control("pause", "public.u")
    output = place.control("resync", "public.t", "public.u", code=USAGE)
    assert "freshet table resume" in output and "table=public.u" in output
    assert "public.t: not begun\n" in place.control("list")

    name = f"postgresql://127.0.0.1:{place.source.server.port}/x"
    inline = ["--source", name, "--to", "null:", "--state", "memory:", "--table", "t"]
    code, output = run_once(["table", "pause", *inline, "public.t"], place.directory)
    assert code == USAGE and "known to no other process" in output, output
    state = f"sqlite:{place.directory / 'inline.db'}"
    inline[5] = state
    code, output = run_once(["table", "pause", "t", *inline], place.directory)
    assert code == 0 and "public.t: to be paused" in output, output
    code, output = run_once(["table", "stop", "t", *inline], place.directory)
    assert code == USAGE, output


@pytest.mark.timeout(300)
def test_a_copy_that_was_under_way_does_not_go_on_with_old_chunks(place):
    place.source.query("INSERT INTO u SELECT n, n FROM generate_series(1001, 500000) n")
    options = {"source.copy.mode": "chunked", "source.copy.connections": 1}
    system = place.make(options=options)
    system.start()

    def chunks() -> int:
        system.check_alive()
        there = place.target.value("SELECT to_regclass('freshet.chunks') IS NOT NULL")
        asked = "SELECT count(*) FROM freshet.chunks WHERE \"table\" = 'u'"
        return place.target.value(asked) if there else 0

    wait_until(lambda: chunks() > 0, "a chunk of u is there", describe=system.describe)
    system.kill()
    assert place.recorded()["u"] == "copying", "the copy was over: use more rows"
    place.control("pause", "public.u")
    system.start()
    place.wait_phase("u", "paused")
    place.source.query("DELETE FROM u WHERE id % 3 = 0")
    place.expect_equal("t")
    place.control("resume", "public.u")
    system.wait_streaming()
    place.expect_equal("t", "u")
    assert system.stop() == 0


def test_a_drop_forgets_what_was_wanted(place):
    system = place.make()
    system.write_config()
    place.control("pause", "public.u")
    arguments = ["drop", "--yes", str(system.config_path)]
    code, output = run_once(arguments, place.directory, env=system.env)
    assert code == 0, output
    assert "to be paused" not in place.control("list")


def resets(lines: Path, table: str) -> int:
    """Returns how often the table was emptied there."""
    found = [json.loads(line) for line in lines.read_text().splitlines() if '"reset"' in line]
    return [change["table"] for change in found].count(f"public.{table}")


def test_what_one_destination_set_aside_is_copied_again_to_all(place):
    lines = place.directory / "rows.jsonl"
    system = place.make(options={"destinations.lines.url": f"jsonl:{lines}"})
    place.target.query("CREATE TABLE u (id int PRIMARY KEY, v int CHECK (v < 10))")
    place.target.query("ALTER TABLE u OWNER TO app")
    system.start()

    def wait_told(**phases: str) -> None:
        wanted = {(where, "t"): "streaming" for where in phases}
        wanted |= {(where, "u"): phase for where, phase in phases.items()}
        wait_until(
            lambda: system.check_alive() or place.told_phases() == wanted, f"u is {phases}",
            describe=system.describe,
        )

    wait_told(main="errored", lines="streaming")
    before = {table.name: resets(lines, table.name) for table in TABLES}
    place.target.query("ALTER TABLE u DROP CONSTRAINT u_v_check")
    place.control("resync", "public.u")
    wait_told(main="streaming", lines="streaming")
    copied = resets(lines, "u")
    assert copied > before["u"]
    place.control("pause", "public.u")
    wait_told(main="paused", lines="paused")
    place.source.query("UPDATE u SET v = -v")
    place.expect_equal("t")
    assert system.stop() == 0
    place.control("resume", "public.u")
    system.start()
    wait_told(main="streaming", lines="streaming")
    place.expect_equal("t", "u")
    assert resets(lines, "u") > copied and resets(lines, "t") == before["t"]
    assert system.stop() == 0
