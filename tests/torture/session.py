"""A writer's connection: statements go into the journal, and rows are counted."""

import psycopg

from torture.catalog import LiveTable, TableState
from torture.journal import Journal

_SETTINGS = """
SET deadlock_timeout = '100ms'; SET lock_timeout = '300ms'; SET statement_timeout = '30s';
SET ROLE app"""
_COMMIT = (
    "SELECT pg_current_xact_id_if_assigned()::text, pg_current_wal_insert_lsn()::text; "
)


class Session:
    """One connection and what its open transaction has done."""

    def __init__(self, server, database: str, name: str, journal: Journal, *, is_lazy: bool):
        self.name = name
        self.journal = journal
        self.connection: psycopg.Connection = server.connect(database)
        self.connection.prepare_threshold = None
        self.connection.execute(_SETTINGS)
        if is_lazy:
            self.connection.execute("SET synchronous_commit = off")
        self.altered: set[LiveTable] = set()
        self.rows = 0

    def execute(self, statement: str) -> int:
        """Runs a statement and returns how many rows it changed."""
        self.journal.write(self.name, statement)
        changed = max(0, self.connection.execute(statement).rowcount)
        self._count(changed if not statement.startswith(("SELECT", "ALTER", "CREATE")) else 0)
        return changed

    def copy(self, table: TableState, columns: str, query: str) -> None:
        """Writes the rows of a query by COPY FROM."""
        data = bytearray()
        with self.connection.cursor().copy(f"COPY ({query}) TO STDOUT") as reading:
            for chunk in reading:
                data += chunk
        into = f"COPY {table.sql} ({columns}) FROM STDIN"
        self.journal.write(self.name, f"{into} -- {query}")
        cursor = self.connection.cursor()
        with cursor.copy(into) as writing:
            writing.write(bytes(data))
        self._count(max(0, cursor.rowcount))

    def table(self, live: LiveTable) -> TableState:
        """The table as this transaction sees it."""
        return live.seen_by(self.connection) if live in self.altered else live.state

    def end(self, statement: str) -> None:
        """COMMIT, ROLLBACK or PREPARE TRANSACTION, told with the transaction's number and position."""
        xid, lsn = self.connection.execute(_COMMIT + statement).fetchone()
        self.journal.write(self.name, f"{statement} -- xid {xid} after {lsn}")

    def is_in_transaction(self) -> bool:
        return self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def close(self) -> None:
        self.connection.close()

    def _count(self, changed: int) -> None:
        self.rows += changed
        self.journal.count("operations")
        self.journal.count("rows changed", changed)
