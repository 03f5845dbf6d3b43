"""A file of JSON lines tells the columns of each row before the row, whatever happens to the engine."""

import json
from pathlib import Path

from harness.engine import capture_sql
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.proxy import HoldingProxy
from harness.scenario import Table
from harness.waiting import wait_until

ROWS = ("copy", "insert")
COLUMNS_ARE_LOOKED_UP = r"pk\.indkey, a\.attnum"


class LinesPlace(Place):
    """A table of three rows, and a pipeline from it to a file."""

    def __init__(self, pair, directory):
        super().__init__(pair, "lines", directory)
        self.path: Path = directory / "rows.jsonl"
        self.system = FreshetSystem(
            self.source, self.target, directory, tables=[Table("public", "t")],
            options={"destinations": {"lines": {"url": f"jsonl:{self.path}"}}},
        )  # fmt: skip
        self.change("CREATE TABLE t (id int PRIMARY KEY, a text)")
        self.change("ALTER TABLE t OWNER TO app")
        self.change("INSERT INTO t SELECT n, 'a' || n FROM generate_series(1, 3) n")

    def change(self, text: str) -> None:
        self.source.query(text)

    def lines(self, *ops: str) -> list[dict]:
        """Returns the lines that count, of these kinds or of all."""
        text = self.path.read_text() if self.path.exists() else ""
        end = text.rfind('\n{"op":"position"')
        whole = [json.loads(line) for line in text[: end + 1].splitlines()]
        return [line for line in whole if not ops or line["op"] in ops]

    def wait_row(self, **values: object) -> None:
        def is_there() -> bool:
            self.system.check_alive()
            return any(values.items() <= line["after"].items() for line in self.lines(*ROWS))

        wait_until(is_there, f"a row of {values}", describe=self.system.log_text)

    def wait_log(self, text: str) -> None:
        wait_until(
            lambda: text in self.system.log_text(), f"the log says {text}",
            describe=self.system.log_text,
        )  # fmt: skip

    def check_columns(self) -> None:
        """Each row has the columns that the last `schema` line before it told."""
        columns = None
        for line in self.lines("schema", *ROWS):
            if line["op"] == "schema":
                columns = [column["name"] for column in line["columns"]]
            else:
                assert list(line["after"]) == columns, f"{line} after a schema of {columns}"

    def told(self) -> list[str]:
        """Returns the columns that were told of, one text per line."""
        told = self.lines("schema")
        return [" ".join(column["name"] for column in line["columns"]) for line in told]


place = place_fixture(LinesPlace)


def test_columns_are_told_although_the_engine_was_killed_before_their_first_row_counted(place):
    proxy = HoldingProxy(place.source.server.port)
    try:
        place.system.start(source_port=proxy.port)
        place.wait_row(id=3)
        place.wait_log("table is streaming")
        proxy.hold(COLUMNS_ARE_LOOKED_UP, let_pass=1)
        with place.source.server.connect(place.source.name) as writer:
            writer.execute("BEGIN; ALTER TABLE t ADD COLUMN b int; INSERT INTO t VALUES (4, 'a4', 4)")
            writer.execute("ALTER TABLE t ADD COLUMN c int; INSERT INTO t VALUES (5, 'a5', 5, 5)")
            writer.execute("COMMIT")
        place.wait_log("table definition followed")
        proxy.wait_held()
        place.system.kill()
        assert not place.lines("insert"), "nothing of the transaction is there"
    finally:
        proxy.close()
    place.system.start()
    place.wait_row(id=5, c=5)
    place.check_columns()
    assert place.told() == ["id a", "id a b", "id a b c"]

    # Who ends in good order tells it once.
    place.change("ALTER TABLE t ADD COLUMN d int")
    place.change("INSERT INTO t VALUES (6, 'a6', 6, 6, 6)")
    place.wait_row(id=6, d=6)
    assert place.system.stop() == 0
    place.change("INSERT INTO t VALUES (7, 'a7', 7, 7, 7)")
    place.system.start()
    place.wait_row(id=7)
    place.check_columns()
    assert place.told()[3:] == ["id a b c d"]


def test_columns_are_told_ahead_of_the_rows_of_a_copy(place):
    place.system.start()
    place.wait_row(id=3)
    place.wait_log("table is streaming")
    assert place.system.stop() == 0
    place.change("ALTER TABLE t ADD COLUMN b uuid DEFAULT gen_random_uuid(), DROP COLUMN a")
    place.change("INSERT INTO t VALUES (4)")
    place.system.start()
    place.wait_row(id=4)
    place.check_columns()


def test_a_captured_definition_is_told_once_over_a_stop_although_no_row_follows(place):
    place.change(capture_sql("install", place.directory))
    place.system.start()
    place.wait_row(id=3)
    place.wait_log("table is streaming")
    place.change("ALTER TABLE t ADD COLUMN b int")
    place.wait_log("table definition followed")
    assert place.system.stop() == 0
    place.system.start()
    place.change("INSERT INTO t VALUES (4, 'a4', 4)")
    place.wait_row(id=4)
    place.check_columns()
    assert place.told() == ["id a", "id a b"]
