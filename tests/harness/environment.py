"""Servers shared by a test session, and the databases and roles that tests get on them.

Per PostgreSQL version one server is the source and one the destination. Freshet connects as
`freshet`, which may replicate and belongs to `app`, the owner of the tables; it is no superuser.
The password that it uses is a canary: no output may ever show it.
"""

import itertools
import os
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from psycopg import sql
from servers import Postgres

CANARY = f"S3cr3t-CANARY-{secrets.token_hex(8)}"
FRESHET_ROLE = "freshet"
OWNER_ROLE = "app"
_MANY_LOCKS = {"max_locks_per_transaction": "512"}  # transactions that touch 10,000 tables
_SOURCE_SETTINGS = _MANY_LOCKS | {"track_commit_timestamp": "on", "wal_sender_timeout": "60s"}
_DESTINATION_SETTINGS = _MANY_LOCKS | {
    "wal_retrieve_retry_interval": "100ms",
    "max_logical_replication_workers": "30",
    "max_sync_workers_per_subscription": "4",
    "max_worker_processes": "40",
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Pair:
    """A source and a destination server of one major version."""

    version: int
    source: Postgres
    destination: Postgres

    def close(self) -> None:
        self.source.close()
        self.destination.close()


def start_pair(version: int) -> Pair:
    """Starts both servers and makes the roles."""
    pair = Pair(
        version,
        Postgres(version, settings=_SOURCE_SETTINGS),
        Postgres(version, settings=_DESTINATION_SETTINGS),
    )
    for server in (pair.source, pair.destination):
        make_roles(server)
    return pair


def make_roles(server: Postgres) -> None:
    password = sql.Literal(CANARY)
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE app LOGIN PASSWORD {}").format(password))
        connection.execute(
            sql.SQL("CREATE ROLE freshet LOGIN REPLICATION IN ROLE app PASSWORD {}").format(password)
        )


def new_name(stem: str) -> str:
    """Returns a name that nothing else on these servers has."""
    return f"{stem}_{os.getpid()}_{next(_numbers)}"


def create_database(server: Postgres, name: str, encoding: str = "") -> None:
    """Makes a database of the owner's in which `public` is open to it."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(
        sql.Identifier(name), sql.Identifier(OWNER_ROLE)
    )
    if encoding:
        statement += sql.SQL(" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING {}").format(
            sql.Literal(encoding)
        )
    with server.connect() as connection:
        connection.execute(statement)
    with server.connect(name) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO app, freshet")


def drop_database(server: Postgres, name: str) -> None:
    """Removes a database with the slots, prepared transactions and connections in it."""
    _roll_back_prepared(server, name)
    with server.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
            " WHERE database = %s AND active",
            [name],
        )
        slots = "SELECT slot_name FROM pg_replication_slots WHERE database = %s"
        for (slot,) in connection.execute(slots, [name]).fetchall():
            # A walsender that was told to end may need a moment to let go.
            connection.execute(
                """
                DO $$ BEGIN
                  FOR attempt IN 1..200 LOOP
                    BEGIN PERFORM pg_drop_replication_slot('%s'); RETURN;
                    EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.02);
                    WHEN undefined_object THEN RETURN; END;
                  END LOOP;
                END $$"""
                % slot
            )
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def _roll_back_prepared(server: Postgres, name: str) -> None:
    query = "SELECT gid FROM pg_prepared_xacts WHERE database = %s"
    left = server.execute(query, [name])
    if left:
        with server.connect(name) as connection:
            for (gid,) in left:
                connection.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))


def url_of(port: int, database: str, *, user: str = FRESHET_ROLE, secret: str = CANARY) -> str:
    """Returns a libpq URI; `secret` may be a ${VARIABLE} that is not to be quoted."""
    word = secret if secret.startswith("${") else quote(secret, safe="")
    return f"postgresql://{user}:{word}@127.0.0.1:{port}/{quote(database)}?sslmode=disable"
