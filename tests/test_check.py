"""`freshet check` finds every problem at once, says what mends it, and changes nothing."""

import json
import subprocess

import pytest
from conftest import chosen_versions
from harness.engine import find_binary, run_once
from harness.environment import make_roles
from harness.trial import Trial
from servers import Postgres, free_port

DONE, PREFLIGHT = 0, 3


@pytest.fixture
def trial(pairs, request, engine_directory):
    pair = pairs.get(chosen_versions(request.config)[-1])
    trial = Trial.make(pair.source, pair.destination, engine_directory)
    yield trial
    trial.close()


def check(trial: Trial, config: dict) -> dict[str, list[dict]]:
    """Runs `check --json` and returns its findings by id; the exit code must agree with them."""
    path = trial.write(config)
    done = subprocess.run(
        [str(find_binary()), "check", str(path), "--json"],
        env=trial.env, cwd=trial.directory, capture_output=True, text=True, timeout=60,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (DONE if report["ok"] else PREFLIGHT), done.stdout
    assert trial.env["SOURCE_PASSWORD"] not in done.stdout + done.stderr
    findings: dict[str, list[dict]] = {}
    for finding in report["findings"]:
        findings.setdefault(finding["id"], []).append(finding)
    return findings


def errors(findings: dict[str, list[dict]]) -> set[str]:
    return {name for name, found in findings.items() if any(f["severity"] == "error" for f in found)}


def test_a_healthy_pair_has_no_errors_and_nothing_is_left_behind(trial):
    before = trial.source.server.execute("SELECT count(*) FROM pg_replication_slots")
    findings = check(trial, trial.config())
    assert errors(findings) == set(), findings
    assert trial.source.server.execute("SELECT count(*) FROM pg_replication_slots") == before
    assert not (trial.directory / "state.db").exists()


def test_room_for_fewer_sessions_is_told_and_kept_to(trial):
    config = trial.config()
    assert "connections" not in check(trial, config)
    for server, limit in ((trial.source.server, 8), (trial.target.server, 4)):
        server.execute(f'ALTER DATABASE "{trial.source.name}" CONNECTION LIMIT {limit}')
    findings = check(trial, config)
    assert [f["severity"] for f in findings["connections"]] == ["warning", "warning"], findings
    assert "CONNECTION LIMIT of database" in findings["connections"][0]["what"], findings
    code, output = run_once(
        ["run", str(trial.write(config)), "--until", "caught-up"], trial.directory, env=trial.env
    )
    assert code == DONE, output
    assert "room for fewer sessions than the copy is to take" in output, output
    trial.source.server.execute(f'ALTER DATABASE "{trial.source.name}" CONNECTION LIMIT 5')
    assert "connections" in errors(check(trial, config))


def test_a_bytea_that_no_text_can_hold_is_told(trial):
    trial.on_source("CREATE TABLE files (id int PRIMARY KEY, \"a b\" bytea, c bytea)")
    trial.on_source("INSERT INTO files SELECT 1, convert_to(repeat('x', 400 << 20), 'UTF8')")
    config = trial.config()
    config["source"]["tables"] = ["public.files"]
    assert "bytea_size" not in check(trial, config)
    trial.on_source("UPDATE files SET c = substr(\"a b\", 1, 150 << 20)")
    [found] = check(trial, config)["bytea_size"]
    assert found["severity"] == "warning" and found["where"] == "public.files"
    assert "550 MiB" in found["what"] and "source.binary" in found["fix"]
    config["source"]["binary"] = True
    assert "bytea_size" not in check(trial, config)


def test_tables_are_judged_one_by_one(trial):
    trial.on_source("CREATE TABLE no_key (a int)")
    trial.on_source("CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)")
    trial.on_source("CREATE TABLE hidden (id int PRIMARY KEY)")
    trial.on_source("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")
    trial.on_source("ALTER TABLE hidden FORCE ROW LEVEL SECURITY")
    trial.on_source("CREATE VIEW seen AS SELECT * FROM t")
    trial.on_source("CREATE TABLE wide (id int PRIMARY KEY, a text)")
    trial.on_source("ALTER TABLE wide REPLICA IDENTITY FULL")
    trial.on_source("CREATE SEQUENCE tickets")
    config = trial.config()
    config["source"]["tables"] = [
        "no_key", "fleeting", "hidden", "seen", "nowhere", "wide",
        {"name": "t", "columns": ["a", "b"], "where": "id >"},
    ]
    findings = check(trial, config)
    assert errors(findings) == {
        "identity_missing", "unlogged", "row_security", "table_kind", "table_missing",
        "column_missing", "identity_column", "where",
    }
    assert findings["identity_missing"][0]["where"] == "public.no_key"
    assert 'ALTER TABLE "public"."no_key"' in findings["identity_missing"][0]["fix"]
    assert findings["unlogged"][0]["fix"] == 'ALTER TABLE "public"."fleeting" SET LOGGED'
    assert "BYPASSRLS" in findings["row_security"][0]["fix"]
    assert findings["identity_full"][0]["severity"] == "warning"
    assert any("tickets" in f["what"] for f in findings["not_replicated"])


def test_each_table_is_told_how_it_is_copied_and_why(trial):
    trial.on_source("CREATE TABLE words (word text PRIMARY KEY)")
    trial.on_source("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    config = trial.config()
    config["source"]["tables"] = [
        "t", {"name": "words", "copy": "chunked"}, {"name": "p", "copy": "none"}
    ]
    findings = check(trial, config)
    told = {
        f["where"]: (f["severity"], name, f["what"])
        for name, found in findings.items() for f in found if name.startswith("copy_")
    }
    small = "copied under one snapshot: it has 0 MiB; below 256 MiB chunks are not worth it"
    words = (
        "copied under one snapshot, although chunks are asked for:"
        " its primary key (word text) is not all of integers, UUIDs, dates and timestamps"
    )
    assert told == {
        "public.t": ("info", "copy_snapshot", small),
        "public.words": ("warning", "copy_snapshot", words),
        "public.p": ("info", "copy_none", "not copied: it is asked for"),
    }
    config["source"]["copy"] = {"mode": "chunked"}
    config["destinations"]["log"] = {"url": "jsonl:changes.jsonl"}
    kept = [f for f in check(trial, config)["copy_snapshot"] if f["where"] == "public.t"]
    assert kept[0]["what"].endswith("not every destination keeps chunks"), kept
    del config["destinations"]["log"]
    chunked = check(trial, config)["copy_chunked"]
    assert [f["where"] for f in chunked] == ["public.t"]


def test_partitions_are_named_with_what_mends_them(trial):
    trial.on_source("CREATE TABLE p (id int, at date) PARTITION BY RANGE (at)")
    trial.on_source("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')")
    config = trial.config()
    config["source"]["tables"] = ["p"]
    findings = check(trial, config)
    assert "p1" in findings["identity_missing"][0]["what"]
    assert findings["identity_missing"][0]["fix"].startswith("ALTER TABLE public.p1 ")


def test_a_publication_that_is_not_there_and_one_without_deletes(trial):
    trial.on_source("CREATE PUBLICATION upserts FOR TABLE t WITH (publish = 'insert, update')")
    config = trial.config()
    config["source"]["publications"] = ["upserts", "nope"]
    findings = check(trial, config)
    assert errors(findings) == {"publication_missing"}
    assert "CREATE PUBLICATION" in findings["publication_missing"][0]["fix"]
    lacking = {f["what"] for f in findings["publication_operation"]}
    assert lacking == {"it does not publish delete", "it does not publish truncate"}


def test_settings_and_rights_of_the_source(trial, engine_directory, request):
    version = chosen_versions(request.config)[-1]
    settings = {"wal_level": "replica", "max_replication_slots": "0"}
    with Postgres(version, settings=settings) as server:
        make_roles(server)
        server.execute("ALTER ROLE freshet NOREPLICATION")
        own = Trial.make(server, trial.target.server, engine_directory / "own")
        try:
            findings = check(own, own.config())
        finally:
            own.close()
    found = errors(findings)
    assert {"wal_level", "max_replication_slots", "replication_right"} <= found
    assert "ALTER SYSTEM SET wal_level" in findings["wal_level"][0]["fix"]
    assert findings["replication_right"][0]["fix"] == 'ALTER ROLE "freshet" REPLICATION'


def test_servers_that_cannot_be_reached_do_not_hide_each_other(trial):
    config = trial.config()
    port = free_port()
    config["source"]["url"] = f"postgresql://freshet@127.0.0.1:{port}/x"
    config["destinations"]["main"]["url"] = f"postgresql://freshet@127.0.0.1:{port}/y"
    config["state"] = "sqlite:/proc/no/such/state.db"
    areas = {(f["area"]) for f in check(trial, config)["connection"]}
    assert areas == {"source", "destination"}


def test_what_stands_in_the_way_at_the_destination(trial):
    trial.on_destination("CREATE UNLOGGED TABLE t (id int PRIMARY KEY, a text)")
    trial.on_destination("INSERT INTO t VALUES (7, 'not ours')")
    findings = check(trial, trial.config())
    assert errors(findings) == {"unlogged", "not_empty"}


def test_triggers_that_would_fire_at_the_destination(trial):
    trial.on_destination("CREATE TABLE t (id int PRIMARY KEY, a text)")
    trial.on_destination(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    )
    trial.on_destination(
        "CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()"
    )
    findings = check(trial, trial.config())
    assert errors(findings) == {"trigger"}
    [found] = findings["trigger"]
    assert "note" in found["what"] and 'DISABLE TRIGGER "note"' in found["fix"], found
    trial.fails(trial.config(), PREFLIGHT, "trigger=note", "session_replication_role")
    trial.on_destination("ALTER TABLE t DISABLE TRIGGER note")
    assert errors(check(trial, trial.config())) == set()


def test_embeddings_need_pgvector_where_they_are_written(pairs, trial, request, engine_directory):
    without = [v for v in chosen_versions(request.config) if not pairs.get(v).destination.has_pgvector]
    if not without:
        pytest.skip("every server under test has pgvector")
    pair = pairs.get(without[0])
    own = Trial.make(pair.source, pair.destination, engine_directory / "own")
    try:
        config = own.config()
        config["embedders"] = {"e": {"type": "static", "model": "m", "path": "nowhere"}}
        config["transforms"] = [
            {"table": "t", "embed": {"from": "a", "into": "vec", "with": "e"}}
        ]
        findings = check(own, config)
    finally:
        own.close()
    assert errors(findings) == {"pgvector_missing", "embedder"}
