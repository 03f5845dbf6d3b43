"""`schema: full`: indexes, constraints, defaults and identity as at the source, and what they may not stop."""

import re
import threading

import pytest
from harness.engine import run_once
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.proxy import HoldingProxy
from harness.scenario import Table
from harness.waiting import wait_until

USAGE = 2
PARENT = Table("public", "parent")
CHILD = Table("public", "child")
MORE = Table("other place", "Odd name")
TABLES = (PARENT, CHILD, MORE)

SCHEMA = [
    'CREATE SCHEMA "other place" AUTHORIZATION app',
    "CREATE SEQUENCE counter INCREMENT BY 5 START WITH 10",
    """CREATE TABLE parent (
         id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 2) PRIMARY KEY,
         code text COLLATE "C" NOT NULL CONSTRAINT code_once UNIQUE,
         slot int CONSTRAINT slot_once UNIQUE DEFERRABLE INITIALLY DEFERRED,
         span int4range, v int DEFAULT 8, big text,
         CONSTRAINT apart EXCLUDE USING gist (span WITH &&))""",
    "ALTER TABLE parent ADD CONSTRAINT v_small CHECK (v < 1000)",
    "ALTER TABLE parent ADD CONSTRAINT v_even CHECK (v % 2 = 0) NOT VALID",
    """CREATE TABLE child (
         id serial PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent ON DELETE CASCADE,
         before_id int CONSTRAINT chain REFERENCES child DEFERRABLE,
         counted int DEFAULT nextval('counter'), at timestamptz DEFAULT now(),
         note text DEFAULT 'it''s', tags text[])""",
    "CREATE INDEX child_parent ON child (parent_id) INCLUDE (id)",
    "CREATE INDEX child_note ON child (lower(note) text_pattern_ops DESC NULLS LAST)"
    " WHERE note <> 'x'",
    "CREATE INDEX child_tags ON child USING gin (tags)",
    "CREATE UNIQUE INDEX child_pair ON child (parent_id, (upper(note)))",
    """CREATE TABLE "other place"."Odd name" ("The key" int NOT NULL, "V" text)""",
    """CREATE UNIQUE INDEX "Its ""index" ON "other place"."Odd name" ("The key")""",
    """ALTER TABLE "other place"."Odd name" REPLICA IDENTITY USING INDEX "Its ""index\"""",
]
ROWS = [
    "INSERT INTO parent (code, slot, span, v)"
    " SELECT 'c' || n, n, int4range(n, n + 1), 2 * (n % 100) FROM generate_series(1, 500) n",
    "INSERT INTO child (parent_id, note, tags)"
    " SELECT 98 + 2 * n, 'n' || n, ARRAY['t' || n] FROM generate_series(1, 500) n",
    """INSERT INTO "other place"."Odd name" SELECT n, 'v' FROM generate_series(1, 10) n""",
]

# What a table has, as the catalogue tells it; the destination's own indexes of ours are no part.
INDEXES = """
    SELECT c.relname, pg_get_indexdef(c.oid), i.indisvalid, i.indisreplident
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = %s::text::regclass AND c.relname NOT LIKE '%%\\_freshet\\_key' ORDER BY 1"""
CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
    WHERE conrelid = %s::text::regclass AND conparentid = 0 AND contype <> 'n' ORDER BY 1"""
COLUMNS = """
    SELECT a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity <> ''
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
SEQUENCES = """
    SELECT schemaname, sequencename, data_type::text, start_value, increment_by, last_value
    FROM pg_sequences WHERE schemaname <> 'freshet' ORDER BY 1, 2"""


def regclass(table: Table) -> str:
    return f'"{table.schema}"."{table.name}"'


