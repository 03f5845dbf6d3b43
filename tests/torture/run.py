"""One run: servers, tables, writers and faults of one seed, and the comparisons in between."""

import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from harness.database import Database
from harness.engine import capture_sql, run_once
from harness.environment import Pair, create_database, drop_database, new_name
from harness.freshet import EngineEnded, FreshetSystem
from harness.lsn import format_lsn
from harness.scenario import Table
from harness.waiting import wait_until

from torture.balance import Balance
from torture.catalog import LiveTable
from torture.comparison import unlike
from torture.faults import FAULTS
from torture.journal import Journal
from torture.kinds import TYPES
from torture.plan import Plan
from torture.shapes import TRANSFER_TABLES, TRANSFERS, create, fill
from torture.writer import Shared, Writer

CATCH_UP_SECONDS_MAX = 150.0
# What the stream does not tell is looked for every five seconds, and then copied.
NOTICED_SECONDS_MAX = 40.0
_CONNECTION_LOST_CODE = 3
_DROP_TRIES_MAX = 20
# Keys that no writer makes.
_TOUCH_KEYS = 5_000_000


@dataclass
class Verdict:
    """What one seed came to."""

    seed: int
    version: int
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    def summary(self) -> str:
        faults = ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items())) or "none"
        get = self.counts.get
        return (
            f"seed {self.seed} pg {self.version}: {self.seconds:.0f} s, {get('operations', 0)} operations,"
            f" {get('transactions', 0)} transactions, {get('rows changed', 0)} rows changed,"
            f" faults: {faults}; engine started again {get('engine started again', 0)};"
            f" WAL that the server could not decode {get('undecodable', 0)};"
            f" {get('comparisons', 0)} comparisons:"
            f" {'FAILED' if self.problem else 'equal'}"
        )


