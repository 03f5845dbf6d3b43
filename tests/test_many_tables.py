"""Many small tables: what each costs at start decides.

By default 600 tables of 10 rows; --full takes the 10,000 of the promise, within a minute.
"""

import time

import pytest
from conftest import chosen_versions
from harness.database import Database, new_databases
from harness.environment import drop_database
from harness.freshet import FreshetSystem
from harness.waiting import wait_until

ROWS = 10
SECONDS_MAX_FULL = 60


def make_tables(database: Database, count: int) -> None:
    for first in range(0, count, 500):
        database.query(f"""
            DO $$ BEGIN FOR n IN {first}..{min(first + 500, count) - 1} LOOP
              EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text)', n);
              EXECUTE format('INSERT INTO t%s SELECT i, ''row '' || i FROM generate_series(1, {ROWS}) i', n);
              EXECUTE format('GRANT ALL ON t%s TO freshet, app', n);
            END LOOP; END $$""")
    database.query("CREATE PUBLICATION everything FOR ALL TABLES")


def is_streaming(system: FreshetSystem, count: int) -> bool:
    system.check_alive()
    phases = system.phases()
    return len(phases) == count and set(phases) == {"streaming"}


@pytest.mark.timeout(900)
def test_many_tables(request, pairs, engine_directory):
    is_full = request.config.getoption("--full")
    count = 10_000 if is_full else 600
    source, target = new_databases(pairs.get(chosen_versions(request.config)[-1]), "many")
    make_tables(source, count)
    system = FreshetSystem(source, target, engine_directory, tables=[],
                           publications=["everything"])
    began = time.monotonic()
    system.start()
    wait_until(lambda: is_streaming(system, count), "all tables are streaming", seconds=600,
               describe=system.describe)
    seconds = time.monotonic() - began
    print(f"{count} tables streaming after {seconds:.1f} s")

    # One transaction touches them all.
    source.query(f"""DO $$ BEGIN FOR n IN 0..{count - 1} LOOP
        EXECUTE format('UPDATE t%s SET v = ''changed'' WHERE id = 1', n); END LOOP; END $$""")
    began = time.monotonic()
    # Each table's first change asks for its definition: some milliseconds, once.
    system.wait_position(source.barrier(), seconds=300)
    print(f"a transaction over all of them arrived after {time.monotonic() - began:.1f} s")
    sample = range(0, count, max(1, count // 100))
    changed = " UNION ALL ".join(f"SELECT count(*) AS n FROM t{i} WHERE v = 'changed'" for i in sample)
    assert target.value(f"SELECT sum(n) FROM ({changed}) counts") == len(sample)
    print(f"peak memory: {system.process.memory_peak_bytes() / (1 << 20):.0f} MiB")
    assert not is_full or seconds < SECONDS_MAX_FULL
    began = time.monotonic()
    assert system.stop() == 0
    system.start()
    source.query("UPDATE t0 SET v = 'after the restart' WHERE id = 2")
    system.wait_position(source.barrier())
    assert target.value("SELECT v FROM t0 WHERE id = 2") == "after the restart"
    print(f"started again in {time.monotonic() - began:.1f} s")
    system.retire()
    source.close()
    drop_database(source.server, source.name)