class SchemaPlace(Place):
    def __init__(self, pair, directory):
        super().__init__(pair, "full_schema", directory)
        for statement in SCHEMA + ROWS:
            self.source.query(statement)
        for table in TABLES:
            self.source.query(f"ALTER TABLE {regclass(table)} OWNER TO app")
        self.source.query("ALTER SEQUENCE counter OWNER TO app")
        self.let_foreign_keys(True)

    def let_foreign_keys(self, may: bool) -> None:
        """Where no role may be given that right, Freshet's is a superuser."""
        parameter = "SET ON PARAMETER session_replication_role"
        if self.target.server.version < 15:
            self.target.query(f"ALTER ROLE freshet {'SUPERUSER' if may else 'NOSUPERUSER'}")
        elif may:
            self.target.query(f"GRANT {parameter} TO freshet")
        else:
            self.target.query(f"REVOKE {parameter} FROM freshet")

    def close(self) -> None:
        self.let_foreign_keys(False)  # other tests share the servers
        super().close()

    def make(self, tables=TABLES, **options) -> FreshetSystem:
        options = {"destinations.main.schema": "full"} | options
        self.system = FreshetSystem(
            self.source, self.target, self.directory, tables=list(tables), options=options
        )
        return self.system

    def start(self, **more) -> FreshetSystem:
        system = self.make(**more)
        system.start()
        system.wait_streaming()
        return system

    def states(self) -> dict[str, int]:
        rows = self.target.query("SELECT state, count(*) FROM freshet.table_objects GROUP BY 1")
        return dict(rows)

    def wait_built(self, **wanted: int) -> None:
        def is_built() -> bool:
            self.system.check_alive()
            states = self.states()
            left = states.get("wanted", 0) + states.get("building", 0)
            return bool(states) and left == wanted.get("wanted", 0)

        wait_until(is_built, "all is built", describe=self.system.describe)

    def expect_equal_schema(self, *tables: Table) -> None:
        for table in tables:
            for query in (INDEXES, CONSTRAINTS, COLUMNS):
                expected = self.source.query(query, [regclass(table)])
                found = self.target.query(query, [regclass(table)])
                assert found == expected, self.system.describe()

    def warnings(self) -> list[str]:
        return [
            line for line in self.system.log_text().splitlines()
            if "cannot be made at the destination" in line or "is left out at the destination" in line
        ]


place = place_fixture(SchemaPlace)


def test_both_ends_have_the_same(place):
    system = place.start()
    place.wait_built()
    assert set(place.states()) == {"built"}, place.states()
    place.expect_equal_schema(*TABLES)
    assert place.target.query(SEQUENCES) == place.source.query(SEQUENCES)
    assert not place.warnings()
    # An application can go on here; rows of the source still come.
    place.target.query("INSERT INTO parent (code) VALUES ('here')")
    assert place.target.value("SELECT id FROM parent WHERE code = 'here'") == 1100
    assert place.target.value(
        "SELECT attidentity FROM pg_attribute"
        " WHERE attrelid = 'parent'::regclass AND attname = 'id'"
    ) in ("d", b"d")
    place.target.query("DELETE FROM parent WHERE code = 'here'")
    place.source.query("UPDATE parent SET v = v + 2 WHERE id < 200")
    place.expect_equal(*TABLES)
    assert system.stop() == 0

    # Built once: a restart finds nothing to do.
    before = place.target.query("SELECT oid, relname FROM pg_class WHERE relkind = 'i' ORDER BY 1")
    system.start()
    system.wait_streaming()
    place.settle()
    after = place.target.query("SELECT oid, relname FROM pg_class WHERE relkind = 'i' ORDER BY 1")
    assert after == before
    assert system.stop() == 0


