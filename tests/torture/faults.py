"""What goes wrong around the engine. FAULTS has name, weight, function; adding one is adding a line."""

import random
import signal
import time
from collections.abc import Callable

import psycopg

_OF_ENGINE = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'freshet'"

_SLOT_LOST = "changes were lost with the slot"
# Whoever streams from it was told to end, and may need a moment.
_LOSE_SLOT = """
DO $$ BEGIN
  FOR attempt IN 1..1000 LOOP
    BEGIN
      PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots
      WHERE slot_name = '%(slot)s' AND active;
      PERFORM pg_drop_replication_slot('%(slot)s');
      RETURN;
    EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.005);
    WHEN undefined_object THEN RETURN;
    END;
  END LOOP;
END $$"""


def kill(run, rng: random.Random) -> None:
    run.system.kill()
    time.sleep(rng.choice([0, 0, 0.3, 1.5]))
    run.start_engine()


def kill_twice(run, rng: random.Random) -> None:
    """The second time while it is starting, or soon after."""
    kill(run, rng)
    time.sleep(rng.uniform(0, 1.5))
    kill(run, rng)


def stop(run, rng: random.Random) -> None:
    code = run.system.stop()
    # A process that has only just been started does not listen to signals yet.
    assert code in {*run.excused_codes, -signal.SIGTERM}, f"freshet ended with {code} on SIGTERM\n{run.system.log_text()[-4000:]}"
    time.sleep(rng.choice([0, 0, 1]))
    run.start_engine()


def freeze(run, rng: random.Random) -> None:
    run.system.freeze()
    time.sleep(rng.uniform(0.1, 2))
    run.system.process.signal(signal.SIGCONT)


def end_walsender(run, rng: random.Random) -> None:
    _on_source(run, _OF_ENGINE + " AND backend_type = 'walsender'")


def end_source_sessions(run, rng: random.Random) -> None:
    """Those that copy and look, too."""
    _on_source(run, _OF_ENGINE)


def end_destination_sessions(run, rng: random.Random) -> None:
    run.excuse()
    run.pair.destination.execute(_OF_ENGINE)


def _crash(server, rng: random.Random) -> None:
    server.stop("immediate")
    time.sleep(rng.choice([0, 0, 1]))
    server.start()


def crash_source(run, rng: random.Random) -> None:
    run.excuse()
    _crash(run.pair.source, rng)


def kill_source(run, rng: random.Random) -> None:
    """SIGKILL leaves no time to say goodbye on any connection."""
    run.excuse()
    run.pair.source.kill()
    run.pair.source.start()


def crash_destination(run, rng: random.Random) -> None:
    run.excuse()
    _crash(run.pair.destination, rng)


def crash_all(run, rng: random.Random) -> None:
    run.excuse()
    run.system.kill()
    run.pair.source.stop("immediate")
    run.pair.destination.stop("immediate")
    run.pair.destination.start()
    run.pair.source.start()
    run.start_engine()


def begin_anew(run, rng: random.Random) -> None:
    """One more copy, and perhaps a kill that falls into it."""
    run.begin_anew()
    time.sleep(rng.uniform(0, 2.5))
    if rng.random() < 0.6:
        kill(run, rng)


def lose_slot(run, rng: random.Random) -> None:
    """And with it what it kept: all tables are copied again, if the pipeline may."""
    if run.plan.options.get("source.on_gap") != "resync" or not run.is_all_streaming():
        return
    told = run.system.log_text().count(_SLOT_LOST)
    _on_source(run, _LOSE_SLOT % {"slot": run.system.slot})
    deadline = time.monotonic() + 30
    while run.system.log_text().count(_SLOT_LOST) == told and time.monotonic() < deadline:
        run.check_engine()
        time.sleep(0.05)


def checkpoint(run, rng: random.Random) -> None:
    """Saves the slot where it stands, so that a later crash goes back to here."""
    run.pair.source.execute("CHECKPOINT")


FAULTS: dict[str, tuple[float, Callable]] = {
    "kill": (5, kill),
    "kill-twice": (2, kill_twice),
    "stop": (1, stop),
    "freeze": (0.7, freeze),
    "end-walsender": (2, end_walsender),
    "end-source-sessions": (1, end_source_sessions),
    "end-destination-sessions": (1, end_destination_sessions),
    "crash-source": (1.5, crash_source),
    "kill-source": (0.5, kill_source),
    "crash-destination": (1.5, crash_destination),
    "crash-all": (0.5, crash_all),
    "begin-anew": (2, begin_anew),
    "lose-slot": (1, lose_slot),
    "checkpoint": (1, checkpoint),
}


def _on_source(run, statement: str) -> None:
    run.excuse()
    try:
        run.pair.source.execute(statement)
    except psycopg.OperationalError:
        run.journal.write("faults", "the source did not answer")
