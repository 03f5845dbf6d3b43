"""What writers do to rows. CHANGES is a table: name, weight, function; adding one is adding a line."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from torture.catalog import Column, Key, LiveTable, TableState
from torture.kinds import KINDS, value
from torture.session import Session
from torture.shapes import fill, key_values, rows_query

_WIDE_ROWS_MAX = 4000
_NULLS_SHARE = 0.12


@dataclass
class Act:
    """What a change needs: where, to which table, and the dice."""

    session: Session
    live: LiveTable
    rng: random.Random
    others: list[LiveTable] = field(default_factory=list)

    @property
    def table(self) -> TableState:
        return self.session.table(self.live)


def some_number(act: Act) -> int:
    return act.rng.randint(1, max(1, act.table.key_space))


def some_key(act: Act) -> Key:
    return act.rng.choice(act.table.keys)


def place(act: Act, key: Key, number: int) -> str:
    """A condition that finds the row, or the rows, with a key."""
    values = key_values(act.table, key, number, act.rng)
    parts = [f"{act.table.column(column).sql} = {text}" for column, text in values.items()]
    return " AND ".join(parts)


def some_place(act: Act) -> str:
    table, key = act.table, some_key(act)
    where = place(act, key, some_number(act))
    if key.is_unique or table.partitions or act.rng.random() < 0.5:
        return where
    # One of several rows that may be equal.
    return f"ctid = (SELECT min(ctid) FROM {table.sql} WHERE {where})"


def share_of_rows(act: Act) -> str:
    """A condition that is true for one row in a few, and for few thousand of a large table."""
    column = act.table.column(act.table.keys[0].columns[0])
    wanted = max(2, 2 * act.live.copied_rows // _WIDE_ROWS_MAX, act.rng.choice([2, 3, 7, 20]))
    return f"abs(hashtext({column.sql}::text) % {wanted}) = {act.rng.randrange(wanted)}"


def new_value(act: Act, column: Column) -> str:
    if not column.is_required and act.rng.random() < _NULLS_SHARE:
        return "NULL"
    return value(act.rng, column.type, act.rng.randint(1, 10**6))


def row_values(act: Act, number: int) -> dict[str, str]:
    """Values for one row by the columns' quoted names."""
    table = act.table
    keys: dict[int, str] = {}
    for key in table.keys:
        keys |= key_values(table, key, number, act.rng)
    found = {}
    for column in table.writable():
        if column.number in keys:
            found[column.sql] = keys[column.number]
        elif column.type in KINDS and not (column.has_default and act.rng.random() < 0.2):
            found[column.sql] = new_value(act, column)
    return found


def assignments(act: Act) -> str:
    """Some columns outside the keys with new values; nothing if there are none."""
    usable = [c for c in act.table.plain() if c.type in KINDS]
    chosen = [c for c in usable if act.rng.random() < 0.5] or usable[:1]
    return ", ".join(f"{c.sql} = {new_value(act, c)}" for c in chosen)


def insert(act: Act) -> None:
    table, rows = act.table, act.rng.choice([1, 1, 1, 2, 5])
    for number in {some_number(act) for _ in range(rows)}:
        found = row_values(act, number)
        conflict = " ON CONFLICT DO NOTHING" if act.rng.random() < 0.7 else ""
        if any(key.is_deferrable for key in table.keys):
            conflict = ""
        act.session.execute(
            f"INSERT INTO {table.sql} ({', '.join(found)}) VALUES ({', '.join(found.values())}){conflict}"
        )


def update(act: Act) -> None:
    if sets := assignments(act):
        act.session.execute(f"UPDATE {act.table.sql} SET {sets} WHERE {some_place(act)}")


def update_nothing(act: Act) -> None:
    """An update that leaves all as it is; values out of line stay where they are."""
    column = act.rng.choice(act.table.writable() or [None])
    if column:
        act.session.execute(
            f"UPDATE {act.table.sql} SET {column.sql} = {column.sql} WHERE {some_place(act)}"
        )