def test_orders_that_constraints_would_forbid(place):
    """What is netted and sent table by table passes states that the source never had."""
    system = place.start()
    place.wait_built()
    changes = [
        # Child before parent in the batch's order, and the other way round.
        "BEGIN; INSERT INTO parent (code) VALUES ('p'); INSERT INTO child (parent_id, note)"
        " SELECT id, 'of p' FROM parent WHERE code = 'p'; COMMIT",
        "BEGIN; DELETE FROM child WHERE parent_id = 100; DELETE FROM parent WHERE id = 100; COMMIT",
        "DELETE FROM parent WHERE id = 102",  # cascades
        # Values that rows hand on to each other.
        "BEGIN; UPDATE parent SET code = 'tmp' WHERE id = 104;"
        " UPDATE parent SET code = 'c3' WHERE id = 106; UPDATE parent SET code = 'c4' WHERE id = 104;"
        " COMMIT",
        "BEGIN; UPDATE parent SET span = NULL WHERE id = 108;"
        " UPDATE parent SET span = int4range(5, 6) WHERE id = 110;"
        " UPDATE parent SET span = int4range(6, 7) WHERE id = 108; COMMIT",
        "UPDATE parent SET slot = 501 - slot",  # deferred: rows share values on the way
        "BEGIN; DELETE FROM child WHERE id = 10; INSERT INTO child (id, parent_id, note)"
        " SELECT 9000, 118, 'n10'; COMMIT",
        "INSERT INTO child (id, parent_id, before_id, note) VALUES (9001, 120, 9002, 'chain'),"
        " (9002, 120, NULL, 'end')",
    ]
    for change in changes:
        place.source.query(change)
    for number in range(300):
        place.source.query(
            "BEGIN;"
            f" INSERT INTO parent (id, code) OVERRIDING SYSTEM VALUE VALUES ({5000 + number}, 'm{number}');"
            f" INSERT INTO child (parent_id, note) VALUES ({5000 + number}, 'a{number}');"
            f" DELETE FROM child WHERE parent_id = {4999 + number};"
            f" DELETE FROM parent WHERE id = {4999 + number}; COMMIT"
        )
    place.source.query("TRUNCATE parent, child")
    place.source.query("INSERT INTO parent (code) VALUES ('last')")
    place.source.query("INSERT INTO child (parent_id) SELECT id FROM parent")
    place.expect_equal(*TABLES)
    place.expect_equal_schema(*TABLES)
    assert "set aside" not in system.log_text()
    assert system.stop() == 0


def test_foreign_keys_stand_only_while_both_tables_are_followed(place):
    system = place.start()
    place.wait_built()

    def table(verb: str, name: str) -> None:
        code, output = run_once(
            ["table", verb, str(system.config_path), name], place.directory, env=system.env
        )
        assert code == 0, output

    def foreign_keys() -> list[str]:
        rows = place.target.query(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1"
        )
        return [name for (name,) in rows]

    both = ["chain", "child_parent_id_fkey"]
    assert foreign_keys() == both
    table("pause", "public.child")
    wait_until(lambda: foreign_keys() == [], "foreign keys are gone", describe=system.describe)
    place.source.query("TRUNCATE parent CASCADE")  # the child's rows stay at the destination
    place.source.query("INSERT INTO parent (code) VALUES ('new')")
    place.expect_equal(PARENT)
    table("resume", "public.child")
    wait_until(lambda: foreign_keys() == both, "foreign keys are back", describe=system.describe)
    place.wait_built()
    place.expect_equal(*TABLES)
    place.expect_equal_schema(*TABLES)

    table("resync", "public.parent")
    place.source.query("INSERT INTO child (parent_id) SELECT id FROM parent")
    wait_until(
        lambda: "copying the table again" in system.log_text() or foreign_keys() != both,
        "the copy began", describe=system.describe,
    )
    wait_until(lambda: foreign_keys() == both, "foreign keys are back", describe=system.describe)
    place.wait_built()
    # A referenced column goes: what needs it goes first.
    place.source.query("ALTER TABLE parent DROP COLUMN v")
    place.source.query("INSERT INTO parent (code) VALUES ('without v')")
    place.settle()
    wait_until(lambda: foreign_keys() == both, "foreign keys are back", describe=system.describe)
    place.wait_built()
    place.expect_equal(*TABLES)
    assert place.target.query(CONSTRAINTS, ["parent"]) == place.source.query(CONSTRAINTS, ["parent"])
    assert system.stop() == 0


