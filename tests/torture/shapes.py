"""Random tables: SHAPES is a table of ways to identify rows; adding one is adding a line."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from torture.catalog import Key, LiveTable, TableState, quoted
from torture.kinds import CHUNK_KEY_KINDS, KEY_KINDS, KINDS, filled, value

ROWS_OF_UNINDEXED_MAX = 2000
_SCATTER = 7919


@dataclass
class Draft:
    """A table to be made: definitions of columns, and the keys by the columns' positions."""

    name: str
    columns: list[tuple[str, str, str]] = field(default_factory=list)  # name, type, constraint
    keys: list[Key] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    identity: str = "default"
    partitions: str = ""
    is_indexed: bool = True

    def add(self, name: str, type_name: str, constraint: str = "") -> int:
        self.columns.append((name, type_name, constraint))
        return len(self.columns)

    def names(self, numbers: tuple[int, ...]) -> str:
        return ", ".join(quoted(self.columns[n - 1][0]) for n in numbers)

    def primary_key(self, numbers: tuple[int, ...], suffix: str = "") -> None:
        self.keys.append(Key(numbers, is_deferrable=bool(suffix)))
        self.constraints.append(f"PRIMARY KEY ({self.names(numbers)}){suffix}")


def _single(rng: random.Random, draft: Draft) -> None:
    draft.primary_key((draft.add("id", rng.choice(KEY_KINDS)),))


def _chunkable(rng: random.Random, draft: Draft) -> None:
    draft.primary_key((draft.add("id", rng.choice(CHUNK_KEY_KINDS)),))


def _composite(rng: random.Random, draft: Draft) -> None:
    kinds = CHUNK_KEY_KINDS if rng.random() < 0.5 else KEY_KINDS
    numbers = [draft.add(f"k{n}", rng.choice(kinds)) for n in range(rng.choice([2, 2, 3]))]
    rng.shuffle(numbers)
    draft.primary_key(tuple(numbers))


def _full_without_key(rng: random.Random, draft: Draft) -> None:
    numbers = tuple(draft.add(f"c{n}", rng.choice(KEY_KINDS)) for n in range(rng.choice([1, 2])))
    draft.keys.append(Key(numbers, is_unique=False))
    draft.identity = "full"
    draft.is_indexed = False


def _full_with_key(rng: random.Random, draft: Draft) -> None:
    rng.choice([_single, _composite])(rng, draft)
    draft.identity = "full"


def _deferrable(rng: random.Random, draft: Draft) -> None:
    draft.primary_key((draft.add("id", rng.choice(KEY_KINDS)),), " DEFERRABLE INITIALLY DEFERRED")
    draft.identity = "full"


def _by_index(rng: random.Random, draft: Draft) -> None:
    draft.primary_key((draft.add("id", rng.choice(KEY_KINDS)),))
    numbers = [
        draft.add(f"u{n}", rng.choice(KEY_KINDS), "NOT NULL") for n in range(rng.choice([1, 2]))
    ]
    rng.shuffle(numbers)
    draft.keys.append(Key(tuple(numbers)))
    index = quoted(f"{draft.name}_identity")
    draft.after.append(
        f"CREATE UNIQUE INDEX {index} ON {quoted(draft.name)} ({draft.names(tuple(numbers))})"
    )
    draft.after.append(f"ALTER TABLE {quoted(draft.name)} REPLICA IDENTITY USING INDEX {index}")
    draft.identity = "index"


def _partitioned(rng: random.Random, draft: Draft) -> None:
    how = rng.choice(["hash", "range"])
    kind = rng.choice(("integer", "bigint") if how == "range" else KEY_KINDS)
    first = draft.add("id", kind)
    rest = (draft.add("k2", rng.choice(KEY_KINDS)),) if rng.random() < 0.4 else ()
    draft.primary_key((first, *rest))
    draft.partitions = f"{how} (id)"


# Beside the random tables: who reads both sees the same total, at any moment.
TRANSFERS = """
CREATE TABLE paid (id int PRIMARY KEY, amount bigint NOT NULL);
CREATE TABLE received (id int PRIMARY KEY, amount bigint NOT NULL);
"""
TRANSFER_TABLES = ("paid", "received")
TRANSFERS_BALANCE = """
SELECT (SELECT count(*) FROM freshet.tables
        WHERE "table" IN ('paid', 'received') AND phase = 'streaming') < 2
    OR (SELECT coalesce(sum(amount), 0) FROM paid) + (SELECT coalesce(sum(amount), 0) FROM received) = 0
"""
SHAPES: dict[str, Callable[[random.Random, Draft], None]] = {
    "single": _single,
    "chunkable": _chunkable,
    "composite": _composite,
    "full-without-key": _full_without_key,
    "full-with-key": _full_with_key,
    "deferrable": _deferrable,
    "index": _by_index,
    "partitioned": _partitioned,
}


def draw_table(rng: random.Random, shape: str, number: int) -> Draft:
    """Returns a table of that shape with value columns of random types."""
    odd = rng.random() < 0.15
    draft = Draft(f'Odd "{number}" näme' if odd else f"t{number}")
    SHAPES[shape](rng, draft)
    for n in range(rng.choice([0, 1, 2, 3, 5, 8])):
        kind = rng.choice(list(KINDS))
        constraint = ""
        if rng.random() < 0.2:
            constraint = f"NOT NULL DEFAULT {value(rng, kind, 1, large=False)}"
        draft.add(f'V "{n}"' if odd else f"v{n}", kind, constraint)
    if rng.random() < 0.25:
        draft.add("g", "text", f"GENERATED ALWAYS AS ({_generated(rng, draft)}) STORED")
    if rng.random() < 0.1:
        draft.add("serial", "bigint", "GENERATED ALWAYS AS IDENTITY")
    return draft