def update_key(act: Act) -> None:
    table, key = act.table, some_key(act)
    values = key_values(table, key, some_number(act), act.rng)
    chosen = dict(act.rng.sample(sorted(values.items()), act.rng.randint(1, len(values))))
    sets = [f"{table.column(column).sql} = {text}" for column, text in chosen.items()]
    more = assignments(act) if act.rng.random() < 0.4 else ""
    act.session.execute(
        f"UPDATE {table.sql} SET {', '.join(sets + [more] * bool(more))} WHERE {place(act, key, some_number(act))}"
    )


def swap_keys(act: Act) -> None:
    """Two rows exchange their keys by way of a third key."""
    table, key = act.table, some_key(act)
    one, two, free = some_number(act), some_number(act), table.key_space + act.rng.randint(10, 10**6)
    for start, end in ((one, free), (two, one), (free, two)):
        values = key_values(table, key, end, act.rng)
        sets = ", ".join(f"{table.column(column).sql} = {text}" for column, text in values.items())
        act.session.execute(f"UPDATE {table.sql} SET {sets} WHERE {place(act, key, start)}")


def rotate_keys(act: Act) -> None:
    """All keys of a deferrable constraint move in one statement, through each other."""
    table = act.table
    key = next((key for key in table.keys if key.is_deferrable), None)
    if key:
        column = table.column(key.columns[0]).sql
        numbers = [some_number(act) for _ in range(3)]
        texts = [next(iter(key_values(table, key, n, act.rng).values())) for n in numbers]
        moves = zip(texts, texts[1:] + texts[:1], strict=True)
        cases = " ".join(f"WHEN {column} = {start} THEN {end}" for start, end in moves)
        act.session.execute(
            f"UPDATE {table.sql} SET {column} = CASE {cases} END WHERE {column} IN ({', '.join(texts)})"
        )


def restate_key(act: Act) -> None:
    """The key becomes another text for the same number."""
    table, key = act.table, some_key(act)
    usable = [c for c in map(table.column, key.columns) if c.type in ("numeric", "double precision")]
    if usable:
        column = act.rng.choice(usable)
        again = {"numeric": f"{column.sql} * 1.0", "double precision": f"-0.0 * {column.sql} + {column.sql}"}
        where = place(act, key, some_number(act)) if key.is_unique else some_place(act)
        act.session.execute(f"UPDATE {table.sql} SET {column.sql} = {again[column.type]} WHERE {where}")


def delete(act: Act) -> None:
    act.session.execute(f"DELETE FROM {act.table.sql} WHERE {some_place(act)}")


def delete_and_insert(act: Act) -> None:
    """The same key goes and comes in one transaction."""
    table, key, number = act.table, act.table.keys[0], some_number(act)
    act.session.execute(f"DELETE FROM {table.sql} WHERE {place(act, key, number)}")
    found = row_values(act, number)
    act.session.execute(
        f"INSERT INTO {table.sql} ({', '.join(found)}) VALUES ({', '.join(found.values())})"
    )


def upsert(act: Act) -> None:
    table = act.table
    keys = [key for key in table.keys if key.is_unique and not key.is_deferrable]
    if not keys:
        return insert(act)
    found = row_values(act, some_number(act))
    names = [table.column(n).sql for n in keys[0].columns]
    plain = [c.sql for c in table.plain() if c.sql in found]
    then = ", ".join(f"{name} = excluded.{name}" for name in plain)
    then = f"UPDATE SET {then}" if then else "NOTHING"
    act.session.execute(
        f"INSERT INTO {table.sql} ({', '.join(found)}) VALUES ({', '.join(found.values())})"
        f" ON CONFLICT ({', '.join(names)}) DO {then}"
    )


def update_many(act: Act) -> None:
    usable = [c for c in act.table.plain() if c.type in KINDS]
    if not usable:
        return
    sets = []
    for column in act.rng.sample(usable, min(2, len(usable))):
        number = f"(coalesce(hashtext(({column.sql})::text), 0) % 100000 + {act.rng.randint(10**5, 10**6)})"
        large = act.live.copied_rows <= 2000
        sets.append(f"{column.sql} = {value(act.rng, column.type, number, large=large)}")
    act.session.execute(f"UPDATE {act.table.sql} SET {', '.join(sets)} WHERE {share_of_rows(act)}")


