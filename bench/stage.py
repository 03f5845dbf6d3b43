"""Two private servers, the source and the destination, and what the benchmarks do there."""

import os
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql
from servers import Postgres
from servers.binaries import find_client

from checksum import Tally, tally_copy_text

DATABASE = "bench"
SLOT_FREE_SECONDS_MAX = 30

# Of the shared peer figures: what makes runs alike, with durability as PostgreSQL comes.
_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "logical_decoding_work_mem": "64MB",
    "track_commit_timestamp": "on",
    "autovacuum": "off",
    "jit": "off",
    # Else the launcher holds a subscription's worker back for 5 s after the last one started.
    "wal_retrieve_retry_interval": "100ms",
}
# Freshet's own session settings: both sides of a comparison print values alike.
_SESSION = (
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex"
    " -c timezone=UTC"
)


@dataclass(frozen=True)
class Backlog:
    """Row changes that wait in a slot, and the position behind them."""

    rows: int
    transaction_rows: int
    end: str
    wal_mib: float


@dataclass(frozen=True)
class Fingerprint:
    """The number of a table's rows and a sum of PostgreSQL's own hashes over them."""

    rows: int
    sum: Decimal | None

    def difference(self, expected: "Fingerprint") -> str:
        """Says how this differs from what was expected; nothing if equal."""
        if self.rows != expected.rows:
            return f"{self.rows} rows, not {expected.rows}"
        return "" if self.sum == expected.sum else f"other values in the {self.rows} rows"


class Stage:
    """The servers, with `bench` as the database of both; gone when the `with` block ends."""

    def __init__(self, version: int):
        self._directory = tempfile.TemporaryDirectory(prefix="freshet-bench-")
        self.directory = Path(self._directory.name)
        self.source = Postgres(version, settings=_SETTINGS, fsync=True)
        self.destination = Postgres(version, settings=_SETTINGS, fsync=True)
        self.source.create_database(DATABASE)
        tables = (Path(__file__).parent / "workload.sql").read_text()
        self.source.execute(tables, dbname=DATABASE)
        self._passfile = self.directory / "pgpass"
        self._passfile.touch(mode=0o600)
        self._passfile.write_text(
            "".join(
                f"127.0.0.1:{server.port}:*:{server.user}:{server.password}\n"
                for server in (self.source, self.destination)
            )
        )

    def __enter__(self) -> "Stage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.source.close()
        self.destination.close()
        self._directory.cleanup()

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every contender runs with: no settings of ours but where the passwords are."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return kept | {
            "PGPASSFILE": str(self._passfile),
            "PATH": f"{self.source.installation.bin}{os.pathsep}{kept.get('PATH', '')}",
            "HOME": str(self.directory),
            "XDG_STATE_HOME": str(self.directory / "state"),
        }

    def client(self, name: str) -> str:
        """Returns a client program: of the servers' version if it is there, else the newest."""
        own = self.source.installation.program(name)
        return str(own if own.exists() else find_client(name))

    def sql(self, text: str, parameters: list[object] | None = None) -> list[tuple]:
        """Runs one statement at the source."""
        return self.source.execute(text, parameters, dbname=DATABASE)

    def checkpoint(self) -> None:
        """Takes what earlier work left to be written out of the next measurement."""
        for server in (self.source, self.destination):
            server.execute("CHECKPOINT")

    # -- slots ----------------------------------------------------------------

    def copy_slot(self, base: str, name: str) -> None:
        self.sql("SELECT pg_copy_logical_replication_slot(%s, %s)", [base, name])

    def drop_slot(self, name: str) -> None:
        """Drops a slot, if there is one, once its reader has left it."""
        deadline = time.monotonic() + SLOT_FREE_SECONDS_MAX
        while True:
            try:
                self.sql(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                    " WHERE slot_name = %s",
                    [name],
                )
                return
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    # -- workloads ------------------------------------------------------------

    def fill_copy_table(self, rows: int) -> None:
        with self.source.connect(DATABASE) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute("TRUNCATE bench_copy")
            connection.execute("CALL fill_copy(%s)", [rows])
            connection.execute("VACUUM (ANALYZE, FREEZE) bench_copy")

    def write_backlog(self, rows: int, transaction_rows: int) -> Backlog:
        """Fills bench_stream and ends the WAL segment, so that all of it is decodable."""
        with self.source.connect(DATABASE) as connection:
            connection.execute("SET synchronous_commit = off")
            start = _value(connection, "SELECT pg_current_wal_insert_lsn()")
            connection.execute("CALL write_backlog(%s, %s)", [rows, transaction_rows])
            end = _value(connection, "SELECT pg_current_wal_insert_lsn()")
            size = _value(connection, "SELECT pg_wal_lsn_diff(%s, %s)", [end, start])
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("VACUUM (ANALYZE) bench_stream")
        return Backlog(rows, transaction_rows, str(end), float(size) / (1 << 20))

    # -- comparing ------------------------------------------------------------

    def tally_source(self, table: str) -> Tally:
        """Sums the source's rows as the null destination does."""
        with self.source.connect(DATABASE, options=_SESSION) as connection:
            query = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
            with connection.cursor().copy(query) as copy:
                return tally_copy_text(bytes(chunk) for chunk in copy)

    def fingerprint(self, server: Postgres, table: str, database: str = DATABASE) -> Fingerprint:
        query = sql.SQL(
            "SELECT count(*), sum(hashtextextended(ROW(id, a, b, c, d, e)::text, 0)::numeric)"
            " FROM {}"
        )
        with server.connect(database, options=_SESSION) as connection:
            found = connection.execute(query.format(sql.Identifier(table))).fetchall()
        return Fingerprint(*found[0])

    def copy_definition(self, table: str, database: str) -> None:
        """Makes the source's table, empty, in a database of the destination."""
        with self.destination.connect(database) as connection:
            connection.execute(
                sql.SQL(
                    "CREATE TABLE {} (id bigint PRIMARY KEY, a int, b text, c timestamptz,"
                    " d numeric(12,2), e jsonb)"
                ).format(sql.Identifier(table))
            )

    def renew_database(self, name: str, template: str | None = None) -> None:
        """Makes a database of the destination anew: empty, or as a copy of another."""
        self.destination.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        source = f' TEMPLATE "{template}"' if template else ""
        self.destination.execute(f'CREATE DATABASE "{name}"{source}')


def _value(
    connection: psycopg.Connection, text: str, parameters: list[object] | None = None
) -> object:
    row = connection.execute(text, parameters).fetchone()
    if row is None:
        raise RuntimeError(f"no row: {text}")
    return row[0]