def _generated(rng: random.Random, draft: Draft) -> str:
    # Casts to text of these types are immutable, as a generated column must be.
    usable = [name for name, kind, _ in draft.columns if kind in ("integer", "bigint", "uuid", "numeric")]
    texts = [name for name, kind, _ in draft.columns if kind == "text"]
    if texts and rng.random() < 0.5:
        return f"md5({quoted(rng.choice(texts))})"
    return f"({quoted(rng.choice(usable))})::text" if usable else "'constant'::text"


def key_values(table: TableState, key: Key, number: int | str, rng: random.Random) -> dict[int, str]:
    """Returns an expression for each column of a key; different numbers give different keys."""
    numbers = [f"({number})"] if len(key.columns) == 1 else [f"({number}) / 3", f"({number}) % 3", "1"]
    found = {}
    for column, expression in zip(key.columns, numbers, strict=False):
        kind = KINDS.get(table.column(column).type)
        template = kind.key if kind and kind.key else "({n})"
        found[column] = filled(template, f"({expression})")
    return found


def create(connection: psycopg.Connection, rng: random.Random, draft: Draft, rows: int, space: int) -> LiveTable:
    """Makes a table and its first rows."""
    for statement in _statements(rng, draft, space):
        connection.execute(statement)
    oid = connection.execute("SELECT %s::regclass::oid", [quoted(draft.name)]).fetchone()[0]
    state = TableState(oid, draft.name, draft.identity, tuple(draft.keys), space, draft.partitions)
    rows = min(rows, ROWS_OF_UNINDEXED_MAX) if not draft.is_indexed else rows
    live = LiveTable(state, rows)
    state = live.refresh(connection)
    if rows:
        connection.execute(fill(rng, state, 1, rows))
    return live


def fill(rng: random.Random, table: TableState, first: int, last: int) -> str:
    """Returns an INSERT of the rows with keys made of first … last."""
    columns, query = rows_query(rng, table, first, last)
    return f"INSERT INTO {table.sql} ({columns}) {query}"


def rows_query(rng: random.Random, table: TableState, first: int, last: int) -> tuple[str, str]:
    """Returns the columns' names and a query for rows with keys made of first … last."""
    names, expressions = [], []
    keys = {}
    for key in table.keys:
        keys |= key_values(table, key, "n", rng)
    for column in table.writable():
        if column.number in keys:
            expression = keys[column.number]
        elif column.type not in KINDS:
            continue
        else:
            # Large values in every row of a large table would make a run wait for the disk.
            expression = value(rng, column.type, f"(n * {_SCATTER} % 1000003)", large=last - first < 3000)
            if not column.is_required and rng.random() < 0.5:
                expression = f"CASE WHEN n % 5 > 0 THEN {expression} END"
        names.append(column.sql)
        expressions.append(expression)
    query = f"SELECT {', '.join(expressions)} FROM generate_series({first}::bigint, {last}) n"
    return ", ".join(names), query


def _statements(rng: random.Random, draft: Draft, space: int) -> list[str]:
    table = quoted(draft.name)
    columns = [f"{quoted(name)} {kind} {constraint}" for name, kind, constraint in draft.columns]
    made = f"CREATE TABLE {table} ({', '.join(columns + draft.constraints)})"
    statements = [made + (f" PARTITION BY {draft.partitions}" if draft.partitions else "")]
    leaves = _leaves(rng, draft, space)
    statements += leaves
    for name, kind, _ in draft.columns:
        if kind in ("text", "bytea", "jsonb") and rng.random() < 0.4 and not leaves:
            statements.append(f"ALTER TABLE {table} ALTER {quoted(name)} SET STORAGE EXTERNAL")
    statements += draft.after
    if draft.identity == "full":
        statements.append(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
    return statements


def _leaves(rng: random.Random, draft: Draft, space: int) -> list[str]:
    def leaf(number: int) -> str:
        return quoted(f"{draft.name}_p{number}")

    table = quoted(draft.name)
    if draft.partitions.startswith("hash"):
        return [
            f"CREATE TABLE {leaf(n)} PARTITION OF {table} FOR VALUES WITH (MODULUS 3, REMAINDER {n})"
            for n in range(3)
        ]
    if not draft.partitions.startswith("range"):
        return []
    kind = KINDS[draft.columns[0][1]]
    bound = filled(kind.key, f"({max(2, space // 2)})")
    made = [
        f"CREATE TABLE {leaf(0)} PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ({bound})",
        f"CREATE TABLE {leaf(1)} PARTITION OF {table} DEFAULT",
    ]
    if rng.random() < 0.4:
        made[1] += " PARTITION BY HASH (id)"
        made += [
            f"CREATE TABLE {leaf(2 + n)} PARTITION OF {leaf(1)} FOR VALUES WITH (MODULUS 2, REMAINDER {n})"
            for n in range(2)
        ]
    return made
