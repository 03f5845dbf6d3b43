"""A standby as the source: random writes at its primary, kills, crashes, conflicts, a promotion."""

import json
import random
import time

import pytest
from conftest import chosen_versions
from harness.lsn import format_lsn
from harness.standby_source import StandbySource
from harness.waiting import wait_until
from servers import Standby

DECODES_SINCE = 16
USAGE, PREFLIGHT, GAP = 2, 3, 4
RESYNCS = 15


def make(pairs, request, directory, **options) -> StandbySource:
    versions = [version for version in chosen_versions(request.config) if version >= DECODES_SINCE]
    if not versions:
        pytest.skip("standbys decode from PostgreSQL 16 on")
    version = random.choice(versions)
    print(f"PostgreSQL {version}", flush=True)
    return StandbySource(pairs.get(version), directory, **options)


@pytest.fixture(params=["feedback", "conflicts", "promoted"])
def weather(request) -> str:
    return request.param


@pytest.fixture
def world(pairs, request, weather, log_root, seed):
    options = {"source.on_gap": "resync", "source.copy.connections": 2}
    world = make(
        pairs, request, log_root / f"standby-{weather}",
        has_feedback=weather != "conflicts", options=options,
    )
    yield world
    world.close()


@pytest.fixture
def source(pairs, request, engine_directory, seed):
    source = make(pairs, request, engine_directory)
    yield source
    source.close()


@pytest.fixture
def bare_source(pairs, request, engine_directory, seed):
    """Without hot_standby_feedback."""
    source = make(pairs, request, engine_directory, has_feedback=False)
    yield source
    source.close()


@pytest.mark.timeout(900)
def test_random_writes_and_kills(world, weather, request, seed):
    rounds = 12 if request.config.getoption("--full") else 4
    if weather == "conflicts":
        world.standby.set(max_standby_streaming_delay="300ms")
    world.standby.help_slots()
    world.start_writing()
    for number in range(1, rounds + 1):
        world.system.start()
        if weather == "conflicts":
            world.primary.query("VACUUM keyed, whole, pg_class, pg_attribute")
        time.sleep(random.random() * 2.5)
        # For want of a connection before it ever streamed it ends, and an operator starts it again.
        if world.system.process.exit_code == PREFLIGHT:
            world.system.start()
        world.system.check_alive()
        phases = sorted(set(world.system.phases()))
        happens = random.choice(["kill", "kill", "crash of the standby", "lost connections"])
        if happens == "kill":
            world.system.kill()
        elif happens == "crash of the standby":
            world.standby.restart("immediate")
        else:
            world.system.source.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'freshet'"
            )
        print(f"{number}/{rounds}: {happens} while {phases}", flush=True)
        if happens != "kill":
            time.sleep(random.random() * 2)
            world.system.kill()
        if weather == "promoted" and number == rounds // 2:
            world.system.start()
            time.sleep(random.random() * 2)
            world.stop_writing()
            world.promote()
            world.start_writing()
            print("promoted", flush=True)
    if weather == "conflicts":
        world.standby.set(max_standby_streaming_delay="-1")
    world.system.start()
    world.system.wait_streaming()
    time.sleep(1)
    world.stop_writing()
    world.assert_equal()
    assert world.system.stop() == 0


@pytest.mark.timeout(600)
def test_copied_again_and_again_under_writes(source, seed):
    source.standby.help_slots()
    source.system.arguments = ["--log-level", "debug"]
    source.system.start()
    source.system.wait_streaming()
    source.start_writing()
    for _ in range(RESYNCS):
        source.command("table", "resync", str(source.system.config_path), "public.keyed", "public.log")
        time.sleep(random.random() * 0.7)
    source.stop_writing()
    source.assert_equal()
    unclear = source.system.log_text().count("the snapshot is taken again")
    print(f"{unclear} snapshots could not be told from the stream", flush=True)
    assert source.system.stop() == 0


def test_a_start_that_waits_for_the_primary_says_so_and_can_be_stopped(source):
    # Idle until then: nothing else makes the primary log what runs.
    source.system.start()
    said = "SELECT pg_log_standby_snapshot(); there makes it quick"
    wait_until(lambda: said in source.system.log_text(), "says for what it waits")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'"
    assert source.system.source.value(slots) == 1
    assert source.system.stop() == 0
    wait_until(lambda: source.system.source.value(slots) == 0, "the half-made slot is gone")
    source.system.start()
    wait_until(lambda: source.system.source.value(slots) == 1, "the slot is being made")
    source.system.kill()
    source.system.start()
    source.standby.help_slots()
    source.assert_equal()


@pytest.mark.parametrize("on_gap", ["stop", "resync"])
def test_a_slot_that_vacuum_invalidates_while_it_streams_is_named(bare_source, on_gap):
    source = bare_source
    source.system.change_options({"source.on_gap": on_gap})
    source.standby.help_slots()
    source.system.start()
    source.assert_equal()
    source.standby.stop_helping()  # or the slot may have moved on before vacuum comes

    def is_lost() -> bool:
        with source.primary.server.connect(source.name) as connection:
            for statement in ("CREATE TABLE gone (a int)", "DROP TABLE gone", "VACUUM pg_class"):
                connection.execute(statement)
        return "the slot was invalidated: " in source.system.log_text()

    wait_until(is_lost, "the slot is lost", describe=source.system.describe)
    if on_gap == "stop":
        assert source.system.process.wait(60) == GAP
        assert "hot_standby_feedback = on" in source.system.log_text()
        return
    source.standby.help_slots()
    source.primary.query("INSERT INTO keyed VALUES (-1, 'after the loss', 0)")
    source.assert_equal()


def test_a_standby_may_follow_another_primary_meanwhile(source):
    """Timelines change under the stream: our positions there are no changes that it never had."""
    source.standby.help_slots()
    source.system.start()
    source.assert_equal()
    heir = Standby(source.pair.source)
    try:
        written = format_lsn(source.primary.barrier())
        for standby in (heir, source.standby):
            wait_until(lambda s=standby: s.has_replayed(written), f"the standby has {written}")
        source.hand_over_to(heir)
        source.primary.query("UPDATE keyed SET v = v + 1 WHERE id < 100")
        source.assert_equal()
        source.system.kill()
        source.primary.query("DELETE FROM keyed WHERE id < 50")
        source.system.start()
        source.assert_equal()
    finally:
        source.standby.stop_helping()
        source.primary.close()
        heir.close()


def test_commands_on_a_standby(bare_source):
    source = bare_source
    source.system.write_config()
    config = str(source.system.config_path)
    # The table that is inserted into alone has no identity, which is an error to `check`.
    report = json.loads(source.command("check", config, "--json", code=PREFLIGHT))
    found = {finding["id"]: finding for finding in report["findings"]}
    assert found["hot_standby_feedback"]["severity"] == "warning"
    assert "pg_log_standby_snapshot()" in found["standby"]["fix"]
    assert "create_publication" not in found

    source.standby.help_slots()
    source.command("run", config, "--until", "caught-up")
    source.assert_same_rows()
    status = json.loads(source.command("status", config, "--json"))
    assert {table["phase"] for table in status["tables"]} == {"streaming"}

    source.system.change_options({"source.failover": True})
    source.system.write_config()
    refused = source.command("run", config, code=USAGE)
    assert "a slot that is made on a standby cannot be a failover slot" in refused
    source.system.change_options({})
    source.system.write_config()
    source.command("drop", config, "--yes")
    assert not source.system.source.value(
        "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'"
    )
