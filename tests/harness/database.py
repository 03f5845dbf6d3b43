"""A superuser's connection that comes back after a restart, and what tests ask through it."""

from collections import Counter

import psycopg
from psycopg import sql
from servers import Postgres

from harness.environment import Pair, create_database, new_name
from harness.lsn import parse_lsn
from harness.scenario import Table

# Both sides of a comparison print values alike, whatever a scenario did to the defaults.
_OPTIONS = (
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex"
    " -c timezone=UTC -c default_transaction_read_only=off -c statement_timeout=0"
    " -c lc_monetary=C -c client_encoding=UTF8 -c application_name=harness"
)


def new_databases(pair: Pair, prefix: str) -> tuple["Database", "Database"]:
    """Makes an empty database of one new name on both servers: source and destination."""
    name = new_name(prefix)
    for server in (pair.source, pair.destination):
        create_database(server, name)
    return Database(pair.source, name), Database(pair.destination, name)


class Database:
    """One database of one server, seen by its superuser."""

    def __init__(self, server: Postgres, name: str):
        self.server = server
        self.name = name
        self._connection: psycopg.Connection | None = None

    def query(self, text: str | sql.Composable, parameters=None) -> list[tuple]:
        """Runs one statement; tries once more on a new connection if the old one is gone."""
        try:
            return self._query(text, parameters)
        except psycopg.OperationalError:
            self.close()
            return self._query(text, parameters)

    def value(self, text: str | sql.Composable, parameters=None):
        rows = self.query(text, parameters)
        return rows[0][0] if rows else None

    def checksum(self, table: str) -> tuple:
        """Returns the number of rows of a large table and a sum of hashes over whole rows."""
        [row] = self.query(
            "SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 16))::bit(64)::bigint"
            f"::numeric), 0) FROM {table} t"
        )
        return row

    def barrier(self) -> int:
        """Returns a position behind all that was committed so far, and has it decodable."""
        self.query("SET synchronous_commit = local")
        self.query("SELECT pg_logical_emit_message(true, 'barrier', '')")
        return parse_lsn(self.value("SELECT pg_current_wal_flush_lsn()"))

    def columns_of(self, table: Table) -> tuple[str, ...]:
        """Returns the columns that the scenario names, or all that are not generated."""
        if table.columns:
            return table.columns
        rows = self.query(
            """
            SELECT attname FROM pg_attribute
            WHERE attrelid = format('%%I.%%I', %s::text, %s::text)::regclass
              AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            ORDER BY attnum""",
            [table.schema, table.name],
        )
        return tuple(name for (name,) in rows)

    def rows_of(self, table: Table, columns: tuple[str, ...], where: str = "") -> Counter[str]:
        """Returns the rows in COPY's text form with their number: comparing two is EXCEPT ALL."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("COPY (SELECT {} FROM {}.{}").format(
            names, sql.Identifier(table.schema), sql.Identifier(table.name)
        )
        query += sql.SQL(f" WHERE {where}" if where else "") + sql.SQL(") TO STDOUT")
        data = bytearray()
        with self._connect().cursor().copy(query) as copy:
            for chunk in copy:
                data += chunk
        return Counter(data.decode().split("\n")[:-1])

    def checksum_of(self, table: Table, columns: tuple[str, ...]) -> list[tuple]:
        """Returns the number of rows and a sum over their hashes: for tables too large to fetch."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL(
            "SELECT count(*), sum(hashtextextended(ROW({})::text, 0)::numeric) FROM {}.{}"
        )
        return self.query(
            query.format(names, sql.Identifier(table.schema), sql.Identifier(table.name))
        )

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _connect(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self.server.connect(self.name, options=_OPTIONS)
        return self._connection

    def _query(self, text: str | sql.Composable, parameters) -> list[tuple]:
        cursor = self._connect().execute(text, parameters)
        return cursor.fetchall() if cursor.description else []


def difference(expected: Counter[str], found: Counter[str], limit: int = 5) -> str:
    """Tells the first rows that are missing or too many; nothing if there are none."""
    missing, extra = expected - found, found - expected
    if not missing and not extra:
        return ""
    told = [f"missing {missing.total()}, too many {extra.total()}"]
    told += [f"  missing: {row[:200]}" for row in list(missing)[:limit]]
    told += [f"  too many: {row[:200]}" for row in list(extra)[:limit]]
    return "\n".join(told)