def test_what_cannot_be_made_stops_nothing(place):
    for statement in (
        "CREATE FUNCTION public.mine(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
        "CREATE INDEX child_mine ON child (public.mine(note))",
        "ALTER TABLE child ADD CONSTRAINT mine_check CHECK (public.mine(note) <> 'never')",
        "CREATE TABLE elsewhere (id int PRIMARY KEY)",
        "ALTER TABLE child ADD COLUMN elsewhere_id int CONSTRAINT away REFERENCES elsewhere",
        "ALTER TABLE parent ALTER big SET DEFAULT public.mine('x')",
    ):
        place.source.query(statement)
    place.target.query("CREATE VIEW child_tags AS SELECT 1")
    system = place.start(
        **{"transforms": [{"table": "public.parent", "mask": {"code": "redact"}}]}
    )
    place.wait_built()
    failed = place.target.query(
        "SELECT kind, name FROM freshet.table_objects WHERE state = 'failed' ORDER BY 1, 2"
    )
    assert failed == [
        ("constraint", "mine_check"), ("default", "big"), ("index", "child_mine"),
        ("index", "child_tags"), ("validation", "mine_check"),
    ], system.log_text()
    told = "\n".join(place.warnings())
    for name in ("mine_check", "big", "child_mine", "child_tags", "away", "code_once"):
        assert len(re.findall(rf"object={name}\b", told)) == 1, told
    assert "table=public.child" in told and "mine(text) does not exist" in told
    place.source.query("INSERT INTO parent (code) VALUES ('a'), ('b')")
    place.source.query("INSERT INTO child (parent_id) VALUES (200)")
    place.expect_equal(CHILD)
    code, output = run_once(["check", str(system.config_path)], place.directory, env=system.env)
    assert code == 0 and "child_mine" in output and "mine(text) does not exist" in output, output

    # Mended, then started again.
    place.target.query("CREATE FUNCTION public.mine(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'")
    place.target.query("DROP VIEW child_tags")
    assert system.stop() == 0
    system.start()
    system.wait_streaming()
    wait_until(lambda: set(place.states()) == {"built"}, "all is built", describe=system.describe)
    assert system.stop() == 0


def test_a_lock_that_is_not_to_be_had_is_told(place):
    mine = "CREATE FUNCTION public.mine(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'"
    place.source.query(mine)
    place.source.query("ALTER TABLE parent ALTER big SET DEFAULT public.mine('x')")
    system = place.start()
    place.wait_built()
    assert place.states()["failed"] == 1
    assert system.stop() == 0
    place.target.query(mine)
    with place.target.server.connect(place.target.name) as reader:
        reader.execute("SET application_name = 'a long report'")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM parent")
        system.start()
        system.wait_streaming()
        wait_until(
            lambda: "waits for a lock" in system.log_text(), "it is told", describe=system.describe
        )
        [told] = [line for line in system.log_text().splitlines() if "waits for a lock" in line]
        assert "table=public.parent" in told and "object=big" in told, told
        code, output = run_once(
            ["check", str(system.config_path)], place.directory, env=system.env
        )
        assert code == 0 and "default big is not made yet" in output, output
        place.source.query("INSERT INTO parent (code) VALUES ('meanwhile')")
        place.expect_equal(PARENT)
        reader.execute("ROLLBACK")
    wait_until(lambda: set(place.states()) == {"built"}, "all is built", describe=system.describe)
    assert system.stop() == 0


