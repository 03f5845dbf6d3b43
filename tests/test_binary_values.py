"""Values in binary form: what cannot be had that way is said before anything begins.

--full streams a bytea of 600 MiB, which as text is more than a server can send.
"""

import pytest
from conftest import chosen_versions
from harness.database import new_databases
from harness.environment import drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table

MIB = 1 << 20


@pytest.fixture
def databases(pairs, request):
    source, target = new_databases(pairs.get(chosen_versions(request.config)[-1]), "binary")
    yield source, target
    source.close()
    target.close()
    drop_database(source.server, source.name)


def table_of(where: str = "") -> Table:
    return Table(schema="public", name="t", where=where)


def start_refused(databases, directory, table: Table, **options) -> str:
    """Starts an engine that ends at once, and returns what it said; nothing may be left behind."""
    source, target = databases
    system = FreshetSystem(
        source, target, directory, tables=[table], options={"source.binary": True, **options}
    )
    system.start()
    assert system.process.wait(60) != 0
    assert source.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == 0
    assert target.value("SELECT to_regclass('public.t')") is None
    return system.log_text()


def make_table(databases) -> None:
    databases[0].query("CREATE TABLE t (id int PRIMARY KEY, v int, a text, b bytea)")
    databases[0].query("ALTER TABLE t ALTER b SET STORAGE EXTERNAL")
    databases[0].query("ALTER TABLE t OWNER TO freshet")


def test_a_filter_of_our_own_wants_text(databases, engine_directory):
    make_table(databases)
    said = start_refused(databases, engine_directory, table_of("v > 10"))
    assert "needs values as text" in said and "table=public.t" in said


def test_a_mask_of_a_number_wants_text(databases, engine_directory):
    make_table(databases)
    transforms = [{"table": "public.t", "mask": {"v": "hash"}}]
    said = start_refused(databases, engine_directory, table_of(), transforms=transforms)
    assert "as text" in said and "column=v" in said


@pytest.mark.parametrize(
    ("make", "column", "said"),
    [
        ("CREATE EXTENSION seg", "seg[]", "has no binary form of a type within a column's"),
        ("CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, m mood)", "pair",
         "holds a type's number, which differs by server"),
    ],
)  # fmt: skip
def test_a_type_that_no_binary_form_can_carry(databases, engine_directory, make, column, said):
    make_table(databases)
    for statement in make.split("; "):
        databases[0].query(statement)
    databases[0].query(f"ALTER TABLE t ADD c {column}")
    refused = start_refused(databases, engine_directory, table_of())
    assert said in refused and "table=public.t" in refused and "column=c" in refused


@pytest.mark.timeout(900)
def test_a_bytea_that_no_text_can_hold(request, databases, engine_directory):
    size = 600 * MIB if request.config.getoption("--full") else 20 * MIB
    source, target = databases
    make_table(databases)
    options = {"source.binary": True}
    system = FreshetSystem(source, target, engine_directory, tables=[table_of()], options=options)
    system.start()
    system.wait_streaming()
    source.query(f"INSERT INTO t (id, b) VALUES (1, convert_to(repeat('x', {size}), 'UTF8'))")
    system.wait_position(source.barrier(), seconds=300)
    assert target.value("SELECT length(b) FROM t") == size
    peak = system.process.memory_peak_bytes() / MIB
    print(f"{size // MIB} MiB: {peak:.0f} MiB at most")
    assert peak < 2 * size / MIB + 256
    assert system.stop() == 0
    if size < 512 * MIB:
        return
    system.change_options({})
    system.start()
    source.query("UPDATE t SET b = b || '\\x00' WHERE id = 1")
    assert system.process.wait(60) != 0
    said = system.log_text()
    assert "too large" in said and "table=public.t" in said and "after=" in said
    assert "source.binary" in said
