"""A source, an empty destination and a pipeline between them, as tests of single commands want it."""

from pathlib import Path

import pytest

from harness.database import difference, new_databases
from harness.engine import run_once
from harness.environment import Pair, drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table


class Place:
    """Two databases of one new name; the tables and the pipeline are the test's own."""

    def __init__(self, pair: Pair, prefix: str, directory: Path):
        self.source, self.target = new_databases(pair, prefix)
        self.directory = directory
        self.system: FreshetSystem | None = None

    def command(self, *words: str, code: int = 0) -> str:
        """Runs `freshet WORDS` and returns what it printed."""
        found, output = run_once(list(words), self.directory, env=self.system.env)
        assert found == code, f"exit code {found}, not {code}\n{output}"
        return output

    def settle(self) -> None:
        """Waits until all that was committed so far has arrived."""
        self.system.wait_position(self.source.barrier())

    def difference(self, table: Table, columns: tuple[str, ...] = (), where: str = "") -> str:
        """Tells what is missing at the destination or too much, by default in all columns."""
        columns = columns or self.source.columns_of(table)
        expected = self.source.rows_of(table, columns, where)
        return difference(expected, self.target.rows_of(table, columns, where))

    def expect_equal(self, *tables: Table, columns: tuple[str, ...] = ()) -> None:
        self.settle()
        for table in tables:
            told = self.difference(table, columns)
            assert not told, told + self.system.describe()

    def close(self) -> None:
        if self.system:
            self.system.retire()
        self.source.close()
        drop_database(self.source.server, self.source.name)


def place_fixture(kind: type[Place]):
    """The fixture of a module's tests, which make a Place of its own kind."""

    @pytest.fixture
    def place(version, pairs, engine_directory):
        made = kind(pairs.get(version), engine_directory)
        yield made
        made.close()

    return place
