"""Values of random types, copied and streamed. PostgreSQL makes them and compares what arrived.

FRESHET_SEED repeats a run.
"""

import os
import random

import psycopg
import pytest
from harness.database import new_databases
from harness.environment import drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table
from random_types import EXTENSIONS, TypeMaker

TABLES = 4
COLUMNS = 10
ROWS = 25  # copied, and as many streamed


class TypesPlace:
    """Two databases, with tables of random types at the source."""

    def __init__(self, pair, rng: random.Random, *, is_binary: bool):
        self.rng = rng
        self.source, self.target = new_databases(pair, "types")
        known = {name for (name,) in self.source.query("SELECT name FROM pg_available_extensions")}
        # Binary values want the types of users at the destination as well, none of them in composites,
        # and none without a binary form, such as seg.
        maker = TypeMaker(
            rng, [e for e in EXTENSIONS if e in known and not (is_binary and e == "seg")],
            has_xml=self._has_xml(), nests_owned=not is_binary,
        )  # fmt: skip
        self.columns = [[maker.draw() for _ in range(COLUMNS)] for _ in range(TABLES)]
        self.has_types = is_binary or rng.random() < 0.5
        for statement in maker.statements:
            self.source.query(statement)
            if self.has_types:
                self.target.query(statement)
        self.tables = [Table("public", f"t{number}") for number in range(TABLES)]
        for table, types in zip(self.tables, self.columns, strict=True):
            parts = ", ".join(f"c{i} {kind.name}" for i, kind in enumerate(types))
            self.source.query(f"CREATE TABLE {table.name} (id int PRIMARY KEY, {parts})")
            self.source.query(f"ALTER TABLE {table.name} OWNER TO freshet")
            if rng.random() < 0.3:
                self.source.query(f"ALTER TABLE {table.name} REPLICA IDENTITY FULL")

    def _has_xml(self) -> bool:
        try:
            return self.source.value("SELECT '<a/>'::xml IS NOT NULL")
        except psycopg.errors.FeatureNotSupported:
            return False

    def close(self) -> None:
        for database in (self.source, self.target):
            database.close()
        drop_database(self.source.server, self.source.name)
        drop_database(self.target.server, self.target.name)

    def insert(self, first: int) -> None:
        for table, types in zip(self.tables, self.columns, strict=True):
            for row in range(first, first + ROWS):
                self._write(lambda: self._values(types), lambda values, row=row, table=table: (
                    f"INSERT INTO {table.name} VALUES ({row}, {', '.join(values)})"
                ))  # fmt: skip

    def update(self, first: int) -> None:
        for table, types in zip(self.tables, self.columns, strict=True):
            for row in range(first, first + ROWS, 2):
                place = self.rng.randrange(COLUMNS)
                self._write(lambda: self._values([types[place]]), lambda values, row=row, table=table: (
                    f"UPDATE {table.name} SET c{place} = {values[0]} WHERE id = {row}"
                ))  # fmt: skip

    def _values(self, types) -> list[str]:
        return ["NULL" if self.rng.random() < 0.1 else kind.value(self.rng) for kind in types]

    def _write(self, draw, statement) -> None:
        """The server says what is a value: one that it refuses is drawn again."""
        for _ in range(50):
            try:
                self.source.query(statement(draw()))
                return
            except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
                refused = error
        raise refused

    def check_equal(self) -> None:
        for table, types in zip(self.tables, self.columns, strict=True):
            names = ("id", *(f"c{i}" for i in range(COLUMNS)))
            ours, theirs = (d.rows_of(table, names) for d in (self.source, self.target))
            if ours == theirs:
                continue
            for i, kind in enumerate(types):
                differ = self.source.rows_of(table, ("id", f"c{i}")) - self.target.rows_of(table, ("id", f"c{i}"))
                assert not differ, f"{table.name}.c{i} {kind.name}: {list(differ)[:3]}"
            raise AssertionError(f"{table.name}: {len(ours - theirs)} and {len(theirs - ours)} rows differ")


@pytest.mark.parametrize("form", ["text", "binary"])
def test_random_types_arrive_as_they_are(version, pairs, engine_directory, form):
    seed = int(os.environ.get("FRESHET_SEED") or random.randrange(1 << 32))
    print(f"FRESHET_SEED={seed}")
    place = TypesPlace(pairs.get(version), random.Random(seed), is_binary=form == "binary")
    try:
        run(place, engine_directory, {"source.binary": form == "binary"})
    finally:
        place.close()


def run(place: TypesPlace, directory, options: dict[str, object]) -> None:
    place.insert(0)
    system = FreshetSystem(place.source, place.target, directory, tables=place.tables, options=options)
    try:
        system.start()
        system.wait_streaming()
        place.insert(ROWS)
        place.update(0)
        place.update(ROWS)
        system.wait_position(place.source.barrier())
        place.check_equal()
        assert system.stop() == 0
    finally:
        system.kill()
