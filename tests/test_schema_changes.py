"""`schema_changes`: a table's definition changes at the source, and its policy says what becomes of it."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.scenario import Table
from harness.waiting import wait_until

TABLES = [Table("public", "t"), Table("public", "u")]


class PolicyPlace(Place):
    """Two tables of three rows, and a pipeline in which `t` has the policy that `policy()` says."""

    def __init__(self, pair, directory):
        super().__init__(pair, "policy", directory)
        self.options: dict[str, object] = {"source.schema_changes": "evolve"}
        self.system = FreshetSystem(
            self.source, self.target, directory, tables=TABLES, options=self.options
        )
        for table in TABLES:
            self.change(f"CREATE TABLE {table.name} (id int PRIMARY KEY, v int NOT NULL, w text)")
            self.change(f"ALTER TABLE {table.name} OWNER TO app")
            self.change(f"INSERT INTO {table.name} SELECT n, n, 'w' || n FROM generate_series(1, 3) n")

    def policy(self, word: str) -> None:
        """For the next start."""
        self.options["source.tables"] = [{"name": "public.t", "schema_changes": word}, "public.u"]

    def change(self, text: str) -> None:
        self.source.query(text)

    def start(self) -> None:
        self.system.start()
        self.system.wait_streaming()

    def restart(self) -> None:
        assert self.system.stop() == 0
        self.start()

    def resync(self) -> None:
        self.command("table", "resync", str(self.system.config_path), "public.t")

    @contextmanager
    def lagging(self) -> Iterator[Path]:
        """Starts with a second destination, `ahead`, whose file this gives; nothing of t gets into the
        other one meanwhile."""
        lines = self.directory / "rows.jsonl"
        self.options["destinations.ahead.url"] = f"jsonl:{lines}"
        self.start()
        self.settle()
        with self.target.server.connect(self.target.name) as locker:
            locker.execute("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE")
            yield lines

    def wait_log(self, pattern: str) -> None:
        wait_until(
            lambda: re.search(pattern, self.system.log.read_text()),
            f"the log says {pattern}", describe=self.system.describe,
        )  # fmt: skip

    def wait_phase(self, phase: str) -> None:
        asked = "SELECT phase FROM freshet.tables WHERE \"table\" = 't'"
        wait_until(
            lambda: self.target.value(asked) == phase,
            f"t is {phase}", describe=self.system.describe,
        )  # fmt: skip

    def rows(self, columns: str) -> list:
        return self.target.query(f"SELECT {columns} FROM t ORDER BY 1")

    def columns(self) -> list[str]:
        return list(self.target.columns_of(TABLES[0]))

    def stored_columns(self) -> set[tuple[str, str]]:
        """Returns which columns the state store has of which destination's t."""
        asked = "SELECT destination, name FROM table_column WHERE table_name = 't'"
        with closing(sqlite3.connect(f"file:{self.directory / 'state.db'}?mode=ro", uri=True)) as state:
            return set(state.execute(asked))


place = place_fixture(PolicyPlace)


def test_a_halted_table_stops_before_the_first_new_row_and_stays_so(place):
    place.policy("halt")
    place.start()
    place.change("INSERT INTO t VALUES (4, 4, 'before')")
    place.change("ALTER TABLE t ADD COLUMN b int, ALTER COLUMN v TYPE bigint")
    place.change("ALTER TABLE t RENAME COLUMN w TO x")
    place.change("INSERT INTO t VALUES (5, 5, 'after', 5)")
    place.change("INSERT INTO u VALUES (4, 4, 'goes on')")
    place.wait_phase("errored")
    place.settle()
    place.wait_log("definition of a table changed.*public.t.*added b, renamed w to x, changed v from "
                   "integer to bigint.*lsn=[0-9A-F]+/[0-9A-F]+")  # fmt: skip
    assert place.columns() == ["id", "v", "w"]
    assert [row[0] for row in place.rows("id")] == [1, 2, 3, 4]
    assert place.target.value("SELECT count(*) FROM u") == 4

    # A restart decides nothing.
    assert place.system.stop() == 0
    place.change("INSERT INTO u VALUES (5, 5, '')")
    place.system.start()
    place.settle()
    assert place.target.value("SELECT count(*) FROM u") == 5
    assert [row[0] for row in place.rows("id")] == [1, 2, 3, 4]

    place.resync()
    place.wait_phase("streaming")
    place.change("INSERT INTO t VALUES (6, 6, 'new', 6)")
    place.settle()
    assert place.rows("id, x, b")[3:] == [(4, "before", None), (5, "after", 5), (6, "new", 6)]


