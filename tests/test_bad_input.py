"""Whatever is wrong: one clear message, the right exit code, and nothing left behind."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest
from conftest import chosen_versions
from harness.engine import EngineProcess, find_binary, run_once
from harness.environment import CANARY, make_roles
from harness.freshet import FreshetSystem
from harness.scenario import Table
from harness.sessions import Session
from harness.trial import Trial
from harness.waiting import wait_until
from servers import Postgres, free_port
from servers.binaries import deps_dir

USAGE, PREFLIGHT, GAP, FAILED = 2, 3, 4, 1


@pytest.fixture
def pair(pairs, request):
    return pairs.get(chosen_versions(request.config)[-1])


@pytest.fixture
def trial(pair, engine_directory):
    trial = Trial.make(pair.source, pair.destination, engine_directory)
    yield trial
    trial.close()


@contextmanager
def source_with(engine_directory, version: int, destination: Postgres, **settings: str):
    """A trial on a source server of its own."""
    with Postgres(version, settings=settings) as server:
        make_roles(server)
        trial = Trial.make(server, destination, engine_directory)
        try:
            yield trial
        finally:
            trial.close()


def static_embedding(config: dict) -> dict:
    model = os.environ.get("FRESHET_DEMO_MODEL", str(deps_dir() / "model"))
    config["embedders"] = {
        "local": {"type": "static", "model": "wordllama-256", "path": model}
    }
    config["transforms"] = [
        {"table": "public.t", "embed": {"from": "a", "into": "embedding", "with": "local"}}
    ]
    return config


# -- the pipeline file --------------------------------------------------------


def test_unknown_keys_are_told_all_at_once_with_the_nearest_known(trial):
    config = trial.config()
    config["sourc"] = config.pop("source")
    config["destinations"]["main"]["urll"] = "x"
    output = trial.fails(config, USAGE, r"did you mean `source`", r"did you mean `url`", r"missing", "")
    assert re.search(r"pipeline\.yaml:\d+:1: sourc:", output)


def test_wrong_types_unset_variables_and_duplicates_are_told(trial):
    text = (
        "pipeline: x\npipeline: y\nsource:\n  url: ${NO_SUCH_VARIABLE_HERE}\n"
        "  two_phase: perhaps\n  copy: {connections: 1000}\n"
        "destinations: {main: {url: 'null:'}}\n"
    )
    trial.fails(
        text, USAGE, "twice", "tables", "NO_SUCH_VARIABLE_HERE", "two_phase", "connections"
    )


@pytest.mark.parametrize(
    "content",
    [os.urandom(4096), b"\x7fELF\x02\x01\x01" + bytes(500), b"\xff\xfe\x00", b"", b"[" * 100_000,
     b"a: &a [*a, *a]\n", b"just words", b"pipeline: {unclosed"],
    ids=["random", "elf", "utf16", "empty", "deep", "alias", "words", "unclosed"],
)
def test_junk_as_a_pipeline_file_is_refused(trial, content):
    path = trial.write(content)
    code, output = run_once(["run", str(path)], trial.directory, env=trial.env)
    assert code == USAGE, output
    assert "pipeline.yaml" in output
    assert len(output) < 4000 and "\x1b" not in output and "\x00" not in output


def test_a_pipeline_file_that_is_not_there_is_told(trial):
    code, output = run_once(["run", "nowhere.yaml"], trial.directory, env=trial.env)
    assert code == USAGE and "nowhere.yaml" in output


@pytest.mark.parametrize("arguments", [["run"], ["run", "--until", "noon", "x.yaml"], ["nonsense"], ["run", "--nonsense"]])
def test_a_wrong_command_line_is_refused(trial, arguments):
    code, output = run_once(arguments, trial.directory, env=trial.env)
    assert code == USAGE, output
    assert output.strip()


# -- reaching the servers -----------------------------------------------------


def test_a_wrong_password_at_the_source(trial):
    trial.env["SOURCE_PASSWORD"] = f"{CANARY}x"
    trial.fails(trial.config(), PREFLIGHT, "password authentication failed", "fix: .*password")


def test_a_wrong_password_at_the_destination(trial):
    trial.env["DESTINATION_PASSWORD"] = f"{CANARY}x"
    trial.fails(trial.config(), PREFLIGHT, "password authentication failed", "fix: .*password")


def test_a_database_that_is_not_there(trial):
    config = trial.config()
    config["source"]["url"] = config["source"]["url"].replace(trial.source.name, "nowhere")
    trial.fails(config, PREFLIGHT, 'database "nowhere" does not exist')


def test_an_unknown_host(trial):
    config = trial.config()
    config["source"]["url"] = config["source"]["url"].replace("127.0.0.1", "no-such-host.invalid")
    trial.fails(config, PREFLIGHT, "no-such-host.invalid", "fix: .*")


def test_a_port_at_which_nobody_listens(trial):
    config = trial.config()
    port = free_port()
    config["source"]["url"] = config["source"]["url"].replace(
        f":{trial.source.server.port}", f":{port}"
    )
    trial.fails(config, PREFLIGHT, f"{port}.*refused|refused.*{port}", "fix: .*")


# -- settings and rights ------------------------------------------------------


def test_wal_level_replica(trial, pair, engine_directory):
    directory = engine_directory / "own"
    with source_with(directory, pair.version, pair.destination, wal_level="replica") as own:
        own.fails(own.config(), PREFLIGHT, "wal_level", "logical")


def test_no_free_slot(trial, pair, engine_directory):
    directory = engine_directory / "own"
    with source_with(directory, pair.version, pair.destination, max_replication_slots="1") as own:
        taken = "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')"
        own.source.query(taken)
        own.fails(own.config(), PREFLIGHT, "slot", "max_replication_slots")


def test_no_free_walsender(trial, pair, engine_directory):
    directory = engine_directory / "own"
    with source_with(directory, pair.version, pair.destination, max_wal_senders="0") as own:
        own.fails(own.config(), PREFLIGHT, "max_wal_senders")


def test_a_role_without_replication(trial):
    config = trial.config()
    config["source"]["url"] = config["source"]["url"].replace("freshet:", "app:")
    trial.fails(config, PREFLIGHT, "replication", r"ALTER ROLE .?app.? .*REPLICATION")


def test_a_role_that_may_not_read_a_table(trial):
    trial.source.query("CREATE TABLE hidden (id int PRIMARY KEY)")
    trial.source.query("CREATE PUBLICATION theirs FOR TABLE hidden")
    config = trial.config()
    config["source"] |= {"tables": ["public.hidden"], "publications": ["theirs"]}
    trial.fails(config, PREFLIGHT, "hidden", "GRANT SELECT")


def test_a_destination_role_that_may_not_write(trial):
    trial.target.query("REVOKE CREATE ON SCHEMA public FROM app, freshet, PUBLIC")
    trial.target.query(f"REVOKE ALL ON DATABASE {trial.target.name} FROM app, freshet, PUBLIC")
    trial.target.query(f"ALTER DATABASE {trial.target.name} OWNER TO postgres")
    trial.target.query("ALTER SCHEMA public OWNER TO postgres")
    trial.target.query(f"GRANT CONNECT ON DATABASE {trial.target.name} TO freshet")
    trial.fails(trial.config(), PREFLIGHT, "permission denied", "GRANT")


def test_a_named_publication_that_does_not_exist(trial):
    config = trial.config()
    config["source"]["publications"] = ["nope"]
    trial.fails(config, PREFLIGHT, r"publication.*nope|nope.*publication", "CREATE PUBLICATION")


def test_a_table_that_does_not_exist(trial):
    config = trial.config()
    config["source"]["tables"] = ["public.t", "public.nowhere"]
    trial.fails(config, PREFLIGHT, "public.nowhere")


def test_a_column_that_does_not_exist(trial):
    config = trial.config()
    config["source"]["tables"] = [{"name": "public.t", "columns": ["id", "nowhere"]}]
    trial.fails(config, USAGE, "nowhere")


def test_a_filter_that_is_no_sql(trial):
    config = trial.config()
    config["source"]["tables"] = [{"name": "public.t", "where": "id = 1) OR (("}]
    trial.fails(config, USAGE, "public.t|where")


def test_a_table_without_identity_is_never_the_cause_of_a_failing_write(trial):
    """Freshet publishes such a table for inserts only, or refuses it; updates go on either way."""
    trial.on_source("CREATE TABLE bare (a text, v int)")
    config = trial.config()
    config["source"]["tables"] = ["public.bare"]
    path = trial.write(config)
    code, output = run_once(
        ["run", str(path), "--until", "caught-up"], trial.directory, env=trial.env
    )
    assert code in (0, PREFLIGHT), output
    assert "public.bare" in output and "REPLICA IDENTITY" in output
    trial.on_source("INSERT INTO bare VALUES ('a', 1)")
    trial.on_source("UPDATE bare SET v = 2")
    trial.on_source("DELETE FROM bare")


# -- embeddings ---------------------------------------------------------------


def test_a_destination_without_pgvector(trial):
    if trial.target.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        missing = "vector.*(CREATE EXTENSION|extension)"
    else:
        missing = "pgvector"
    trial.fails(static_embedding(trial.config()), PREFLIGHT, missing)


def test_a_vector_column_of_another_dimension(trial):
    if not trial.target.server.has_pgvector:
        pytest.skip("this server is built without pgvector")
    trial.target.query("CREATE EXTENSION vector")
    trial.on_destination("CREATE TABLE t (id int PRIMARY KEY, a text, embedding vector(10))")
    trial.fails(static_embedding(trial.config()), PREFLIGHT, "10.*256|256.*10", "embedding")


def test_an_embedding_model_that_is_not_there(trial):
    config = static_embedding(trial.config())
    config["embedders"]["local"]["path"] = str(trial.directory / "no-model")
    path = trial.write(config)
    before = trial.objects()
    code, output = run_once(["run", str(path)], trial.directory, env=trial.env)
    assert code in (USAGE, PREFLIGHT), output
    assert "no-model" in output and trial.objects() == before


# -- the destination's tables -------------------------------------------------


def test_a_table_that_has_rows_already_is_left_alone(trial):
    trial.on_destination("CREATE TABLE t (id int PRIMARY KEY, a text)")
    trial.on_destination("INSERT INTO t VALUES (99, 'mine')")
    path = trial.write(trial.config())
    code, output = run_once(["run", str(path)], trial.directory, env=trial.env)
    assert code in (FAILED, PREFLIGHT), output
    assert "public.t" in output
    assert trial.target.query("SELECT * FROM t") == [(99, "mine")]


# -- disks --------------------------------------------------------------------


def test_a_full_disk_at_the_state_file(trial):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = trial.directory / "disk"
    disk.mkdir(parents=True)
    config = trial.config()
    config["state"] = f"sqlite:{disk / 'state.db'}"
    path = trial.write(config)
    before = trial.objects()
    script = (
        f"mount -t tmpfs -o size=16k tmpfs {disk} && head -c 16384 /dev/zero > {disk}/full;"
        ' exec "$@"'
    )
    code, output = run_wrapped(trial, ["unshare", "-m", "sh", "-c", script, "sh"], path)
    assert code == FAILED, output
    trial.check_output(output, r"state\.db|disk|space")
    assert trial.objects() == before


def test_a_state_file_that_is_no_database(trial):
    config = trial.config()
    trial.directory.mkdir(parents=True, exist_ok=True)
    (trial.directory / "state.db").write_bytes(b"this is no SQLite database" * 100)
    trial.fails(config, FAILED, r"state\.db")


def run_wrapped(trial: Trial, wrapper: list[str], path) -> tuple[int, str]:
    """Runs the engine under another program."""
    environment = os.environ | trial.env | {"HOME": str(trial.directory)}
    done = subprocess.run(
        [*wrapper, str(find_binary()), "run", str(path)],
        env=environment, capture_output=True, text=True, timeout=60, cwd=trial.directory,
    )
    return done.returncode, done.stdout + done.stderr


# -- what is lost later -------------------------------------------------------


@pytest.fixture
def running(trial):
    """A pipeline that was streaming and is stopped."""
    system = FreshetSystem(
        trial.source, trial.target, trial.directory / "run", tables=[Table("public", "t")]
    )
    system.start()
    system.wait_streaming()
    trial.source.query("INSERT INTO t VALUES (2, 'two')")
    system.wait_position(trial.source.barrier())
    yield system
    system.close()


def expect_gap(system: FreshetSystem, *patterns: str) -> None:
    assert system.process.wait(40) == GAP, system.log_text()
    for pattern in patterns:
        assert pattern in system.log_text(), system.log_text()


def test_a_slot_dropped_while_stopped_is_a_gap(running):
    assert running.stop() == 0
    running.source.query("SELECT pg_drop_replication_slot(%s)", [running.slot])
    running.source.query("INSERT INTO t VALUES (3, 'lost')")
    running.start()
    expect_gap(running, running.slot)
    assert not running.source.query("SELECT FROM pg_replication_slots WHERE slot_name = %s", [running.slot])


def test_a_slot_made_again_by_somebody_is_a_gap(running):
    assert running.stop() == 0
    running.source.query("SELECT pg_drop_replication_slot(%s)", [running.slot])
    running.source.query("INSERT INTO t VALUES (3, 'lost')")
    running.source.query("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [running.slot])
    running.start()
    expect_gap(running, running.slot)
    assert running.target.value("SELECT count(*) FROM t") == 2


def test_a_slot_advanced_by_somebody_is_a_gap(running):
    assert running.stop() == 0
    running.source.query("INSERT INTO t VALUES (3, 'lost')")
    running.source.query(
        "SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", [running.slot]
    )
    running.start()
    expect_gap(running, running.slot)


def test_a_publication_dropped_while_streaming_is_a_gap(running):
    running.source.query(f"DROP PUBLICATION {running.slot}")
    running.source.query("INSERT INTO t VALUES (3, 'unseen')")
    expect_gap(running, "publication", running.slot)


def test_an_engine_already_running_is_named_at_once(running):
    """The wait for it, and its end, are scenario S93."""
    second: EngineProcess = running.launch(running.directory / "second.log")
    try:
        pid = str(running.process.pid)
        wait_until(lambda: pid in second.log_text(), "the holder's pid is named",
                   describe=second.log_tail)
    finally:
        second.kill()


def test_an_engine_stopped_twice_ends_at_once(running):
    session = Session("main", running.source.server.port, "app", CANARY, running.source.name)
    session.submit("BEGIN; INSERT INTO t SELECT n, 'x' FROM generate_series(10, 20000) n; COMMIT;")
    running.process.signal(signal.SIGTERM)
    running.process.signal(signal.SIGTERM)
    running.process.wait(10)
    session.join()
    session.close()
