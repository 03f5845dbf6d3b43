"""WAL that holds nothing for us does not pile up behind the slot; of WAL that does pile up it is told.

By default 150 MB of it; --full writes the 1 GB of the promise.
"""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from conftest import chosen_versions
from harness.database import Database, new_databases
from harness.engine import find_binary
from harness.environment import CANARY, create_database, drop_database, new_name
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.sessions import Session
from harness.waiting import wait_until

MEBIBYTE = 1 << 20
LAG_BYTES_MAX = 16 * MEBIBYTE
LAG_SECONDS_MAX = 10


@dataclass
class Setting:
    source: Database
    system: FreshetSystem
    session: Session
    megabytes: int

    def lag(self) -> int:
        return self.source.value(
            "SELECT (pg_current_wal_lsn() - confirmed_flush_lsn)::bigint FROM pg_replication_slots"
            " WHERE slot_name = %s",
            [self.system.slot],
        )

    def expect_small_lag(self) -> None:
        began = time.monotonic()
        wait_until(lambda: self.lag() < LAG_BYTES_MAX, "the slot's lag is small",
                   seconds=LAG_SECONDS_MAX, describe=lambda: f"lag of {self.lag() >> 20} MiB")
        print(f"lag below 16 MiB after {time.monotonic() - began:.1f} s")
        self.system.check_alive()
        self.system.check_acknowledged()


@pytest.fixture
def setting(request, pairs, engine_directory):
    source, target = new_databases(pairs.get(request.param), "wal")
    session = Session("main", source.server.port, "app", CANARY, source.name)
    session.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE noise (id bigint, filler text);")
    system = FreshetSystem(source, target, engine_directory, tables=[Table("public", "t")])
    system.start()
    system.wait_streaming()
    yield Setting(source, system, session, 1024 if request.config.getoption("--full") else 150)
    session.close()
    system.retire()
    source.close()
    drop_database(source.server, source.name)


def pytest_generate_tests(metafunc):
    versions = chosen_versions(metafunc.config)
    metafunc.parametrize("setting", versions, ids=[f"pg{v}" for v in versions], indirect=True)


def noise_sql(megabytes: int) -> str:
    return f"""
    INSERT INTO noise SELECT n, (SELECT string_agg(md5((n * 32 + i)::text), '')
    FROM generate_series(1, 31) i) FROM generate_series(1, {megabytes * 1000}) n;"""


@pytest.mark.timeout(600)
def test_wal_of_an_unpublished_table_is_acknowledged(setting):
    for _ in range(10):
        assert "ERROR" not in setting.session.run(noise_sql(setting.megabytes // 10))
    setting.expect_small_lag()
    # Nor is it kept: a checkpoint writes what the slot's restart position moves on.
    setting.session.run("INSERT INTO t VALUES (1);")
    kept = ("SELECT (pg_current_wal_lsn() - restart_lsn)::bigint < %s FROM pg_replication_slots"
            " WHERE slot_name = %s")

    def is_released() -> bool:
        setting.source.query("CHECKPOINT")
        return setting.source.value(kept, [LAG_BYTES_MAX, setting.system.slot])

    wait_until(is_released, "the WAL is released", seconds=30)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("wal_sender_timeout", ["60s", "0"])  # 0: the server asks for no answer
def test_an_idle_database_pins_no_wal(setting, wal_sender_timeout):
    setting.source.server.set(wal_sender_timeout=wal_sender_timeout)
    # Another database of the server is busy, ours is not.
    other = new_name("busy")
    create_database(setting.source.server, other)
    writer = Session("other", setting.source.server.port, "app", CANARY, other)
    writer.run("CREATE TABLE noise (id bigint, filler text);")
    assert "ERROR" not in writer.run(noise_sql(setting.megabytes))
    setting.expect_small_lag()
    writer.close()
    drop_database(setting.source.server, other)
    setting.source.server.set(wal_sender_timeout="60s")


@pytest.mark.timeout(600)
def test_a_transaction_left_open_holds_up_nothing_but_itself(setting):
    # What an open transaction wrote is sent whole at its end, so that what others wrote meanwhile
    # can be acknowledged.
    holder = Session("open", setting.source.server.port, "app", CANARY, setting.source.name)
    holder.run("BEGIN; INSERT INTO t VALUES (2);")
    assert "ERROR" not in setting.session.run(noise_sql(setting.megabytes // 3))
    setting.expect_small_lag()
    holder.run("COMMIT;")
    holder.close()
    setting.system.wait_position(setting.source.barrier())
    assert setting.system.target.value("SELECT count(*) FROM t WHERE id = 2") == 1


ROOM = 64  # MiB that the slot may keep


@contextmanager
def limited(setting: Setting):
    """The server keeps no more WAL for a slot than this."""
    server = setting.source.server
    server.set(max_slot_wal_keep_size=f"{ROOM}MB")
    try:
        yield
    finally:
        server.set(max_slot_wal_keep_size="-1")


def fill(setting: Setting) -> None:
    """Writes until the slot is said to be in danger, and not so much that it is lost."""
    kept = ("SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots"
            " WHERE slot_name = %s")

    def is_told() -> bool:
        if setting.source.value(kept, [setting.system.slot]) < (ROOM - 16) * MEBIBYTE:
            assert "ERROR" not in setting.session.run(noise_sql(2))
        return "the slot is about to be lost" in setting.system.log_text()

    wait_until(is_told, "the danger is told", seconds=90, describe=setting.system.log_text)


def status_of(setting: Setting, *options: str) -> str:
    done = subprocess.run(
        [str(find_binary()), "status", str(setting.system.config_path), *options],
        env=os.environ | setting.system.env, cwd=setting.system.directory, capture_output=True, text=True,
        timeout=60, check=True,
    )
    return done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_a_slot_that_fills_up_is_told_of_and_so_is_its_relief(setting):
    # An open transaction is acknowledged past, but its WAL must be kept.
    holder = Session("open", setting.source.server.port, "app", CANARY, setting.source.name)
    holder.run("BEGIN; INSERT INTO t VALUES (3);")
    with limited(setting):
        fill(setting)
        assert "lost after" in status_of(setting)
        slot = json.loads(status_of(setting, "--json"))["slot"]
        assert slot["retained_wal_bytes"] > slot["safe_wal_bytes"] > 0
        holder.run("COMMIT;")
        holder.close()

        def is_over() -> bool:
            setting.session.run("INSERT INTO noise VALUES (1, '');")
            setting.source.query("CHECKPOINT")
            return "the slot is out of danger" in setting.system.log_text()

        wait_until(is_over, "the end of the danger is told", seconds=60,
                   describe=setting.system.describe)
    assert setting.system.log_text().count("the slot is about to be lost") == 1
    setting.expect_small_lag()


@pytest.mark.timeout(300)
def test_a_slot_that_fills_up_while_the_destination_is_away_is_told_of(setting):
    destination = setting.system.target.server
    setting.system.target.close()
    with limited(setting):
        destination.stop("fast")
        try:
            fill(setting)
        finally:
            destination.start()
        # The engine may be pausing for half a minute between its attempts.
        wait_until(lambda: setting.lag() < LAG_BYTES_MAX, "the slot's lag is small", seconds=60,
                   describe=setting.system.describe)