def test_a_halted_table_is_followed_once_the_policy_says_so(place):
    place.policy("halt")
    place.start()
    place.change("ALTER TABLE t DROP COLUMN w")
    place.change("INSERT INTO t VALUES (4, 4)")
    place.wait_phase("errored")
    assert place.system.stop() == 0
    place.policy("evolve")
    place.start()
    place.settle()
    assert place.columns() == ["id", "v"]
    assert place.rows("id") == [(1,), (2,), (3,), (4,)]


def test_rows_that_are_rewritten_halt_the_table_also_while_nobody_looks(place):
    place.policy("halt")
    place.start()
    assert place.system.stop() == 0
    place.change("ALTER TABLE t ALTER COLUMN v TYPE int USING v * 10")
    place.system.start()
    place.wait_phase("errored")
    place.settle()
    assert place.rows("v") == [(1,), (2,), (3,)]


def test_ignored_changes_leave_the_destinations_table_as_it_is(place):
    place.policy("ignore")
    place.start()
    place.change("ALTER TABLE t ADD COLUMN b int DEFAULT 7")
    place.change("INSERT INTO t VALUES (4, 4, 'w4', 4)")
    place.change("ALTER TABLE t RENAME COLUMN w TO x")
    place.change("UPDATE t SET x = 'renamed' WHERE id = 1")
    place.settle()
    place.wait_log("not followed.*ignored: added b, renamed w to x")
    assert place.columns() == ["id", "v", "w"]

    # Nor does a restart take anything in.
    place.restart()
    place.change("INSERT INTO t VALUES (5, 5, 'w5', 5)")
    place.change("ALTER TABLE t DROP COLUMN v")
    place.change("INSERT INTO t VALUES (6, 'w6', 6)")
    place.change("UPDATE t SET x = 'again' WHERE id = 2")
    place.settle()
    place.restart()
    place.change("DELETE FROM t WHERE id = 3")
    place.settle()
    expected = [(1, 1, "renamed"), (2, 2, "again"), (4, 4, "w4"), (5, 5, "w5"), (6, None, "w6")]
    assert place.columns() == ["id", "v", "w"]
    assert place.rows("id, v, w") == expected

    # Rows that are written anew are copied again, into the table as it stands.
    place.change("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()")
    place.change("INSERT INTO t VALUES (7, 'w7', 7)")
    place.settle()
    wait_until(lambda: len(place.rows("id")) == 6, "all are back", describe=place.system.describe)
    assert place.columns() == ["id", "v", "w"]
    assert place.rows("id, w")[-1] == (7, "w7")

    place.resync()
    wait_until(lambda: place.columns() == ["id", "x", "b", "c"], "the columns of now",
               describe=place.system.describe)  # fmt: skip
    place.wait_phase("streaming")
    place.change("INSERT INTO t VALUES (8, 'w8', 8)")
    place.settle()
    assert place.rows("id, b") == [(1, 7), (2, 7), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)]