def test_rows_that_do_not_fit_leave_a_foreign_key_unvalidated(place):
    few = Table("public", "parent", where="id < 300")
    place.start(tables=(few, CHILD))
    place.wait_built()
    assert place.target.query(
        "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    ) == [("chain", True), ("child_parent_id_fkey", False)]
    [warning] = place.warnings()
    assert "kind=validation" in warning and "object=child_parent_id_fkey" in warning


def test_without_the_right_foreign_keys_are_left_out(place, version):
    if version < 15:
        pytest.skip("a superuser has all rights")
    place.let_foreign_keys(False)
    place.start()
    place.wait_built()
    assert place.target.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 0
    assert len(place.warnings()) == 2
    assert all("session_replication_role" in line for line in place.warnings())
    code, output = run_once(
        ["check", str(place.system.config_path)], place.directory, env=place.system.env
    )
    assert code == 0 and "session_replication_role" in output, output
    place.expect_equal_schema(PARENT, MORE)


def test_what_the_source_gave_up_does_not_refuse_its_rows(place):
    counted, other, log = (Table("public", name) for name in ("counted", "other", "a_log"))
    for table in ("counted", "other"):
        place.source.query(
            f"CREATE TABLE {table} (id int PRIMARY KEY, v int DEFAULT 8,"
            " seq int GENERATED ALWAYS AS IDENTITY)"
        )
        place.source.query(f"INSERT INTO {table} SELECT n FROM generate_series(1, 3) n")
    place.source.query("CREATE TABLE a_log (LIKE child INCLUDING DEFAULTS)")  # its child's sequence
    place.source.query("ALTER TABLE a_log ADD PRIMARY KEY (id)")
    for table in (counted, other, log):
        place.source.query(f"ALTER TABLE {regclass(table)} OWNER TO app")
    tables = (*TABLES, counted, other, log)
    system = place.start(tables=tables)
    place.wait_built()
    assert set(place.states()) == {"built"}, place.states()
    place.expect_equal_schema(*tables)

    place.source.query("ALTER TABLE counted ALTER seq DROP IDENTITY, ALTER seq DROP NOT NULL")
    place.source.query("UPDATE counted SET seq = NULL WHERE id = 1")
    place.source.query("ALTER TABLE other ALTER seq DROP IDENTITY")
    place.source.query("ALTER TABLE other ALTER seq TYPE text")
    place.source.query("INSERT INTO other VALUES (4, 4, 'four')")
    wait_until(
        lambda: place.target.value("SELECT count(*) FROM other") == 4, "it is copied again",
        describe=system.describe,
    )
    system.wait_streaming()
    place.expect_equal(*tables)
    place.wait_built()
    place.expect_equal_schema(counted, other)
    assert system.stop() == 0
    system.start()
    system.wait_streaming()

    # A table that is copied again has what the source has by then.
    place.source.query("ALTER TABLE counted ALTER v SET DEFAULT 9")
    place.source.query("ALTER TABLE parent ALTER v DROP DEFAULT, ALTER id DROP IDENTITY")
    for name in ("public.counted", "public.parent"):
        code, output = run_once(
            ["table", "resync", str(system.config_path), name], place.directory, env=system.env
        )
        assert code == 0, output

    def columns(database) -> list:
        return [database.query(COLUMNS, [name]) for name in ("counted", "parent")]

    wait_until(
        lambda: columns(place.target) == columns(place.source), "defaults are as at the source",
        describe=system.describe,
    )
    system.wait_streaming()
    place.expect_equal(*tables)
    assert system.stop() == 0


def test_a_truncate_that_the_source_allows(place):
    for statement in (
        "ALTER TABLE child ADD COLUMN code text REFERENCES parent (code)",
        "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey",
    ):
        place.source.query(statement)
    system = place.start()
    # The child comes first, its parent's unique key later.
    place.wait_built()
    assert set(place.states()) == {"built"}, place.states()
    place.expect_equal_schema(*TABLES)
    place.source.query("ALTER TABLE child DROP CONSTRAINT child_code_fkey")
    place.source.query("TRUNCATE parent")
    place.expect_equal(*TABLES)
    place.wait_built()
    place.source.query("INSERT INTO parent (code) VALUES ('new')")
    place.source.query("BEGIN; TRUNCATE parent; INSERT INTO parent (code) VALUES ('newer'); COMMIT")
    place.expect_equal(*TABLES)
    place.wait_built()
    assert set(place.states()) == {"built"}, place.states()
    assert system.stop() == 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["snapshot", "chunked"])
