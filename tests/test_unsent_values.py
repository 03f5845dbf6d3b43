"""Rows that come to the destination without their large values are read again, one by one."""

import random
import threading
import time

import psycopg
import pytest
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.scenario import Table
from harness.waiting import wait_until

ROWS = 100_000
COPIED_AGAIN = "copying the table again"
# `p` is filtered by its publication (from 15 on), `u` by Freshet, `c` not at all, but copied in part.
TABLES = ("p", "u", "c")
FILTER = "v > 10"
KEYS = 40


class ValuesPlace(Place):
    """Three tables with large values that updates do not send."""

    def __init__(self, pair, directory):
        super().__init__(pair, "values", directory)
        for table in TABLES:
            key = "" if table == "p" else " PRIMARY KEY"
            self.source.query(f"CREATE TABLE {table} (id int NOT NULL{key}, v int NOT NULL, a text, b text)")
            self.source.query(f"ALTER TABLE {table} ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL")
            self.source.query(f"ALTER TABLE {table} OWNER TO app")
        self.source.query("CREATE UNIQUE INDEX p_identity ON p (id, v)")
        self.source.query("ALTER TABLE p REPLICA IDENTITY USING INDEX p_identity")
        self.system = FreshetSystem(
            self.source, self.target, self.directory, tables=[],
            options={"source.tables": [
                {"name": "public.p", "where": FILTER},
                {"name": "public.u", "where": FILTER},
                {"name": "public.c", "copy_where": FILTER},
            ]},
        )  # fmt: skip

    def fill(self, rows: int) -> None:
        for table in TABLES:
            self.source.query(
                f"INSERT INTO {table} SELECT n, 5, repeat('a', 3000) || n, CASE WHEN n < 1000"
                f" THEN repeat('b', 3000) || n END FROM generate_series(1, {rows}) n"
            )
            self.source.query(f"ANALYZE {table}")

    def start(self) -> None:
        self.system.start()
        self.wait_streaming()

    def wait_blocked(self) -> None:
        blocked = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND application_name LIKE 'freshet%'"
        )
        wait_until(lambda: self.source.query(blocked), "freshet waits for a lock", describe=self.system.describe)

    def wait_streaming(self) -> None:
        wait_until(lambda: self.system.phases() == ["streaming"] * len(TABLES), "all tables are streaming",
                   seconds=60, describe=self.system.describe)  # fmt: skip

    def unlike(self, table: str) -> str:
        where = "" if table == "c" else FILTER
        return self.difference(Table("public", table), ("id", "v", "a", "b"), where)

    def check(self) -> None:
        self.settle()
        for table in TABLES:
            assert not (told := self.unlike(table)), f"{table}: {told}\n{self.system.describe()}"
        assert COPIED_AGAIN not in self.system.log_text(), self.system.log_text()


place = place_fixture(ValuesPlace)


def test_rows_of_a_large_table_come_in_one_by_one(place):
    place.fill(ROWS)
    place.start()
    for table in TABLES:
        place.source.query(f"UPDATE {table} SET v = 20 WHERE id = 7")
        place.source.query(f"UPDATE {table} SET v = 20 WHERE id BETWEEN 40000 AND 40999")
    place.settle()
    for table in TABLES:
        found = place.target.query(f"SELECT count(*), min(length(a)), count(b) FROM {table}")
        assert found == [(1001, 3001, 1)], (table, found)
    # The other rows of `c` come as they are updated.
    place.source.query("DELETE FROM c WHERE id > 5000 AND v < 10")
    place.source.query("UPDATE c SET v = v + 1")
    place.check()


def test_killed_while_a_row_is_read_again(place):
    place.fill(50)
    place.start()
    for number in range(6):
        lock = place.source.server.connect(place.source.name)
        lock.autocommit = False
        table = TABLES[number % 3]
        # Who reads the row again waits for this lock, and is killed meanwhile.
        place.source.query(f"UPDATE {table} SET v = 20 + {number} WHERE id = {number + 1}")
        lock.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        place.source.query("SELECT pg_sleep(0.2)")
        place.system.kill()
        lock.rollback()
        lock.close()
        place.source.query(f"UPDATE {table} SET id = 1000 + id WHERE id = {number + 1}")
        place.source.query(f"UPDATE {table} SET id = {number + 1} WHERE id = {number + 11}")
        place.start()
    place.source.query("UPDATE c SET v = v + 1")
    place.check()


