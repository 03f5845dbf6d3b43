"""The stream and the copy come through TLS and through a Unix socket as through TCP; and connections lost at the start."""

import signal
import subprocess
import time
from dataclasses import replace

import pytest
from harness.database import new_databases
from harness.environment import CANARY, drop_database, make_roles
from harness.freshet import FreshetSystem
from harness.proxy import HoldingProxy
from harness.scenario import Table
from harness.sessions import Session
from harness.waiting import wait_until
from servers import Postgres

LOOK_SECONDS = 5  # between two looks at the source's catalogue


@pytest.fixture
def databases(version, pairs):
    source, target = new_databases(pairs.get(version), "connections")
    yield source, target
    source.close()
    drop_database(source.server, source.name)


def make_certificate(server, name: str) -> str:
    """Signed by itself, for localhost; the server owns the key."""
    certificate, key = server.directory / f"{name}.crt", server.directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    server.write_private(key, key.read_text())
    return str(certificate)


def offers_tls(server) -> bool:
    def is_decided() -> bool:
        return server.value("SHOW ssl") == "on" or is_refused()

    def is_refused() -> bool:
        return "SSL is not supported by this build" in server.log_text()

    wait_until(is_decided, "the server offers TLS, or cannot")
    return not is_refused()


def make_system(source, target, directory, url: str) -> FreshetSystem:
    options = {"source.url": f"postgresql://freshet:${{SOURCE_PASSWORD}}@{url}"}
    return FreshetSystem(source, target, directory, tables=[Table("public", "t")], options=options)


def check_flow(system, expected_ssl: bool) -> None:
    """Rows that are copied and rows that are streamed, among them large ones."""
    writer = Session("main", system.source.server.port, "app", CANARY, system.source.name)
    writer.run("CREATE TABLE t (id int PRIMARY KEY, a text);")
    writer.run("INSERT INTO t SELECT n, repeat(n::text, 50) FROM generate_series(1, 20000) n")
    writer.run("INSERT INTO t VALUES (0, repeat('large', 4000000))")
    system.start()
    system.wait_streaming()
    writer.run("INSERT INTO t SELECT n, repeat(n::text, 50) FROM generate_series(20001, 60000) n")
    writer.run("INSERT INTO t VALUES (-1, repeat('larger', 4000000))")
    for n in range(60001, 60200):
        writer.run(f"INSERT INTO t VALUES ({n}, 'one by one')")
    system.wait_position(system.source.barrier())
    assert system.target.checksum("t") == system.source.checksum("t")
    [(is_ssl,)] = system.source.query(
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_replication USING (pid) "
        "WHERE application_name = %s",
        [f"freshet {system.pipeline} reader"],
    )
    assert is_ssl == expected_ssl
    writer.close()
    assert system.stop() == 0


def test_tls(databases, engine_directory):
    source, target = databases
    server = source.server
    certificate = make_certificate(server, "own")
    place = f"localhost:{server.port}/{source.name}?hostaddr=127.0.0.1&sslmode=verify-full"
    system = make_system(source, target, engine_directory, f"{place}&sslrootcert={certificate}")
    try:
        server.set(ssl="on", ssl_cert_file=certificate, ssl_key_file=certificate[:-3] + "key")
        if not offers_tls(server):
            pytest.skip("this server was built without TLS")
        check_flow(system, expected_ssl=True)

        other = make_certificate(server, "other")
        stranger = make_system(source, target, engine_directory, f"{place}&sslrootcert={other}")
        stranger.start()
        assert stranger.process.wait(30) == 3
        said = stranger.log.read_text()
        assert "certificate verify failed" in said and "sslrootcert" in said
    finally:
        system.retire()
        # Others use the server after us, and may start it again.
        server.set(ssl="off")


def test_unix_socket(databases, engine_directory):
    source, target = databases
    server = source.server
    url = f"/{source.name}?host={server.directory}&port={server.port}"
    system = make_system(source, target, engine_directory, url)
    try:
        check_flow(system, expected_ssl=False)
    finally:
        system.retire()


def test_a_server_that_ends_the_connection_as_streaming_starts(databases, engine_directory):
    """It says itself why: no mistake of the configuration, and no reason to give up."""
    source, target = databases
    writer = Session("main", source.server.port, "app", CANARY, source.name)
    writer.run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')")
    system = FreshetSystem(source, target, engine_directory, tables=[Table("public", "t")])
    proxy = HoldingProxy(source.server.port)
    try:
        proxy.hold("^START_REPLICATION")
        system.start(source_port=proxy.port)
        proxy.wait_held()
        killed = source.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'walsender'"
        )
        assert killed == [(True,)]
        proxy.release()
        system.wait_streaming()
        assert "terminating connection" in system.log_text()
        assert system.stop() == 0
    finally:
        system.retire()
        proxy.close()


def test_a_destination_that_is_lost_while_it_is_asked_for_a_new_copy(databases, engine_directory):
    """What was asked of the lane says only that the lane has ended: that is not what ends the run."""
    source, target = databases
    writer = Session("main", source.server.port, "app", CANARY, source.name)
    writer.run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')")
    table = Table("public", "t")
    system = FreshetSystem(source, target, engine_directory, tables=[table])
    proxy = HoldingProxy(target.server.port)
    try:
        system.start(destination_port=proxy.port)
        system.wait_streaming()
        proxy.hold(".")
        writer.run("INSERT INTO t VALUES (2, 'two')")
        proxy.wait_held()
        writer.run("BEGIN; ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a text; COMMIT")
        time.sleep(LOOK_SECONDS + 2)  # the lane is busy, and now it has been asked as well
        proxy.release(is_dropped=True)
        writer.run("INSERT INTO t VALUES (3, 'three')")
        system.wait_position(source.barrier())
        system.wait_streaming()
        columns = source.columns_of(table)
        wait_until(
            lambda: system.check_alive()
            or source.checksum_of(table, columns) == target.checksum_of(table, columns),
            "the table was copied again", describe=system.describe,
        )
        assert system.stop() == 0
    finally:
        system.retire()
        proxy.close()


def test_replication_that_finds_no_sender_free_is_tried_again(version, pairs, engine_directory):
    with Postgres(version, settings={"max_wal_senders": "1"}) as server:
        make_roles(server)
        source, target = new_databases(replace(pairs.get(version), source=server), "senders")
        system = FreshetSystem(source, target, engine_directory, tables=[Table("public", "t")])
        source.query("CREATE TABLE t (id int PRIMARY KEY)")
        source.query("ALTER TABLE t OWNER TO app")
        system.start()
        try:
            system.wait_streaming()
            system.freeze()
            source.query("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
            wait_until(lambda: source.value("SELECT count(*) FROM pg_stat_replication") == 0, "it is gone")
            other = server.connect(source.name, replication="database")
            system.process.signal(signal.SIGCONT)
            wait_until(lambda: "sqlstate=53300" in system.log_text(), "it is refused", describe=system.describe)
            other.close()
            source.query("INSERT INTO t VALUES (1)")
            system.wait_position(source.barrier())
            assert target.value("SELECT count(*) FROM t") == 1
            assert system.stop() == 0
        finally:
            system.close()
            source.close()
            target.close()
