"""The servers that all other tests stand on."""

import psycopg
import pytest

from servers import Postgres, ServerError, available_versions, versions_under_test


@pytest.fixture(params=available_versions(), ids=lambda version: f"pg{version}")
def server(request):
    with Postgres(request.param) as postgres:
        yield postgres


def test_versions_under_test_are_installed():
    assert set(versions_under_test()) <= set(available_versions())


def test_server_has_the_version_and_settings_asked_for(server):
    assert server.value("SHOW server_version_num").startswith(str(server.version))
    assert server.value("SHOW wal_level") == "logical"
    assert server.value("SHOW server_encoding") == "UTF8"
    assert server.psql("SELECT 1; SELECT 2;") == "1\n2\n"


def test_committed_rows_survive_each_way_of_stopping(server):
    server.execute("CREATE TABLE t (n int)")
    for number, stop in enumerate([server.stop, lambda: server.stop("immediate"), server.kill]):
        server.execute("INSERT INTO t VALUES (%s)", [number])
        stop()
        assert not server.is_running
        server.start()
    assert server.value("SELECT count(*) FROM t") == 3


def test_a_wrong_password_is_refused(server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn(user="postgres", password="wrong"))


def test_settings_change_by_reload_and_restart(server):
    server.set(wal_level="replica", work_mem="5MB")
    server.restart()
    assert server.value("SHOW wal_level") == "replica"
    assert server.value("SHOW work_mem") == "5MB"


def test_pgvector_is_there_when_the_flag_says_so(server):
    if not server.has_pgvector:
        pytest.skip("built without pgvector")
    server.execute("CREATE EXTENSION vector")
    assert server.value("SELECT '[1,2]'::vector(2) <-> '[1,2]'") == 0


def test_servers_differ_in_system_identifier_and_leave_nothing_behind():
    version = versions_under_test()[-1]
    identifiers = set()
    for _ in range(2):
        with Postgres(version) as postgres:
            identifiers.add(postgres.value("SELECT system_identifier FROM pg_control_system()"))
        assert not postgres.directory.exists()
    assert len(identifiers) == 2


def test_a_setting_that_is_wrong_is_told_with_the_log():
    with pytest.raises(ServerError, match="unrecognized configuration parameter"):
        Postgres(versions_under_test()[-1], settings={"no_such_setting": "1"})
