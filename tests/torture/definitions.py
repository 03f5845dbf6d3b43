"""What happens to tables: DEFINITIONS has name, weight, function; adding one is adding a line.

A function returns the statements, all of one transaction, and whether the server may rewrite rows
by them: such a table is copied again, which takes the engine some seconds to notice.
Left out is what Freshet says it does not follow: see tests/README.md.
"""

import random
from collections.abc import Callable

from torture.catalog import Column, TableState, quoted
from torture.kinds import KINDS, value

Statements = tuple[list[str], bool]
_NOTHING: Statements = ([], False)


def _new_name(rng: random.Random, table: TableState) -> str:
    taken = {column.name for column in table.columns}
    name = f"{rng.choice(['new', 'New col', 'n'])}{rng.randrange(100)}"
    return name if name not in taken else f"{name}_{rng.randrange(10**6)}"


def _small_kind(rng: random.Random) -> str:
    return rng.choice(list(KINDS))


def _removable(rng: random.Random, table: TableState) -> Column | None:
    usable = [c for c in table.plain() if not c.is_depended_on]
    return rng.choice(usable) if usable else None


def add_column(rng: random.Random, table: TableState) -> Statements:
    return [f"ALTER TABLE {table.sql} ADD COLUMN {quoted(_new_name(rng, table))} {_small_kind(rng)}"], False


def add_column_with_default(rng: random.Random, table: TableState) -> Statements:
    kind = _small_kind(rng)
    required = rng.choice(["", " NOT NULL"])
    default = value(rng, kind, rng.randint(1, 1000), large=False)
    name = quoted(_new_name(rng, table))
    # A domain with a constraint makes the server write every row anew.
    return [f"ALTER TABLE {table.sql} ADD COLUMN {name} {kind}{required} DEFAULT {default}"], kind == "amount"


def add_column_by_rewrite(rng: random.Random, table: TableState) -> Statements:
    name = quoted(_new_name(rng, table))
    return [f"ALTER TABLE {table.sql} ADD COLUMN {name} uuid DEFAULT gen_random_uuid()"], True


def drop_column(rng: random.Random, table: TableState) -> Statements:
    column = _removable(rng, table)
    return ([f"ALTER TABLE {table.sql} DROP COLUMN {column.sql}"], False) if column else _NOTHING


def drop_and_add_column(rng: random.Random, table: TableState) -> Statements:
    column = _removable(rng, table)
    if not column:
        return _NOTHING
    kind = rng.choice([column.type if column.type in KINDS else "text", _small_kind(rng)])
    default = rng.choice(["", f" DEFAULT {value(rng, kind, 5, large=False)}"])
    head = f"ALTER TABLE {table.sql}"
    # Only the column's number tells the one from the other: that takes a look at the catalogue.
    return [f"{head} DROP COLUMN {column.sql}", f"{head} ADD COLUMN {column.sql} {kind}{default}"], True


def rename_column(rng: random.Random, table: TableState) -> Statements:
    column = rng.choice(table.columns)
    name = quoted(_new_name(rng, table))
    return [f"ALTER TABLE {table.sql} RENAME COLUMN {column.sql} TO {name}"], False


def exchange_names(rng: random.Random, table: TableState) -> Statements:
    if len(table.columns) < 2:
        return _NOTHING
    one, two = rng.sample(table.columns, 2)
    renames = ((one.sql, '"between"'), (two.sql, one.sql), ('"between"', two.sql))
    return [f"ALTER TABLE {table.sql} RENAME COLUMN {old} TO {new}" for old, new in renames], False


def widen(rng: random.Random, table: TableState) -> Statements:
    keys = table.key_columns()
    usable = [
        c for c in table.columns
        if c.type in KINDS and KINDS[c.type].wider
        and not c.is_identity and not (c.is_depended_on and c.number not in keys)
        and not (table.partitions and c.number in keys)
    ]  # fmt: skip
    # A generated column reads some keys; the server refuses those, and the transaction is undone.
    if not usable:
        return _NOTHING
    column = rng.choice(usable)
    wider = rng.choice(KINDS[column.type].wider)
    return [f"ALTER TABLE {table.sql} ALTER COLUMN {column.sql} TYPE {wider}"], True


def change_type(rng: random.Random, table: TableState) -> Statements:
    usable = [c for c in table.plain() if c.type in KINDS and KINDS[c.type].other and not c.is_depended_on]
    if not usable:
        return _NOTHING
    column = rng.choice(usable)
    other = rng.choice(KINDS[column.type].other)
    head = f"ALTER TABLE {table.sql} ALTER COLUMN {column.sql}"
    return [f"{head} DROP DEFAULT", f"{head} TYPE {other} USING {column.sql}::{other}"], True


def set_default(rng: random.Random, table: TableState) -> Statements:
    usable = [c for c in table.plain() if c.type in KINDS]
    if not usable:
        return _NOTHING
    column = rng.choice(usable)
    default = value(rng, column.type, rng.randint(1, 1000), large=False)
    return [f"ALTER TABLE {table.sql} ALTER COLUMN {column.sql} SET DEFAULT {default}"], False


def switch_identity(rng: random.Random, table: TableState) -> Statements:
    if not table.keys[0].is_unique or table.keys[0].is_deferrable or table.partitions:
        return _NOTHING
    choices = ["DEFAULT"] if any(c.is_generated for c in table.columns) else ["FULL", "DEFAULT"]
    if table.identity == "index":
        choices.append(f"USING INDEX {quoted(table.name + '_identity')}")
    return [f"ALTER TABLE {table.sql} REPLICA IDENTITY {rng.choice(choices)}"], False


def add_label(rng: random.Random, table: TableState) -> Statements:
    return [f"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'label {rng.randrange(50)}' BEFORE 'happy'"], False


def rewrite(rng: random.Random, table: TableState) -> Statements:
    """Other files with the same rows: nothing may come of it."""
    if table.partitions or not table.keys[0].is_unique:
        return _NOTHING
    return [f"CLUSTER {table.sql} USING {quoted(table.name + '_pkey')}"], False


def truncate_leaf(rng: random.Random, table: TableState) -> Statements:
    if not table.partitions:
        return _NOTHING
    return [f"TRUNCATE {quoted(table.name + '_p0')}"], True


DEFINITIONS: dict[str, tuple[float, Callable[[random.Random, TableState], Statements]]] = {
    "add-column": (3, add_column),
    "add-column-with-default": (3, add_column_with_default),
    "add-column-by-rewrite": (0.7, add_column_by_rewrite),
    "drop-column": (2, drop_column),
    "drop-and-add-column": (1, drop_and_add_column),
    "rename-column": (3, rename_column),
    "exchange-names": (1, exchange_names),
    "widen": (1.5, widen),
    "change-type": (0.7, change_type),
    "set-default": (1, set_default),
    "switch-identity": (1, switch_identity),
    "add-label": (0.5, add_label),
    "rewrite": (0.7, rewrite),
    "truncate-leaf": (0.7, truncate_leaf),
}