class Torture:
    """The state of a run; faults work on it."""

    def __init__(self, plan: Plan, pair: Pair, directory: Path, *, known: str = ""):
        self.plan = plan
        self.pair = pair
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(directory / "operations.log")
        self.name = new_name("torture")
        self.source = Database(pair.source, self.name)
        self.target = Database(pair.destination, self.name)
        self.excused_codes = {0}
        self._known = known
        self._touches = 0
        self.tables: list[LiveTable] = []
        self.writers: list[Writer] = []
        self.verdict = Verdict(plan.seed, plan.version)
        self._rng = random.Random(f"faults {plan.seed}")
        self._started = time.monotonic()

    def run(self, seconds: float) -> Verdict:
        (self.directory / "plan.txt").write_text(self.plan.describe() + "\n")
        try:
            self._prepare()
            self._started = time.monotonic()
            self._write_for(seconds)
            assert self.system.stop() == 0, f"no clean stop\n{self.system.log_text()[-4000:]}"
        except Exception as error:
            self.verdict.problem = self._tell(error)
        finally:
            self.verdict.seconds = time.monotonic() - self._started
            self._clean()
            self.verdict.counts = dict(self.journal.counts)
        return self.verdict

    # -- the engine, which faults start again -------------------------------

    def start_engine(self) -> None:
        self.excused_codes = {0}
        self.system.start()

    def excuse(self) -> None:
        """The engine may end for want of a connection if it had none before: an operator's case."""
        self.excused_codes = {0, _CONNECTION_LOST_CODE}

    def begin_anew(self) -> None:
        """Removes pipeline and destination, and starts with an empty one in another mode of copying."""
        self.system.stop()
        path = str(self.system.config_path)
        for _ in range(_DROP_TRIES_MAX):
            code, said = run_once(["drop", "--yes", path], self.directory, env=self.system.env)
            # The source may be back from a crash, as below.
            if code == 0 or "in recovery mode" not in said:
                break
            time.sleep(0.5)
        assert code == 0, f"freshet drop ended with {code}\n{said}"
        self.target.close()
        drop_database(self.pair.destination, self.name)
        create_database(self.pair.destination, self.name)
        self.plan.options["source.copy.mode"] = self._rng.choice(["chunked", "snapshot", "auto"])
        self.start_engine()

    def check_engine(self) -> None:
        code = self.system.process.exit_code
        if code is None:
            return
        if self._is_undecodable():
            self.journal.write("faults", "the server cannot decode its WAL; begun anew")
            self.journal.count("undecodable")
            self.begin_anew()
            return
        is_known = self._known and re.search(self._known, self.system.process.log_tail()[-600:])
        is_known = is_known or (code == _CONNECTION_LOST_CODE and self._crashed_making_a_slot())
        if code == 0 or (code not in self.excused_codes and not is_known):
            raise EngineEnded(f"freshet ended with {code}\n{self.system.process.log_tail()}")
        self.journal.write("faults", f"freshet ended with {code}; started again")
        self.journal.count("engine started again")
        self.start_engine()

    def _is_undecodable(self) -> bool:
        """A defect of PostgreSQL's, which ends each of its walsenders: a relation is looked for by the
        number of a file that a rewrite rolled back. The engine told what to do, which is done here.
        """
        told = r"the server cannot decode its WAL: could not map file(node|number)"
        return re.search(told, self.system.process.log_tail()[-600:]) is not None

    def _crashed_making_a_slot(self) -> bool:
        """PostgreSQL 18.6 does if a transaction past logical_decoding_work_mem is rolled back meanwhile.

        cleanup_rel_sync_cache() goes through a cache that a slot being made has none of.
        """
        crash = r"terminated by signal 11.*\n.*Failed process was running: CREATE_REPLICATION_SLOT"
        return re.search(crash, self.pair.source.log_text()) is not None

    # -- the whole ----------------------------------------------------------

    def _wanted(self) -> list[Table]:
        return [*(Table("public", name) for name in TRANSFER_TABLES), *self.plan.wanted]

    def _prepare(self) -> None:
        for server in (self.pair.source, self.pair.destination):
            server.start()
            create_database(server, self.name)
        self.source.query(f"ALTER DATABASE {self.name} SET logical_decoding_work_mem = '64kB'")
        rng = random.Random(f"tables {self.plan.seed}")
        with self.pair.source.connect(self.name) as connection:
            connection.execute("SET ROLE app")
            connection.execute(TYPES)
            connection.execute(TRANSFERS)
            for draft, rows, space in self.plan.drafts:
                self.tables.append(create(connection, rng, draft, rows, space))
        if "ddl-capture" in self.plan.features:
            self.source.query(capture_sql("install", self.directory))
        self.system = FreshetSystem(
            self.source, self.target, self.directory,
            tables=self._wanted(),
            options=self.plan.options,
        )

    def _write_for(self, seconds: float) -> None:
        self.shared = Shared(self.pair.source, self.name, self.plan, self.tables, self.journal)
        starts_early = self._rng.random() < 0.5
        if not starts_early:
            self.start_engine()
        self.balance = Balance(self.pair.destination, self.name)
        self.writers = [Writer(self.shared, number) for number in range(self.plan.writers)]
        if starts_early:
            time.sleep(self._rng.uniform(0, 1))
            self.start_engine()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._trouble_for(min(end - time.monotonic(), self._rng.uniform(8, 18)))
            self._compare()
        self.shared.is_over.set()
        for writer in self.writers:
            writer.join()

    def _trouble_for(self, seconds: float) -> None:
        """Faults at random moments, for that long."""
        until = time.monotonic() + seconds
        faults = self.plan.faults if "faults" in self.plan.features else {}
        while time.monotonic() < until:
            pause = self._rng.expovariate(1 / self.plan.fault_seconds)
            self._watch_until(min(until, time.monotonic() + pause))
            if faults and time.monotonic() < until:
                name = self._rng.choices(list(faults), list(faults.values()))[0]
                self.journal.write("faults", name)
                FAULTS[name][1](self, self._rng)
                self.verdict.faults[name] = self.verdict.faults.get(name, 0) + 1

    def _watch_until(self, moment: float) -> None:
        while time.monotonic() < moment:
            self.check_engine()
            self.balance.check()
            for writer in self.writers:
                if writer.error:
                    raise writer.error
            time.sleep(min(0.1, max(0.0, moment - time.monotonic())))

    # -- quiet points -------------------------------------------------------

    def _compare(self) -> None:
        self.shared.is_quiet.set()
        wait_until(lambda: all(w.is_idle.is_set() for w in self.writers), "idle writers", seconds=90)
        self._decide_prepared()
        self._touch_altered()
        self._catch_up()
        told = unlike(self.source, self.target, self._wanted())
        if told and self.shared.rewritten.is_set():
            told = self._compare_patiently(told)
        self.journal.count("comparisons")
        self.balance.check()
        self.journal.write("compare", told or "equal")
        if told:
            raise AssertionError(told)
        self.shared.rewritten.clear()
        self.shared.is_quiet.clear()

    def _touch_altered(self) -> None:
        """A new definition travels with the next row: each altered table gets one."""
        with self.pair.source.connect(self.name) as connection:
            connection.execute("SET ROLE app")
            for live in self.tables:
                if not live.is_altered.is_set():
                    continue
                live.is_altered.clear()
                self._touches += 1
                number = _TOUCH_KEYS + self._touches
                statement = fill(self._rng, live.refresh(connection), number, number)
                self.journal.write("main", statement)
                connection.execute(statement)

    def _compare_patiently(self, told: str) -> str:
        """Rows that the server wrote anew are not in the stream: the engine has to see to them."""
        deadline = time.monotonic() + NOTICED_SECONDS_MAX
        while told and time.monotonic() < deadline:
            time.sleep(1)
            self._catch_up()
            told = unlike(self.source, self.target, self._wanted())
        return told

    def _decide_prepared(self) -> None:
        """Ends prepared transactions; some stay undecided over the comparison."""
        query = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY gid"
        rows = self.source.query(query)
        # A copy waits for what is open, and nobody reads a table whose definition is being changed.
        locked = "SELECT count(*) FROM pg_locks WHERE pid IS NULL AND mode = 'AccessExclusiveLock'"
        is_calm = self.is_all_streaming() and not self.shared.rewritten.is_set()
        keeps = self._rng.random() < 0.3 and is_calm and not self.source.value(locked)
        for (gid,) in [] if keeps else rows:
            literal = gid.replace("'", "''")
            word = self._rng.choice(["COMMIT", "ROLLBACK"])
            self.journal.write("main", f"{word} PREPARED '{literal}'")
            try:
                self.source.query(f"{word} PREPARED '{literal}'")
            except psycopg.errors.UndefinedObject:
                continue

    def _catch_up(self) -> None:
        self._wait_streaming()
        position = self.source.barrier()
        self.journal.write("compare", f"at {format_lsn(position)}")
        self._wait(lambda: self.system.position() >= position, f"position {format_lsn(position)}")
        self.system.check_acknowledged()
        self._wait_streaming()

    def is_all_streaming(self) -> bool:
        phases = self.system.phases()
        assert "errored" not in phases or self._lacks_truncate(), f"a table was set aside\n{self._describe()}"
        return len(phases) >= len(self._wanted()) and set(phases) == {"streaming"}

    def _lacks_truncate(self) -> bool:
        """A partition's own is not sent: a conflict may come before the engine sees the gap and mends it."""
        if self.plan.options.get("source.on_gap") != "resync":
            return False
        return bool(re.search(r'TRUNCATE "[^,]*_p0"$', self.journal.path.read_text(), re.MULTILINE))

    def _wait_streaming(self) -> None:
        self._wait(self.is_all_streaming, "all tables are streaming")

    def _wait(self, condition, what: str) -> None:
        def is_true() -> bool:
            self.check_engine()
            return condition()

        wait_until(is_true, what, seconds=CATCH_UP_SECONDS_MAX, describe=self._describe)

    def _describe(self) -> str:
        lines = [line for line in self.system.describe().splitlines() if " info progress " not in line]
        return "\n".join(lines + self.system.log_text().splitlines()[-1:])

    # -- the end ------------------------------------------------------------

    def _tell(self, error: Exception) -> str:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return (
            f"{self.plan.describe()}\n{kind}{error}\n"
            f"the last operations (all: {self.journal.path}):\n{self.journal.tail()}"
        )

    def _clean(self) -> None:
        if hasattr(self, "shared"):
            self.shared.is_over.set()
            for writer in self.writers:
                writer.join()
        if hasattr(self, "balance"):
            self.balance.finish()
            self.journal.count("looks", self.balance.looks)
        if hasattr(self, "system"):
            self.system.close()
        if self.verdict.problem:
            for where in ("source", "destination"):
                log = getattr(self.pair, where).log
                (self.directory / f"{where}.log").write_bytes(log.read_bytes()[-4_000_000:])
        self.journal.close()
        for database in (self.source, self.target):
            database.close()
            database.server.start()
            drop_database(database.server, self.name)
