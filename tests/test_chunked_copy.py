"""A copy in chunks: killed and resumed, short snapshots, and the slot moves on meanwhile."""

import os
import random
import threading

import pytest
from conftest import chosen_versions
from harness.database import Database, difference
from harness.environment import create_database, drop_database, new_name
from harness.freshet import FreshetSystem
from harness.lsn import parse_lsn
from harness.scenario import Table
from harness.waiting import wait_until

CONNECTIONS = 4
TABLE = Table("public", "items")


class Source:
    """One large table that is written to all over."""

    def __init__(self, pair, rows: int):
        self.name = new_name("chunks")
        create_database(pair.source, self.name)
        self.database = Database(pair.source, self.name)
        self.rows = rows
        with pair.source.connect(self.name) as connection:
            connection.execute("SET ROLE app")
            connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, a text, v int)")
            connection.execute(
                "INSERT INTO items SELECT n, md5(n::text), 0 FROM generate_series(1, %s) n", [rows]
            )
        self._pair = pair
        self._is_over = threading.Event()
        self._writer = threading.Thread(target=self._write, daemon=True)

    def start_writing(self) -> None:
        self._writer.start()

    def stop_writing(self) -> None:
        self._is_over.set()
        if self._writer.is_alive():
            self._writer.join(60)

    def _write(self) -> None:
        number = 0
        with self._pair.source.connect(self.name) as connection:
            while not self._is_over.wait(0.005):
                number += 1
                at = random.randint(1, self.rows)
                connection.execute("UPDATE items SET v = v + 1 WHERE id BETWEEN %s AND %s", [at, at + 4])
                connection.execute("DELETE FROM items WHERE id = %s", [random.randint(1, self.rows)])
                # From one end to the other: out of one range and into another.
                connection.execute(
                    "UPDATE items SET id = id + %s WHERE id = %s", [self.rows, random.randint(1, self.rows)]
                )
                connection.execute(
                    "INSERT INTO items VALUES (%s, 'new', 0) ON CONFLICT DO NOTHING", [-number]
                )

    def close(self) -> None:
        self.stop_writing()
        self.database.close()
        drop_database(self._pair.source, self.name)


@pytest.fixture
def pair(pairs, request):
    return pairs.get(chosen_versions(request.config)[-1])


@pytest.fixture
def source(pair, request):
    source = Source(pair, 5_000_000 if request.config.getoption("--full") else 600_000)
    yield source
    source.close()


@pytest.fixture
def system(pair, source, log_root):
    target = f"{source.name}_copy"
    create_database(pair.destination, target)
    system = FreshetSystem(
        source.database,
        Database(pair.destination, target),
        log_root / "chunked",
        tables=[TABLE],
        options={"source.copy.mode": "chunked", "source.copy.connections": CONNECTIONS},
    )
    yield system
    source.stop_writing()
    system.retire()


def chunks_of(system) -> dict[str, str]:
    """The chunks that the destination has: where each begins, and what it was read under."""
    there = system.target.value("SELECT to_regclass('freshet.chunks') IS NOT NULL")
    if not there:
        return {}
    return dict(system.target.query("SELECT from_key, snapshot FROM freshet.chunks"))


def oldest_snapshot_seconds(source: Database) -> float:
    """How long the oldest snapshot of the engine has been held, but for the walsender's catalogue."""
    return source.value(
        "SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float"
        " FROM pg_stat_activity WHERE usename = 'freshet' AND backend_xmin IS NOT NULL"
        " AND backend_type = 'client backend' AND datname = current_database()"
    )


@pytest.mark.timeout(1800)
def test_killed_and_resumed(source, system, request, seed):
    kills = 10 if request.config.getoption("--full") else 3
    source.start_writing()
    read = {}
    for number in range(1, kills + 1):
        system.start()
        wanted = len(read) + random.randint(1, 3)
        wait_until(
            lambda wanted=wanted: system.check_alive() or len(chunks_of(system)) >= wanted
            or "streaming" in system.phases(),
            "more chunks", describe=system.describe,
        )
        assert "streaming" not in system.phases(), "the copy was over before all kills: use more rows"
        system.kill()
        now = chunks_of(system)
        # Neither gone nor read again: at most what was on its way at the kill is.
        assert read.items() <= now.items()
        read = now
        print(f"kill {number}: {len(read)} chunks", flush=True)
    system.start()
    system.wait_streaming()
    assert f"chunks={len(read)}" in system.log_text()
    source.stop_writing()
    system.wait_position(source.database.barrier())
    assert_equal(source, system)
    assert system.stop() == 0


# What is there was read under another condition.
@pytest.mark.timeout(900)
def test_begun_anew_where_other_rows_are_wanted(source, system):
    system.start()
    wait_until(lambda: system.check_alive() or chunks_of(system), "a chunk", describe=system.describe)
    assert "streaming" not in system.phases(), "the copy was over before the kill: use more rows"
    system.kill()
    told = len(system.log_text())
    system.change_tables([Table("public", "items", where="id % 2 = 0")])
    system.start()
    system.wait_streaming()
    assert "interrupted copy" not in system.log_text()[told:]
    assert system.target.value("SELECT count(*) FROM items WHERE id % 2 = 1") == 0
    assert system.target.value("SELECT count(*) FROM items") == source.rows // 2
    assert system.stop() == 0


@pytest.mark.timeout(900)
def test_no_snapshot_is_held_and_the_slot_moves_on(source, system, seed):
    source.start_writing()
    system.start()
    confirmed = []
    seconds = [0.0]
    while "streaming" not in system.phases():
        system.check_alive()
        seconds.append(oldest_snapshot_seconds(source.database))
        lsn = source.database.value(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s", [system.slot]
        )
        if lsn and "copying" in system.phases():
            confirmed.append(parse_lsn(lsn))
        threading.Event().wait(0.1)
    print(f"{len(seconds)} looks: the oldest snapshot was {max(seconds):.2f} s old")
    # A chunk is to take a second; a loaded machine takes longer, a whole copy much longer.
    assert max(seconds) < 8 * float(os.environ.get("FRESHET_TEST_PATIENCE", "1"))
    assert confirmed[-1] > confirmed[0], "nothing was acknowledged during the copy"
    source.stop_writing()
    system.wait_position(source.database.barrier())
    assert_equal(source, system)
    assert system.stop() == 0


def assert_equal(source, system) -> None:
    columns = source.database.columns_of(TABLE)
    sides = (source.database, system.target)
    if sides[0].checksum_of(TABLE, columns) != sides[1].checksum_of(TABLE, columns):
        rows = [side.rows_of(TABLE, columns) for side in sides]
        raise AssertionError(difference(*rows))