def delete_many(act: Act) -> None:
    act.session.execute(f"DELETE FROM {act.table.sql} WHERE {share_of_rows(act)}")


def insert_many(act: Act) -> None:
    """Thousands of rows: a transaction that is sent while it runs."""
    table = act.table
    rows = act.rng.choice([50, 500, 2500])
    first = act.rng.choice([1, table.key_space, 10**6 + act.rng.randrange(10**6)])
    if not table.keys[0].is_unique:
        rows, first = min(rows, 200), some_number(act)
    conflict = "" if any(key.is_deferrable for key in table.keys) else " ON CONFLICT DO NOTHING"
    act.session.execute(fill(act.rng, table, first, first + rows) + conflict)


def copy_in(act: Act) -> None:
    table = act.table
    first = act.rng.choice([some_number(act), 2 * 10**6 + act.rng.randrange(10**6)])
    columns, query = rows_query(act.rng, table, first, first + act.rng.choice([3, 30, 300]))
    act.session.copy(table, columns, query)


def many_subtransactions(act: Act) -> None:
    """More than the server keeps in memory of one session; some are undone."""
    table = act.table
    first = act.rng.choice([1, 3 * 10**6 + act.rng.randrange(10**5)])
    columns, query = rows_query(act.rng, table, 1, 1)
    query = query.replace("generate_series(1::bigint, 1) n", "(SELECT i::bigint AS n) one")
    times = act.rng.choice([20, 90, 200])
    act.session.execute(
        f"DO $do$ BEGIN FOR i IN {first}..{first + times} LOOP BEGIN"
        f" INSERT INTO {table.sql} ({columns}) {query};"
        " IF i % 5 = 0 THEN RAISE unique_violation; END IF;"
        " EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $do$"
    )


def transfer(act: Act) -> None:
    """Whatever a look at the destination sees of these, the sum is the same."""
    amount, parts = act.rng.randint(1, 1000), []
    for name, change in act.rng.sample([("paid", -amount), ("received", amount)], 2):
        parts.append(
            f"INSERT INTO {name} AS t VALUES ({act.rng.randint(1, 40)}, {change})"
            " ON CONFLICT (id) DO UPDATE SET amount = t.amount + excluded.amount"
        )
    # One statement, as it may be a transaction of its own.
    act.session.execute(f"WITH one AS ({parts[0]}) {parts[1]}")


def message(act: Act) -> None:
    size = act.rng.choice([0, 10, 1000, 100_000])
    inside = act.rng.choice(["true", "false"])
    act.session.execute(
        f"SELECT pg_logical_emit_message({inside}, 'torture', repeat('m', {size}))::text"
    )


def truncate(act: Act) -> None:
    act.session.execute(f"TRUNCATE {act.table.sql}")


def truncate_two(act: Act) -> None:
    names = {act.table.sql, *(live.state.sql for live in act.others[:1])}
    act.session.execute(f"TRUNCATE {', '.join(sorted(names))}")


def truncate_and_fill(act: Act) -> None:
    act.session.execute(f"TRUNCATE {act.table.sql} RESTART IDENTITY")
    act.session.execute(fill(act.rng, act.table, 1, act.rng.choice([1, 20, 400])))


CHANGES: dict[str, tuple[float, Callable[[Act], None]]] = {
    "insert": (10, insert),
    "update": (12, update),
    "update-nothing": (1, update_nothing),
    "update-key": (4, update_key),
    "swap-keys": (2, swap_keys),
    "rotate-keys": (1, rotate_keys),
    "restate-key": (1, restate_key),
    "transfer": (3, transfer),
    "many-subtransactions": (0.2, many_subtransactions),
    "delete": (5, delete),
    "delete-and-insert": (2, delete_and_insert),
    "upsert": (5, upsert),
    "update-many": (0.6, update_many),
    "delete-many": (0.2, delete_many),
    "insert-many": (0.6, insert_many),
    "copy-in": (0.6, copy_in),
    "message": (0.7, message),
    "truncate": (0.03, truncate),
    "truncate-two": (0.02, truncate_two),
    "truncate-and-fill": (0.05, truncate_and_fill),
}