def test_what_was_ignored_is_copied_once_changes_are_followed(place):
    place.policy("ignore")
    place.start()
    place.change("ALTER TABLE t ADD COLUMN b int DEFAULT 7")
    place.change("INSERT INTO t VALUES (4, 4, '', 4)")
    place.settle()
    assert place.system.stop() == 0
    place.policy("evolve")
    place.system.start()
    place.wait_log("ignored until now")
    wait_until(lambda: "b" in place.columns(), "t is made anew", describe=place.system.describe)
    place.wait_phase("streaming")
    place.settle()
    assert place.rows("id, b") == [(1, 7), (2, 7), (3, 7), (4, 4)]


@pytest.mark.parametrize(
    "change, row",
    [
        ("ALTER TABLE t ALTER COLUMN v TYPE bigint", "(4, 4, '')"),
        ("ALTER TABLE t RENAME COLUMN id TO key", "(4, 4, '')"),
        ("ALTER TABLE t DROP COLUMN id, ADD PRIMARY KEY (v)", "(4, '')"),
    ],
)
def test_what_cannot_be_ignored_stops_the_table(place, change, row):
    place.policy("ignore")
    place.start()
    place.change(change)
    place.change(f"INSERT INTO t VALUES {row}")
    place.change("INSERT INTO u VALUES (4, 4, '')")
    place.wait_phase("errored")
    place.settle()
    place.wait_log("cannot be ignored")
    assert place.rows("id, v, w") == [(1, 1, "w1"), (2, 2, "w2"), (3, 3, "w3")]
    assert place.target.value("SELECT count(*) FROM u") == 4


def lines_of(path, *ops: str) -> list[dict]:
    """Returns the lines of these kinds that stand in a file of JSON lines."""
    whole = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return [line for line in map(json.loads, whole) if line["op"] in ops]


def test_a_destination_that_lags_hears_of_rewritten_rows_after_a_kill_as_well(place):
    # It does not keep its tables' definitions itself, nor does the one that is ahead.
    place.policy("ignore")
    with place.lagging() as lines:
        place.change("INSERT INTO t VALUES (4, 4, '')")
        wait_until(
            lambda: place.target.value("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"),
            "the other one waits", describe=place.system.describe,
        )  # fmt: skip
        place.change("ALTER TABLE t ADD COLUMN b int, ALTER COLUMN v TYPE int USING v * 10")
        place.change("INSERT INTO t VALUES (5, 50, '')")
        wait_until(
            lambda: {"id": 1, "v": 10, "w": "w1"} in [row["after"] for row in lines_of(lines, "copy")],
            "one destination has copied the rows again", describe=place.system.describe,
        )  # fmt: skip
        place.system.kill()
        assert place.rows("count(*)") == [(3,)], "the other one lags no more"
    place.system.start()
    place.settle()
    expected = [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]
    wait_until(lambda: place.rows("id, v") == expected, f"{expected}", describe=place.system.describe)


def test_a_destination_that_lags_takes_a_change_of_policy_with_the_rows_that_are_there(place):
    # One has followed a new column, the other has yet to when all further changes are to be ignored.
    with place.lagging() as lines:
        place.change("ALTER TABLE t ADD COLUMN b int DEFAULT 7")
        place.change("INSERT INTO t VALUES (4, 4, '', 4)")
        wait_until(
            lambda: ("ahead", "b") in place.stored_columns(),
            "one destination has the new column", describe=place.system.describe,
        )  # fmt: skip
        assert any(row["after"].get("b") == 4 for row in lines_of(lines, "insert"))
        place.system.kill()
    place.policy("ignore")
    place.start()
    place.settle()
    place.change("INSERT INTO t VALUES (5, 5, '', 5)")
    place.settle()
    rows = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    wait_until(lambda: place.rows("id, v") == rows, f"{rows}", describe=place.system.describe)
    assert place.columns() == ["id", "v", "w"]
    wanted = [{"id": n, "v": n, "w": ""} for n in (4, 5)]
    wait_until(
        lambda: all(row in [line["after"] for line in lines_of(lines, "copy", "insert")] for row in wanted),
        "the other one has the same columns", describe=place.system.describe,
    )  # fmt: skip
