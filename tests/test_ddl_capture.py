"""DDL capture: how it is installed, what it must never do, and kills while definitions change."""

import json
import random
import re
import threading

import pytest
from harness.engine import capture_sql
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.scenario import Table

TABLES = [Table("public", "t"), Table("public", "u")]
PREFLIGHT = 3


class CapturePlace(Place):
    """Two tables of a hundred rows, and a pipeline."""

    def __init__(self, pair, directory):
        super().__init__(pair, "capture", directory)
        self.system = FreshetSystem(self.source, self.target, directory, tables=TABLES)
        self.system.write_config()
        for table in TABLES:
            self.source.query(f"CREATE TABLE {table.name} (id int PRIMARY KEY, v int, w text)")
            self.source.query(f"ALTER TABLE {table.name} OWNER TO app")
            self.source.query(f"INSERT INTO {table.name} SELECT n, n, 'w' FROM generate_series(1, 100) n")

    def install(self) -> None:
        self.source.query(capture_sql("install", self.directory))

    def command(self, *words: str, code: int = 0) -> str:
        return super().command(*words, str(self.system.config_path), code=code)

    def finding(self) -> dict:
        report = json.loads(self.command("check", "--json"))
        [found] = [f for f in report["findings"] if f["id"] == "ddl_capture"]
        return found

    def expect_equal(self) -> None:
        self.settle()
        for table in TABLES:
            columns = self.source.columns_of(table)
            assert self.target.columns_of(table) == columns or set(columns) == set(
                self.target.columns_of(table)
            )
            assert not self.difference(table, columns), self.system.describe()


place = place_fixture(CapturePlace)


def test_it_is_installed_found_and_removed(place):
    assert "not installed" in place.command("ddl-capture", "status")
    assert place.finding()["severity"] == "info"
    assert "superuser" in place.command("ddl-capture", "install", code=PREFLIGHT)
    for _ in range(2):
        place.install()
        assert "installed, version 1" in place.command("ddl-capture", "status")
    place.source.query("ALTER EVENT TRIGGER freshet_sql_drop DISABLE")
    assert place.finding()["severity"] == "warning"
    place.source.query(capture_sql("remove", place.directory))
    assert "not installed" in place.command("ddl-capture", "status")
    assert place.source.query("SELECT FROM pg_namespace WHERE nspname = 'freshet'") == []


def test_it_never_makes_a_statement_fail(place):
    place.install()
    function = place.source.value("SELECT pg_get_functiondef('freshet.capture_ddl()'::regprocedure)")
    place.source.query(function.replace("pg_inherits", "no_such_table"))
    place.source.query("ALTER TABLE t ADD COLUMN x int")
    place.source.query(function)
    writers = "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'pg_logical_emit_message'"
    for (writer,) in place.source.query(writers):
        place.source.query(f"REVOKE EXECUTE ON FUNCTION {writer} FROM PUBLIC")
    place.source.query("SET ROLE app")
    place.source.query("ALTER TABLE t ADD COLUMN y int")
    place.source.query("CREATE TEMP TABLE mine (a int)")
    place.source.query("ALTER TABLE mine ADD COLUMN b int")
    place.source.query("CREATE TYPE mood AS ENUM ('sad')")
    place.source.query("ALTER TABLE t ADD COLUMN z mood")
    place.source.query("DROP TYPE mood CASCADE")
    place.source.query("DROP TABLE mine")
    place.source.query("RESET ROLE")


def test_the_message_names_the_sub_transaction_that_may_be_undone(place):
    """Not another one's, which is later, and was committed before the table was changed."""
    place.install()
    place.source.query("SELECT pg_create_logical_replication_slot('peek', 'test_decoding')")
    with place.source.server.connect(place.source.name) as older:
        older.autocommit = False
        older.execute("UPDATE u SET v = 1 WHERE id = 1")
        older.execute("SAVEPOINT s")
        older.execute("UPDATE u SET v = 2 WHERE id = 2")
        [(subxid,)] = older.execute("SELECT xmin::text::bigint FROM u WHERE id = 2")
        place.source.query("ALTER TABLE t ADD COLUMN x int")
        older.execute("ALTER TABLE t ADD COLUMN y int DEFAULT 5")
        older.commit()
    messages = place.source.query(
        "SELECT data FROM pg_logical_slot_get_changes('peek', NULL, NULL) WHERE data LIKE '%prefix: freshet.ddl%'"
    )
    told = [int(re.search(r'"xid": (\d+)', message)[1]) for (message,) in messages]
    place.source.query("SELECT pg_drop_replication_slot('peek')")
    assert told == [subxid + 1, subxid]


def test_a_message_that_somebody_made_up_is_no_definition(place):
    place.install()
    place.system.start()
    place.system.wait_streaming()
    oid = place.source.value("SELECT 't'::regclass::oid::bigint")
    forged = {"version": 1, "xid": 1, "relation": oid, "schema": "public", "table": "t", "identity": "d",
              "definition": "x", "files": "", "columns": [["id", 1]]}  # fmt: skip
    for content in ("", "{", "[1, 2]", "\u0000", json.dumps(forged), json.dumps(forged | {"version": 2})):
        place.source.query("SELECT pg_logical_emit_message(true, 'freshet.ddl', %s::bytea)", [content.encode()])
    place.source.query("UPDATE t SET v = 0 WHERE id = 1")
    place.expect_equal()


