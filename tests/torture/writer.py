"""Writers: each a thread with a session of its own, transactions of random shape and end."""

import itertools
import random
import threading
import time
from dataclasses import dataclass, field

import psycopg

from torture.catalog import LiveTable
from torture.changes import CHANGES, Act
from torture.definitions import DEFINITIONS
from torture.journal import Journal
from torture.plan import Plan
from torture.session import Session

_RECONNECT_SECONDS_MAX = 90
_STOP_SECONDS_MAX = 90
_PREPARED_SECONDS_MAX = 3
_LENGTHS = ((0.35, 1, 1), (0.4, 2, 6), (0.2, 5, 30), (0.05, 30, 120))


@dataclass
class Shared:
    """What all writers of a run have in common."""

    server: object
    database: str
    plan: Plan
    tables: list[LiveTable]
    journal: Journal
    # Set while nobody may write; a comparison waits until all of them are idle.
    is_quiet: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)
    rewritten: threading.Event = field(default_factory=threading.Event)
    gids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


class Writer:
    """A thread that writes until told to be quiet, and goes on when it may."""

    def __init__(self, shared: Shared, number: int):
        self.name = f"w{number}"
        self.error: BaseException | None = None
        self.is_idle = threading.Event()
        self._shared = shared
        self._rng = random.Random(f"writer {shared.plan.seed} {number}")
        self._is_lazy = "lazy-commits" in shared.plan.features and number % 2 == 0
        self._session: Session | None = None
        self._savepoints: list[str] = []
        self._prepared: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True, name=self.name)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(_STOP_SECONDS_MAX)
        assert not self._thread.is_alive(), f"{self.name} hangs"

    # -- the thread ---------------------------------------------------------

    def _run(self) -> None:
        shared = self._shared
        try:
            while not shared.is_over.is_set():
                if shared.is_quiet.is_set():
                    self.is_idle.set()
                    shared.is_over.wait(0.02)
                    continue
                self.is_idle.clear()
                try:
                    self._step()
                except psycopg.OperationalError as error:
                    self._lose(error)
        except BaseException as error:
            self.error = error
        finally:
            if self._session:
                self._session.close()
            self.is_idle.set()

    def _step(self) -> None:
        if self._session is None or self._session.connection.closed:
            self._connect()
        try:
            self._finish_prepared()
            self._transaction()
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            self._undo(error)
        if self._session.altered:
            for live in self._session.altered:
                live.is_altered.set()
                live.refresh(self._session.connection)
            self._session.altered.clear()
        if self._rng.random() < 0.3:
            time.sleep(self._rng.expovariate(100))

    def _connect(self) -> None:
        deadline = time.monotonic() + _RECONNECT_SECONDS_MAX
        while True:
            try:
                shared = self._shared
                self._session = Session(
                    shared.server, shared.database, self.name, shared.journal, is_lazy=self._is_lazy
                )
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        # A commit whose answer was lost may have altered any table.
        for live in self._shared.tables:
            live.is_altered.set()
            live.refresh(self._session.connection)

    def _lose(self, error: psycopg.Error) -> None:
        session = self._session
        if session and not session.connection.closed and session.connection.info.status == 0:
            try:
                return self._undo(error)  # a lock that was not had in time, a deadlock
            except psycopg.OperationalError as lost:  # the server crashed just then
                error = lost
        self._shared.journal.write(self.name, f"lost the connection: {error}")
        self._shared.journal.count("connections lost")
        if session:
            session.close()
        self._session = None

    def _undo(self, error: psycopg.Error) -> None:
        self._shared.journal.write(self.name, _words(error))
        self._shared.journal.count("transactions failed")
        if self._session.is_in_transaction():
            self._session.connection.execute("ROLLBACK")
            self._shared.journal.write(self.name, "ROLLBACK")

    # -- transactions -------------------------------------------------------

    def _transaction(self) -> None:
        rng, session = self._rng, self._session
        session.rows = 0
        _, least, most = rng.choices(_LENGTHS, [share for share, _, _ in _LENGTHS])[0]
        length = rng.randint(least, most)
        if length == 1 and rng.random() < 0.5:
            self._change()
            self._shared.journal.count("transactions")
            return
        self._execute("BEGIN")
        self._savepoints = []
        for _ in range(length):
            self._mark()
            self._guarded_change()
            if rng.random() < 0.02:
                time.sleep(rng.uniform(0, 0.2))
            if rng.random() < 0.002:
                self._shared.is_quiet.wait(rng.uniform(1, 5))
            if self._shared.is_quiet.is_set():
                break
        self._end()

    def _end(self) -> None:
        rng = self._rng
        ending = rng.random()
        if ending < 0.12:
            self._session.end("ROLLBACK")
            self._shared.journal.count("transactions rolled back")
        elif ending < 0.22 and "prepared" in self._shared.plan.features:
            gid = f"{self._shared.database} {self.name} {next(self._shared.gids)} it's"
            literal = gid.replace("'", "''")
            self._session.end(f"PREPARE TRANSACTION '{literal}'")
            due = time.monotonic() + rng.uniform(0, _PREPARED_SECONDS_MAX) ** 2 / _PREPARED_SECONDS_MAX
            self._prepared.append((due, literal))
            self._shared.journal.count("transactions prepared")
        else:
            self._session.end("COMMIT")
            self._shared.journal.count("transactions")

    def _finish_prepared(self) -> None:
        for due, gid in list(self._prepared):
            if due <= time.monotonic():
                self._prepared.remove((due, gid))
                word = "ROLLBACK" if self._rng.random() < 0.25 else "COMMIT"
                self._execute(f"{word} PREPARED '{gid}'")

    def _mark(self) -> None:
        """Sets, releases or goes back to a savepoint, or leaves things as they are."""
        if "savepoints" not in self._shared.plan.features:
            return
        dice = self._rng.random()
        if dice < 0.15:
            self._savepoints.append(f"s{len(self._savepoints)}")
            self._execute(f"SAVEPOINT {self._savepoints[-1]}")
        elif dice < 0.22 and self._savepoints:
            self._back_to(self._rng.randrange(len(self._savepoints)))
        elif dice < 0.26 and self._savepoints:
            at = self._rng.randrange(len(self._savepoints))
            self._execute(f"RELEASE {self._savepoints[at]}")
            del self._savepoints[at:]

    def _back_to(self, at: int) -> None:
        self._execute(f"ROLLBACK TO {self._savepoints[at]}")
        del self._savepoints[at + 1 :]

    def _guarded_change(self) -> None:
        """An error inside a savepoint may cost only what came after it."""
        try:
            if self._rng.random() < self._shared.plan.ddl_share and self._may_define():
                self._define()
            else:
                self._change()
        except psycopg.Error as error:
            lost = self._session.connection.closed
            if lost or not self._savepoints or self._rng.random() < 0.3:
                raise
            self._shared.journal.write(self.name, _words(error))
            self._back_to(self._rng.randrange(len(self._savepoints)))

    def _may_define(self) -> bool:
        plan = self._shared.plan
        if "ddl" not in plan.features or not plan.definitions:
            return False
        # PostgreSQL 18 cannot send a transaction in parts if one of its subtransactions changed a
        # table and was undone.
        return not (self._savepoints and plan.version >= 18)

    def _change(self) -> None:
        weights = self._shared.plan.changes
        name = self._rng.choices(list(weights), list(weights.values()))[0]
        if name.startswith("truncate") and not self._may_truncate():
            return
        tables = self._rng.sample(self._shared.tables, len(self._shared.tables))
        act = Act(self._session, tables[0], self._rng, tables[1:])
        CHANGES[name][1](act)

    def _may_truncate(self) -> bool:
        return not (self._savepoints and self._shared.plan.version >= 18)

    def _define(self) -> None:
        plan, rng = self._shared.plan, self._rng
        live = rng.choice(self._shared.tables)
        name = rng.choices(list(plan.definitions), list(plan.definitions.values()))[0]
        self._session.altered.add(live)
        table = self._session.table(live)
        statements, may_rewrite = DEFINITIONS[name][1](rng, table)
        keys = {table.column(number).sql for number in table.key_columns()}
        if name == "widen" and "key-types" not in plan.features:
            statements = [s for s in statements if not any(key in s for key in keys)]
        if may_rewrite:
            self._shared.rewritten.set()
        for statement in statements:
            self._execute(statement)
            self._shared.journal.count("definitions changed")

    def _execute(self, statement: str) -> None:
        self._shared.journal.write(self.name, statement)
        self._session.connection.execute(statement)


def _words(error: psycopg.Error) -> str:
    return f"-- {error.diag.message_primary or error} {error.diag.message_detail or ''}".rstrip()
