"""One huge transaction passes within a bound of memory, streamed or not, committed or not.

By default a transaction of about 150 MB meets a small budget; --full runs the 5 GB of the promise.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import chosen_versions
from harness.database import Database, new_databases
from harness.environment import CANARY, drop_database
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.sessions import Session
from harness.waiting import wait_until

MEBIBYTE = 1 << 20
ROW_BYTES = 1000
APPLY_SECONDS_MAX = 1800


@dataclass(frozen=True)
class Size:
    """How large, and what it may cost."""

    rows: int
    budget: str
    peak_bytes_max: int


IS_SANITIZED = bool(os.environ.get("FRESHET_TEST_SANITIZED"))
QUICK = Size(rows=150_000, budget="8MiB", peak_bytes_max=100 * MEBIBYTE)
FULL = Size(rows=5_100_000, budget="64MiB", peak_bytes_max=256 * MEBIBYTE)


@dataclass
class Setting:
    """A pipeline of one table, streaming."""

    source: Database
    target: Database
    system: FreshetSystem
    size: Size
    session: Session

    def spilled_bytes(self) -> int:
        """What the engine's open files without a name hold, where we may look."""
        total = 0
        directory = Path(f"/proc/{self.system.process.pid}/fd")
        for entry in directory.iterdir() if os.access(directory, os.R_OK) else []:
            try:
                if "deleted" in os.readlink(entry):
                    total += entry.stat().st_size
            except OSError:
                continue
        return total

    def check_cost(self) -> None:
        peak = self.system.process.memory_peak_bytes()
        print(f"peak memory: {peak / MEBIBYTE:.0f} MiB of {self.size.peak_bytes_max / MEBIBYTE:.0f}")
        # A sanitizer keeps freed memory.
        assert IS_SANITIZED or 0 < peak < self.size.peak_bytes_max
        wait_until(lambda: self.spilled_bytes() < MEBIBYTE, "spill files are gone")
        left = [p for p in self.system.directory.rglob("*") if p.is_file() and "spill" in str(p)]
        assert not left, f"left behind: {left}"


@pytest.fixture
def setting(request, pairs, engine_directory):
    version, is_streaming = request.param
    size = FULL if request.config.getoption("--full") else QUICK
    source, target = new_databases(pairs.get(version), "large")
    session = Session("main", source.server.port, "app", CANARY, source.name)
    session.run("CREATE TABLE big (id bigint PRIMARY KEY, a text, filler text);")
    options = {"source.streaming": is_streaming, "source.memory": size.budget}
    system = FreshetSystem(
        source, target, engine_directory, tables=[Table("public", "big")], options=options
    )
    system.start()
    system.wait_streaming()
    yield Setting(source, target, system, size, session)
    session.close()
    system.close()
    source.close()
    target.close()
    for database in (source, target):
        drop_database(database.server, database.name)


def insert_sql(setting: Setting) -> str:
    rows = setting.size.rows
    # Rows under 2 kB are not compressed: the engine meets as many bytes as this says.
    return f"""
    INSERT INTO big SELECT n, 'row ' || n, repeat(md5(n::text), {ROW_BYTES // 32}) FROM
    generate_series(1, {rows}) n;"""


def pytest_generate_tests(metafunc):
    if "setting" not in metafunc.fixturenames:
        return
    versions = chosen_versions(metafunc.config)
    if not metafunc.config.getoption("--full"):
        versions = versions[-1:]
    modes = [True] if "rolled_back" in metafunc.function.__name__ else [True, False]
    cells = [(version, mode) for version in versions for mode in modes]
    ids = [f"pg{version}-{'streaming' if mode else 'nostreaming'}" for version, mode in cells]
    metafunc.parametrize("setting", cells, ids=ids, indirect=True)


def wait_for(setting: Setting, position: int) -> None:
    wait_until(
        lambda: setting.system.check_alive() or setting.system.position() >= position,
        "the transaction has arrived", seconds=APPLY_SECONDS_MAX,
        describe=setting.system.describe,
    )


@pytest.mark.timeout(4000)
def test_large_transaction_arrives_within_memory(setting):
    output = setting.session.run(insert_sql(setting))
    assert "ERROR" not in output
    wait_for(setting, setting.source.barrier())
    wanted, found = setting.source.checksum("big"), setting.target.checksum("big")
    assert found == wanted and wanted[0] == setting.size.rows
    setting.check_cost()
    assert setting.system.stop() == 0


@pytest.mark.timeout(4000)
def test_large_transaction_rolled_back_leaves_nothing(setting):
    setting.session.run("INSERT INTO big VALUES (-1, 'small', '');")
    output = setting.session.run("BEGIN;\n" + insert_sql(setting))
    assert "ERROR" not in output
    streamed = "SELECT stream_bytes FROM pg_stat_replication_slots WHERE slot_name = %s"
    setting.session.run("ROLLBACK;")
    wait_for(setting, setting.source.barrier())
    assert setting.target.query("SELECT count(*), max(id) FROM big") == [(1, -1)]
    setting.check_cost()
    assert wait_until(
        lambda: setting.source.value(streamed, [setting.system.slot]) > MEBIBYTE,
        "the server to have streamed it",
    )
    assert setting.system.stop() == 0