def test_kills_while_building(place, request, mode):
    place.source.query(
        "INSERT INTO child (parent_id, note) SELECT 100, 'm' || n FROM generate_series(1, 20000) n"
    )
    system = place.make(**{"source.copy.mode": mode})
    system.start()
    is_over = threading.Event()

    def write() -> None:
        number = 100_000
        with place.source.server.connect(place.source.name) as connection:
            while not is_over.wait(0.005):
                number += 1
                connection.execute(
                    "INSERT INTO child (id, parent_id, note) VALUES (%s, 102, %s)",
                    [number, f"w{number}"],
                )
                connection.execute("UPDATE child SET note = note || '!' WHERE id = %s", [number])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    is_recorded = "SELECT to_regclass('freshet.table_objects') IS NOT NULL"
    wait_until(lambda: place.target.value(is_recorded), "set up", describe=system.describe)
    for kill in range(request.config.getoption("--kills") * 2):
        # At another moment of building each time, as long as there is something to build.
        wait_until(
            lambda least=2 * kill: place.states().get("built", 0) >= least
            or (place.states() and "wanted" not in place.states()),
            "some are built", describe=system.describe,
        )
        system.kill()
        system.start()
    system.wait_streaming()
    place.wait_built()
    is_over.set()
    writer.join(60)
    assert set(place.states()) == {"built"}, place.states()
    place.expect_equal_schema(*TABLES)
    place.expect_equal(*TABLES)
    assert not place.warnings()
    assert system.stop() == 0


REFUSE_OBJECTS = (
    """CREATE FUNCTION refuse_objects() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure'; END $$""",
    "CREATE TRIGGER refuse BEFORE INSERT ON freshet.table_objects EXECUTE FUNCTION refuse_objects()",
    "ALTER TABLE freshet.table_objects ENABLE ALWAYS TRIGGER refuse",
)


@pytest.mark.parametrize("mode", ["snapshot", "chunked"])
def test_an_error_as_a_copy_ends(place, mode):
    system = place.make(**{"source.copy.mode": mode})
    proxy = HoldingProxy(place.source.server.port)
    try:
        proxy.hold(r"^COPY |\bCOPY .* TO STDOUT")
        system.start(source_port=proxy.port)
        proxy.wait_held()
        for statement in REFUSE_OBJECTS:
            place.target.query(statement)
        proxy.release()
        wait_until(lambda: "not now" in system.log_text(), "refused", describe=system.describe)
        place.target.query("DROP FUNCTION refuse_objects CASCADE")
        system.wait_streaming()
        place.wait_built()
        place.source.query("UPDATE parent SET v = v + 2 WHERE id < 200")
        place.expect_equal(*TABLES)
        place.expect_equal_schema(*TABLES)
        assert system.stop() == 0
    finally:
        proxy.close()


# In the order in which they come, table by table.
STEPS = (
    "REPLICA IDENTITY USING", "CREATE SEQUENCE", "SELECT setval", "SET DEFAULT nextval",
    "CREATE UNIQUE INDEX CONCURRENTLY", "CREATE INDEX CONCURRENTLY", "REFERENCES",
    "VALIDATE CONSTRAINT", "ADD GENERATED", "EXCLUDE USING", "UNIQUE USING INDEX", "VALIDATE",
)


@pytest.mark.timeout(600)
def test_a_kill_at_each_step(place):
    system = place.make()
    proxy = HoldingProxy(place.target.server.port)
    try:
        for step in STEPS:
            proxy.hold(step)
            system.start(destination_port=proxy.port)
            proxy.wait_held()
            system.kill()
            proxy.release()  # the server may finish what nobody waits for any more
        system.start()
        system.wait_streaming()
        place.wait_built()
    finally:
        proxy.close()
    assert set(place.states()) <= {"built", "found"}, place.states()
    assert not place.warnings()
    place.expect_equal_schema(*TABLES)
    assert place.target.query(SEQUENCES) == place.source.query(SEQUENCES)
    place.source.query("UPDATE parent SET v = v + 2 WHERE id < 200")
    place.expect_equal(*TABLES)


def test_only_a_postgres_destination_has_a_schema(place):
    system = place.make(**{"destinations.main": {"url": "null:", "schema": "full"}})
    system.write_config()
    assert "only a PostgreSQL destination" in place.command(
        "check", str(system.config_path), code=USAGE
    )
    system = place.make(**{"destinations.main.schema": "ful"})
    system.write_config()
    assert "full" in place.command("check", str(system.config_path), code=USAGE)
