"""SIGKILL of the engine at random moments: nothing lost, nothing twice, transactions whole."""

import random
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from conftest import chosen_versions
from harness import traffic
from harness.database import Database, difference
from harness.environment import create_database, drop_database, new_name
from harness.freshet import FreshetSystem
from harness.lsn import format_lsn
from harness.poller import Poller
from harness.scenario import Table
from harness.waiting import wait_until

ROWS = 1_000_000
RATE = 3_000
RATE_MIN = 2_000
COPY_SECONDS_MAX = 120
HUNG_KILLS_SHARE = 0.25
TABLES = [Table("public", name) for name in traffic.TABLES]


class Arena:
    """A source under load and the engine to be killed."""

    def __init__(self, pair, directory, copy_mode):
        self.pair = pair
        self.directory = directory
        self.options = {"source.copy.mode": copy_mode}
        self.name = new_name("kill")
        create_database(pair.source, self.name)
        traffic.make_tables(pair.source, self.name, ROWS)
        self.source = Database(pair.source, self.name)
        self.rounds = 0
        self.hung_seconds = 0.0
        self.system = None
        self.new_pipeline()

    def new_pipeline(self) -> None:
        """Begins anew at an empty destination, so that there is a copy to be killed."""
        if self.system:
            self.system.retire()
        self.rounds += 1
        target = f"{self.name}_{self.rounds}"
        create_database(self.pair.destination, target)
        self.system = FreshetSystem(
            self.source,
            Database(self.pair.destination, target),
            self.directory / f"round{self.rounds}",
            tables=TABLES,
            options=self.options,
        )

    def kill_at_random(self, number: int, wanted: int, seconds_max: float, hangs: bool) -> str:
        """Kills at a random moment, perhaps while commits hang; returns where that fell."""
        with self.hanging_commits(hangs):
            traffic.random_moment(seconds_max)
            self.system.check_alive()
            phases = Counter(self.system.phases())
            position = format_lsn(self.system.position())
            self.system.kill()
            where = place_of(set(phases))
            hung = ", commits hanging" if hangs else ""
            print(f"kill {number}/{wanted}: {where} {dict(phases)} at {position}{hung}", flush=True)
            if hangs:
                self.system.start()
                traffic.random_moment(0.5)
                self.system.kill()
        return where

    @contextmanager
    def hanging_commits(self, wanted: bool):
        """Commits are decoded, but no snapshot sees them: they wait for a standby there is not."""
        if not wanted:
            yield
            return
        server = self.pair.source
        server.set(synchronous_standby_names="nobody")
        waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        started = time.monotonic()
        try:
            wait_until(
                lambda: self.source.value(waiting) or server.reload(),
                "commits that hang",
                describe=self.describe_source,
            )
            yield
        finally:
            server.set(synchronous_standby_names="")
            self.hung_seconds += time.monotonic() - started

    def describe_source(self) -> str:
        sessions = "SELECT pid, backend_type, state, wait_event, left(query, 60) FROM pg_stat_activity"
        return "\n".join(str(row) for row in self.pair.source.execute(sessions))

    def compare(self) -> None:
        for table in TABLES:
            columns = self.source.columns_of(table)
            sums = [side.checksum_of(table, columns) for side in (self.source, self.system.target)]
            if sums[0] == sums[1]:
                continue
            wanted = self.source.rows_of(table, columns)
            told = difference(wanted, self.system.target.rows_of(table, columns)) or str(sums)
            assert not told, f"{table.name}: {told}"

    def wait_until_settled(self) -> None:
        wait_until(
            lambda: self.system.check_alive() or is_streaming(self.system),
            "all tables are streaming", seconds=COPY_SECONDS_MAX, describe=self.system.describe,
        )

    def close(self) -> None:
        if self.system:
            self.system.retire()
        self.source.close()
        drop_database(self.pair.source, self.name)


def place_of(phases: set[str]) -> str:
    if not phases:
        return "start"
    return "stream" if phases == {"streaming"} else "copy"


def is_streaming(system: FreshetSystem) -> bool:
    phases = system.phases()
    return len(phases) == len(TABLES) and set(phases) == {"streaming"}


@pytest.fixture
def arena(request, pairs, log_root):
    version = chosen_versions(request.config)[-1]
    copy_mode = getattr(request, "param", "auto")
    arena = Arena(pairs.get(version), log_root / f"kill_{copy_mode}_pg{version}", copy_mode)
    yield arena
    arena.close()


def catch_up(arena: Arena) -> None:
    arena.wait_until_settled()
    arena.system.wait_position(arena.source.barrier())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("arena", ["snapshot", "chunked"], indirect=True)
def test_killed_while_copying(arena, seed, request):
    wanted = request.config.getoption("--kills") // 2
    load = traffic.Traffic(arena.pair.source, arena.name, row_count=ROWS, rate=RATE / 5)
    killed = 0
    seconds_max = 3.0
    while killed < wanted:
        arena.system.start()
        hangs = random.random() < HUNG_KILLS_SHARE or killed == wanted - 1
        where = arena.kill_at_random(killed + 1, wanted, seconds_max, hangs)
        if where != "stream":
            killed += where == "copy"
            continue
        # The copy was over before the kill: the next one falls earlier, into a new copy.
        seconds_max = max(0.2, seconds_max * 0.7)
        arena.new_pipeline()
    arena.system.start()
    arena.wait_until_settled()
    load.stop()
    catch_up(arena)
    arena.compare()
    load.check_ledger(arena.pair.destination, arena.system.target.name)
    assert arena.system.stop() == 0
    arena.source.query("TRUNCATE ledger")


@pytest.mark.timeout(1800)
def test_killed_while_streaming(arena, seed, request):
    wanted = request.config.getoption("--kills") - request.config.getoption("--kills") // 2
    arena.system.start()
    catch_up(arena)
    sum_is_right = f"SELECT sum(balance) = {traffic.TOTAL} FROM accounts"
    looks = Poller(arena.pair.destination, arena.system.target.name, sum_is_right)
    hung_before = arena.hung_seconds
    load = traffic.Traffic(arena.pair.source, arena.name, row_count=ROWS, rate=RATE)
    for number in range(1, wanted + 1):
        hangs = random.random() < HUNG_KILLS_SHARE or number == wanted
        load.check()
        before = arena.system.position()
        assert arena.kill_at_random(number, wanted, 2.0, hangs) == "stream"
        arena.system.start()
        # Some kills come before the engine is back, most after it moved on.
        if random.random() < 0.8:
            wait_until(
                lambda start=before: arena.system.check_alive() or arena.system.position() > start,
                "the engine goes on", describe=arena.system.describe,
            )
    busy_seconds = time.monotonic() - load.started - (arena.hung_seconds - hung_before)
    rate = load.changes() / busy_seconds
    load.stop()
    print(f"traffic: {rate:.0f} changes/s; {looks.looks} looks at the destination")
    catch_up(arena)
    looks.finish()
    arena.compare()
    load.check_ledger(arena.pair.destination, arena.system.target.name)
    assert arena.system.stop() == 0
    if request.config.getoption("--kills") >= 50:
        assert rate >= RATE_MIN, f"only {rate:.0f} changes/s"
