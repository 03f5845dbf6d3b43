"""`copy_where` limits what is copied, and nothing that is streamed."""

import re

import pytest
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.waiting import wait_until

PREFLIGHT, USAGE = 3, 2
ROWS = 300


class PartPlace(Place):
    """A table with a row in three wanted, large values included, and one beside it."""

    def __init__(self, pair, directory):
        super().__init__(pair, "part", directory)
        for table in ("t", "other"):
            self.source.query(f"CREATE TABLE {table} (id int PRIMARY KEY, v int, big text)")
            self.source.query(f"ALTER TABLE {table} ALTER big SET STORAGE EXTERNAL")
            self.source.query(f"ALTER TABLE {table} OWNER TO app")
            self.source.query(
                f"INSERT INTO {table} SELECT n, n, repeat('x', 9000) FROM generate_series(1, {ROWS}) n"
            )

    def make(self, *, copy="snapshot", copy_where="t.v % 3 = 0", **more) -> FreshetSystem:
        table = {"name": "public.t", "copy": copy, "copy_where": copy_where} | more
        options = {"source.tables": [table, "public.other"]}
        self.system = FreshetSystem(self.source, self.target, self.directory, tables=[], options=options)
        return self.system

    def start(self, **how) -> None:
        self.make(**how)
        self.system.start()
        wait_until(lambda: self.system.phases() == ["streaming"] * 2, "all tables are streaming",
                   seconds=30, describe=self.system.describe)

    def ids(self, where: str = "true") -> set[int]:
        return {key for (key,) in self.target.query(f"SELECT id FROM t WHERE {where}")}


place = place_fixture(PartPlace)


@pytest.mark.parametrize("copy", ["snapshot", "chunked"])
def test_the_copy_is_limited_and_the_stream_is_not(place, copy):
    place.start(copy=copy, where="id <= 200")
    wanted = {n for n in range(1, 201) if n % 3 == 0}
    assert place.ids() == wanted
    # Inserted, or brought by an update with all that it has; what is not there can be deleted.
    place.source.query("INSERT INTO t VALUES (0, 1, 'small')")
    place.source.query("UPDATE t SET big = 'new' WHERE id IN (1, 3)")
    place.source.query("UPDATE t SET v = 1 WHERE id = 6")
    place.source.query("DELETE FROM t WHERE id IN (2, 9)")
    place.settle()
    assert place.ids() == wanted - {9} | {0, 1}
    assert place.ids("big = 'new'") == {1, 3}
    assert place.ids("v = 1") == {0, 1, 6}
    # A later copy is limited too.
    place.command("table", "resync", str(place.system.config_path), "public.t")
    wait_until(lambda: place.ids() == wanted - {6, 9}, "it was copied again", seconds=30,
               describe=place.system.describe)
    assert place.target.value("SELECT count(*) FROM other") == ROWS


def test_it_comes_beside_the_publications_filter(place, version):
    if version < 15:
        pytest.skip("row filters came with 15")
    place.source.query("CREATE PUBLICATION part FOR TABLE other, t WHERE (id > 100)")
    place.make(where="id > 0")
    place.system.change_options(
        {"source.tables": [{"name": "public.t", "copy_where": "v % 3 = 0 -- of all"}, "public.other"],
         "source.publications": ["part"]}
    )
    place.system.start()
    wait_until(lambda: place.system.phases() == ["streaming"] * 2, "all tables are streaming",
               seconds=30, describe=place.system.describe)
    assert place.ids() == {n for n in range(101, ROWS + 1) if n % 3 == 0}


@pytest.mark.parametrize("is_filtered", [False, True])
def test_a_row_that_an_update_brings_in_part_is_made_whole(place, is_filtered):
    place.start(**({"where": "v > -1"} if is_filtered else {}))
    place.source.query("UPDATE t SET v = v + 1 WHERE id = 1")
    place.source.query("UPDATE t SET v = v + 1 WHERE id IN (4, 6)")
    place.source.query("UPDATE other SET v = -5 WHERE id = 1")
    place.settle()
    found = place.target.query("SELECT id, v, length(big) FROM t WHERE id IN (1, 4, 6) ORDER BY id")
    assert found == [(1, 2, 9000), (4, 5, 9000), (6, 7, 9000)]
    assert place.target.value("SELECT v FROM other WHERE id = 1") == -5
    assert "copying the table again" not in place.system.log_text()


def test_a_row_that_cannot_be_made_whole_stops_its_table_alone(place):
    """Not copied again and again, which would not bring the row either."""
    place.make()
    place.system.change_options(
        {"source.tables": [{"name": "public.t", "copy_where": "v % 3 = 0"}, "public.other"], "source.binary": True}
    )
    place.system.start()
    wait_until(lambda: place.system.phases() == ["streaming"] * 2, "all tables are streaming",
               seconds=30, describe=place.system.describe)
    place.source.query("UPDATE t SET v = v + 1 WHERE id = 1")
    place.source.query("UPDATE other SET v = -5 WHERE id = 1")
    errored = "SELECT count(*) FROM freshet.tables WHERE phase = 'errored'"
    wait_until(lambda: place.target.value(errored) == 1, "the table is set aside", seconds=30,
               describe=place.system.describe)
    place.settle()
    log = place.system.log_text()
    assert "`copy_where` may have left it out" in log and "key=id" in log, log
    assert "the table is copied again" not in log
    assert place.target.value("SELECT v FROM other WHERE id = 1") == -5
    assert place.system.stop() == 0

    # Under the full identity nothing is left out.
    place.source.query("ALTER TABLE t REPLICA IDENTITY FULL")
    place.system.start()
    wait_until(lambda: place.system.phases() == ["streaming"] * 2, "all tables are streaming",
               seconds=30, describe=place.system.describe)
    place.source.query("UPDATE t SET v = v + 1 WHERE id = 4")
    place.settle()
    assert place.target.value("SELECT length(big) FROM t WHERE id = 4") == 9000


@pytest.mark.parametrize("condition", ["v >", "nothing > 1", "v", "1 / 0 = v"])
def test_a_condition_that_is_none_is_refused_before_anything_is_made(place, condition):
    place.make(copy_where=condition)
    place.system.write_config()
    told = place.command("check", str(place.system.config_path), code=PREFLIGHT)
    assert "copy_where" in told
    place.system.start()
    assert place.system.process.wait(40) in (USAGE, PREFLIGHT), place.system.log_text()
    assert "`copy_where` is no condition" in place.system.log_text()
    assert place.source.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == 0
    assert place.source.value("SELECT count(*) FROM pg_publication") == 0
    assert place.target.value("SELECT to_regnamespace('freshet') IS NULL")


def test_a_condition_that_raises_for_a_row_fails_its_table_with_a_reason(place):
    place.source.query("UPDATE t SET v = 0 WHERE id = 7")
    place.make(copy_where="1 / v >= 0")
    place.system.start()
    wait_until(lambda: "a table was set aside" in place.system.log_text(), "it is set aside",
               seconds=30, describe=place.system.describe)
    assert re.search(r'set aside.*"division by zero".*table=public\.t', place.system.log_text())
    wait_until(lambda: place.target.value("SELECT count(*) FROM other") == ROWS, "the other is copied",
               seconds=30, describe=place.system.describe)