class Forger:
    """Writes what the triggers would, had `t` been changed; anybody may."""

    def __init__(self, place: CapturePlace):
        self._source = place.source
        self._oid = self._source.value("SELECT 't'::regclass::oid::bigint")
        self.columns = [
            ["id", 1, 23, -1, "integer", True, False, True, 1, True, None],
            ["v", 2, 23, -1, "integer * 0", False, False, True, 0, False, None],
            ["w", 3, 25, -1, "text); CREATE TABLE public.forged (); --", False, False, True, 0, False, None],
        ]

    def write(self, columns: list[list], definition: str = "x", files: str = "1:1", **others) -> None:
        forged = {
            "version": 1, "xid": 1, "relation": self._oid, "schema": "public", "table": "t", "identity": "d",
            "definition": definition, "files": files, "columns": columns,
        }  # fmt: skip
        self._source.query("SET ROLE app")
        self._source.query(
            "SELECT pg_logical_emit_message(true, 'freshet.ddl', %s::bytea)", [json.dumps(forged | others).encode()]
        )
        self._source.query("RESET ROLE")

    def write_all(self) -> None:
        key, v, w = self.columns
        added = ["forged", 4, 23, -1, "int; CREATE TABLE public.forged (); --", False, False, True, 0, False, "7"]
        self.write([key, v])
        self.write([key, v, w, added])
        self.write([key, v[:1] + [3] + v[2:], w[:1] + [2] + w[2:]])
        self.write([key, ["v", 2, 25, *v[3:]], w])
        self.write([key, ["renamed", *v[1:]], w])
        self.write([key, v, w[:1] + [4] + w[2:]])
        self.write(self.columns, relation=self._source.value("SELECT 'u'::regclass::oid::bigint"))
        self.write(self.columns, self.definition())
        self.write(self.columns)

    def definition(self) -> str:
        return self._source.value(
            "SELECT md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum)) || ' ' ||"
            " (SELECT oid FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p')"
            " FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
        )


@pytest.mark.parametrize("is_installed", [True, False], ids=["installed", "not installed"])
def test_a_forged_definition_changes_nothing(place, is_installed):
    place.system.change_tables([Table("public", "t", where="v > 0"), TABLES[1]])  # filtered by Freshet
    place.system.write_config()
    if is_installed:
        place.install()
    place.system.start()
    place.system.wait_streaming()
    forger = Forger(place)
    forger.write_all()
    place.source.query("UPDATE t SET v = 1000 WHERE id = 1")
    place.expect_equal()
    forger.write_all()
    place.source.query("ANALYZE t")  # has the server describe the table again
    place.source.query("UPDATE t SET v = 1000 + v, w = 'new' WHERE id > 90")
    place.source.query("INSERT INTO t VALUES (101, 1, 'inserted')")
    place.expect_equal()
    assert place.target.columns_of(TABLES[0]) == ("id", "v", "w")
    for database in (place.source, place.target):
        assert database.value("SELECT to_regclass('public.forged')") is None
    assert "copying the table again" not in place.system.log_text()
    if is_installed:  # and what is true is followed after it
        place.source.query("ALTER TABLE t DROP COLUMN w, ADD COLUMN w text DEFAULT 'again'")
        place.expect_equal()


class Changer:
    """Changes rows and definitions of both tables, in transactions with savepoints, until told to stop."""

    def __init__(self, source, seed: int):
        self._source = source
        self._random = random.Random(seed)
        self._is_over = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive() and self._error is None, self._error

    def _run(self) -> None:
        try:
            with self._source.server.connect(self._source.name) as connection:
                connection.autocommit = False
                while not self._is_over.wait(0.02):
                    for _ in range(self._random.randint(1, 4)):
                        self._change(connection, self._random.choice(["t", "u"]))
                    connection.commit() if self._random.random() < 0.9 else connection.rollback()
        except Exception as error:  # told by stop()
            self._error = error

    def _change(self, connection, table: str) -> None:
        number = self._random.randint(1, 100)
        column, kind = self._random.choice([("v", "int"), ("w", "text")])
        again = [
            f"ALTER TABLE {table} DROP COLUMN {column}",
            f"ALTER TABLE {table} ADD COLUMN {column} {kind}" + self._random.choice(["", f" DEFAULT '{number}'"]),
        ]
        exchange = [
            f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}" for old, new in (("v", "x"), ("w", "v"), ("x", "w"))
        ]
        rows = [f"UPDATE {table} SET {column} = '{number}' WHERE id % 7 = {number % 7}"]
        chosen = self._random.choice([again, rows, rows, [*rows, *again, *rows]])
        if table == "u":  # whose columns are both text, once they were exchanged
            connection.execute("ALTER TABLE u ALTER COLUMN v TYPE text, ALTER COLUMN w TYPE text")
            chosen = self._random.choice([rows, exchange, [*rows, *exchange, *rows]])
        is_undone = self._random.random() < 0.2
        if is_undone:
            connection.execute("SAVEPOINT s")
        for statement in chosen:
            connection.execute(statement)
        if is_undone:
            connection.execute("ROLLBACK TO s")


def test_kills_while_definitions_change(place, seed, pytestconfig):
    place.install()
    for statement in ("ALTER TABLE u ALTER COLUMN v TYPE text", "TRUNCATE u"):
        place.source.query(statement)
    place.source.query("INSERT INTO u SELECT n, 'v', 'w' FROM generate_series(1, 100) n")
    place.system.start()
    place.system.wait_streaming()
    for kill in range(pytestconfig.getoption("--kills")):
        changer = Changer(place.source, seed + kill)
        threading.Event().wait(random.uniform(0.2, 1.5))
        place.system.kill()
        threading.Event().wait(random.uniform(0, 0.3))
        place.system.start()
        threading.Event().wait(random.uniform(0, 1))
        changer.stop()
        place.expect_equal()
    assert not re.search("made anew or rewritten|is not followed", place.system.log_text())