def test_stopped_while_a_row_of_a_locked_table_is_awaited(place):
    place.fill(50)
    place.start()
    for table in ("p", "u"):
        lock = place.source.server.connect(place.source.name)
        lock.autocommit = False
        place.settle()
        lock.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        lock.execute(f"UPDATE {table} SET v = 20 WHERE id = 1")
        lock.execute("COMMIT; BEGIN")
        lock.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        place.wait_blocked()
        assert place.system.stop() == 0
        place.system.start()  # which reads the definitions of tables
        place.wait_blocked()
        assert place.system.stop() == 0
        lock.rollback()
        lock.close()
        place.start()
    place.source.query("UPDATE c SET v = v + 1")
    place.check()


class Mover(threading.Thread):
    """Takes rows in and out of the filters, changes them, and moves them through each other's keys."""

    def __init__(self, place: ValuesPlace, seed: str, is_over: threading.Event):
        super().__init__(daemon=True)
        self._place = place
        self._rng = random.Random(seed)
        self._is_over = is_over
        self.transactions = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with self._place.source.server.connect(self._place.source.name) as connection:
                while not self._is_over.is_set():
                    self._transaction(connection)
                    time.sleep(self._rng.choice([0, 0, 0.002, 0.02]))
        except Exception as error:
            self.error = error

    def _transaction(self, connection: psycopg.Connection) -> None:
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '1s'")
                for _ in range(self._rng.choice([1, 1, 2, 5])):
                    is_undone = self._rng.random() < 0.1
                    with connection.transaction(force_rollback=is_undone):
                        self._change(connection)
            self.transactions += 1
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
            pass

    def _change(self, connection: psycopg.Connection) -> None:
        rng, table = self._rng, self._rng.choice(TABLES)
        one, two = rng.sample(range(1, KEYS + 1), 2)
        value, large = rng.choice([1, 5, 11, 20, rng.randint(0, 1000)]), f"repeat('{rng.randint(0, 999)},', 900)"
        statements = {
            f"UPDATE {table} SET v = {value} WHERE id = {one}": 8,
            f"UPDATE {table} SET v = 30 - v WHERE id IN ({one}, {two})": 3,
            f"UPDATE {table} SET a = {large} WHERE id = {one}": 2,
            f"UPDATE {table} SET v = {value}, b = {large} WHERE id = {one}": 2,
            f"UPDATE {table} SET id = {two} WHERE id = {one}": 2,
            f"UPDATE {table} SET v = {value}, id = {two} WHERE id = {one}": 2,
            f"UPDATE {table} SET id = -{one} WHERE id = {one}; UPDATE {table} SET id = {one} WHERE id = {two};"
            f" UPDATE {table} SET id = {two} WHERE id = -{one}": 3,
            f"DELETE FROM {table} WHERE id = {one}": 1,
            f"INSERT INTO {table} VALUES ({one}, {value}, {large}, {large}) ON CONFLICT DO NOTHING": 3,
            # More than goes in one commit: what came before is committed by itself.
            f"INSERT INTO {table} SELECT n, 20, {large}, {large} FROM generate_series(1001, 2500) n"
            f" ON CONFLICT DO NOTHING; DELETE FROM {table} WHERE id > 1000": 0.03,
        }
        connection.execute(rng.choices(list(statements), list(statements.values()))[0])


@pytest.mark.parametrize("away", ["killed", "behind"])
def test_rows_that_move_in_and_out_while_the_engine_is_killed(place, seed, away, request):
    seconds = 60 if request.config.getoption("--full") else 15
    place.fill(KEYS)
    place.start()
    is_over, rng = threading.Event(), random.Random(f"{seed} {away}")
    movers = [Mover(place, f"{seed} {away} {number}", is_over) for number in range(4)]
    for mover in movers:
        mover.start()
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.1, 1.5))
        place.system.kill()
        kills += 1
        if away == "behind":
            time.sleep(rng.uniform(0.5, 2))
        place.system.start()
    is_over.set()
    for mover in movers:
        mover.join(60)
        assert mover.error is None, mover.error
    place.wait_streaming()
    # Also what was never copied.
    place.source.query("UPDATE c SET v = v + 1")
    print(f"{sum(m.transactions for m in movers)} transactions, {kills} kills", flush=True)
    place.check()
