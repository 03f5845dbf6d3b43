"""Tables as the source's catalogue has them now: what the next statement is written from."""

import threading
from dataclasses import dataclass, field, replace

import psycopg

_COLUMNS = """
SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.attgenerated::text <> '', a.attidentity::text <> '', a.atthasdef
FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_DEPENDED_ON = """
SELECT DISTINCT refobjsubid FROM pg_depend
WHERE refclassid = 'pg_class'::regclass AND refobjid = %s AND refobjsubid > 0"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Column:
    number: int
    name: str
    type: str
    is_required: bool
    is_generated: bool
    is_identity: bool
    has_default: bool
    is_depended_on: bool = False

    @property
    def sql(self) -> str:
        return quoted(self.name)


@dataclass(frozen=True)
class Key:
    """Columns by their numbers, which a rename does not change."""

    columns: tuple[int, ...]
    is_unique: bool = True
    is_deferrable: bool = False


@dataclass(frozen=True)
class TableState:
    """One version of a table. `key_space`: rows have keys made of 1 … key_space, most of them."""

    oid: int
    name: str
    identity: str
    keys: tuple[Key, ...]
    key_space: int
    partitions: str = ""
    columns: tuple[Column, ...] = field(default=())

    @property
    def sql(self) -> str:
        return quoted(self.name)

    def column(self, number: int) -> Column:
        return next(c for c in self.columns if c.number == number)

    def key_columns(self) -> set[int]:
        return {number for key in self.keys for number in key.columns}

    def writable(self) -> list[Column]:
        """Columns that an INSERT may name."""
        return [c for c in self.columns if not c.is_generated and not c.is_identity]

    def plain(self) -> list[Column]:
        """Columns that are no part of a key."""
        keys = self.key_columns()
        return [c for c in self.writable() if c.number not in keys]


class LiveTable:
    """A table whose newest committed state all writers share."""

    def __init__(self, state: TableState, copied_rows: int):
        self.copied_rows = copied_rows
        self.is_altered = threading.Event()
        self._state = state
        self._lock = threading.Lock()

    @property
    def state(self) -> TableState:
        with self._lock:
            return self._state

    def refresh(self, connection: psycopg.Connection) -> TableState:
        """Reads the catalogue anew: whatever became of a transaction, this is what holds."""
        state = self.seen_by(connection)
        with self._lock:
            self._state = state
        return state

    def seen_by(self, connection: psycopg.Connection) -> TableState:
        """The state as an open transaction sees it."""
        state = self.state
        used = {n for (n,) in connection.execute(_DEPENDED_ON, [state.oid]).fetchall()}
        rows = connection.execute(_COLUMNS, [state.oid]).fetchall()
        return replace(state, columns=tuple(Column(*row, row[0] in used) for row in rows))
