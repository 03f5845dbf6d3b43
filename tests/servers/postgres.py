"""A private PostgreSQL server."""

import atexit
import os
import shutil
import signal
import subprocess
import time
import weakref
from pathlib import Path
from urllib.parse import quote

import psycopg

from servers.accounts import make_server_dir, server_account
from servers.binaries import find_client, find_postgres
from servers.ports import free_port
from servers.processes import children_of, is_alive
from servers.template import SUPERUSER, copy_template

START_SECONDS_MAX = 180
STOP_SECONDS_MAX = 180
_PORT_TRIES_MAX = 5
_STOP_SIGNALS = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_replication_slots": "50",
    "max_wal_senders": "50",
    "max_prepared_transactions": "50",
    "max_connections": "100",
    "max_wal_size": "4GB",
    "shared_buffers": "64MB",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class ServerError(RuntimeError):
    """The server did not do what was asked; the message ends with its log."""


class Postgres:
    """A server of one major version, on a free loopback port, in a directory of its own.

    Starts at once; `close()`, or leaving the `with` block, stops it and removes
    the directory. Local connections need the password, as do those over TCP.
    With `fsync=False`, the default, a crash of the machine could lose data, but
    `kill()` and `stop("immediate")` do not.
    """

    def __init__(
        self, version: int = 18, *, settings: dict[str, str] | None = None, fsync: bool = False
    ):
        self.installation = find_postgres(version)
        self.version = version
        self.user = SUPERUSER
        self.settings = _SETTINGS | {"fsync": "on" if fsync else "off"} | (settings or {})
        self.port = free_port()
        self._account = server_account()
        self._process: subprocess.Popen | None = None
        self.directory = make_server_dir(self._account, is_durable=fsync)
        atexit.register(_close_weakly, weakref.ref(self))
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.password = self._make_data()
        self.passfile = self.directory / "pgpass"
        self.write_private(self.passfile, f"*:*:*:{self.user}:{self.password}\n", ours=True)
        with open(self.data / "postgresql.conf", "a") as config:
            config.write("include = 'freshet.conf'\n")
        self.start()

    @property
    def has_pgvector(self) -> bool:
        return self.installation.has_pgvector

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError("the server is not running")
        return self._process.pid

    # -- life ---------------------------------------------------------------

    def start(self) -> None:
        """Starts the server and waits until it accepts connections."""
        if self.is_running:
            return
        for attempt in range(_PORT_TRIES_MAX):
            self._write_settings()
            log_size = self.log.stat().st_size if self.log.exists() else 0
            postgres = self.installation.program("postgres")
            self._process = self._account.spawn([str(postgres), "-D", str(self.data)], self.log)
            if self._wait_until_ready():
                return
            # Between restarts the port stays, as others have it in their settings;
            # somebody may have taken it before the first start only.
            is_taken = "Address already in use" in self.log_text()[log_size:]
            if not is_taken or attempt + 1 == _PORT_TRIES_MAX:
                break
            if log_size == 0 or attempt > 0:
                self.port = free_port()
        raise ServerError(f"PostgreSQL {self.version} did not start:\n{self.log_text()[-2000:]}")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: "smart", "fast" or "immediate" (which is a crash of all backends)."""
        if self._process is None:
            return
        self._process.send_signal(_STOP_SIGNALS[mode])
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise ServerError(f"no stop ({mode}) in time:\n{self.log_text()[-2000:]}") from None
        self._process = None

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kills the server and all its processes with SIGKILL; `start()` then recovers."""
        if self._process is None:
            return
        children = children_of(self._process.pid)
        self._process.kill()
        self._process.wait()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _wait_until(lambda: not any(is_alive(pid) for pid in children), STOP_SECONDS_MAX)
        self._process = None

    def close(self) -> None:
        """Stops the server and removes its directory; does nothing the second time."""
        if self.is_running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # -- settings -----------------------------------------------------------

    def set(self, **settings: str) -> None:
        """Changes settings and reloads; those that need a restart wait for `restart()`."""
        self.settings.update({name: str(value) for name, value in settings.items()})
        self._write_settings()
        self.reload()

    def set_hba(self, lines: str, *, keep: bool = True) -> None:
        """Puts lines at the head of pg_hba.conf, or in place of it, and reloads."""
        path = self.data / "pg_hba.conf"
        rest = path.read_text() if keep else ""
        path.write_text(lines.rstrip("\n") + "\n" + rest)
        self.reload()

    def reload(self) -> None:
        if self.is_running:
            self._process.send_signal(signal.SIGHUP)

    # -- talking to it ------------------------------------------------------

    def dsn(
        self, dbname: str = "postgres", *, user: str | None = None, password: str | None = None
    ) -> str:
        """Returns a libpq URI with a password: the superuser's unless a user is named."""
        name = user or self.user
        secret = password if user else self.password
        login = quote(name, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"

    def connect(self, dbname: str = "postgres", **options) -> psycopg.Connection:
        """Returns a superuser's connection, in autocommit mode unless told otherwise."""
        return psycopg.connect(self.dsn(dbname), **({"autocommit": True} | options))

    def execute(self, sql: str, parameters=None, *, dbname: str = "postgres") -> list[tuple]:
        """Runs one statement (several, without parameters) and returns the last one's rows."""
        with self.connect(dbname) as connection:
            cursor = connection.execute(sql, parameters)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, parameters=None, *, dbname: str = "postgres"):
        """Returns the first column of the first row."""
        return self.execute(sql, parameters, dbname=dbname)[0][0]

    def create_database(self, name: str) -> str:
        """Makes an empty database and returns its URI."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.dsn(name)

    def psql(self, script: str, dbname: str = "postgres", *, flags: tuple[str, ...] = ()) -> str:
        """Runs a script by psql, stopping at the first error, and returns its unaligned output."""
        command = [str(find_client("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", *flags]
        done = subprocess.run(
            [*command, "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "-d", dbname],
            input=script,
            text=True,
            capture_output=True,
            env=os.environ | {"PGPASSFILE": str(self.passfile)},
        )
        if done.returncode != 0:
            raise ServerError(f"psql ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # -- inside -------------------------------------------------------------

    def _make_data(self) -> str:
        """Makes the data directory and returns the superuser's password."""
        return copy_template(self.installation, self._account, self.data)

    def _write_settings(self) -> None:
        fixed = {"port": str(self.port), "unix_socket_directories": str(self.directory)}
        lines = []
        for name, value in (self.settings | fixed).items():
            escaped = str(value).replace("'", "''")
            lines.append(f"{name} = '{escaped}'\n")
        self.write_private(self.data / "freshet.conf", "".join(lines))

    def write_private(self, path: Path, text: str, *, ours: bool = False) -> None:
        path.write_text(text)
        path.chmod(0o600)
        if not ours:
            self._account.own(path)

    def _wait_until_ready(self) -> bool:
        """Waits for the word that the server writes into postmaster.pid; False if it died."""
        pid_file = self.data / "postmaster.pid"

        def is_settled() -> bool:
            if not self.is_running:
                return True
            try:
                lines = pid_file.read_text().splitlines()
            except OSError:
                return False
            # A file left by a crash names another process.
            return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

        if not _wait_until(is_settled, START_SECONDS_MAX):
            self.kill()
        if not self.is_running:
            self._process = None
            return False
        return True


def _wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _close_weakly(reference: "weakref.ref[Postgres]") -> None:
    server = reference()
    if server is not None:
        server.close()
