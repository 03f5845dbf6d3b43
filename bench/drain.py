"""Draining a backlog that waits in a slot: to nowhere, and into another PostgreSQL.

Pipelines run once while the table is empty, so that slot and state exist. Then a base slot is
copied from the pipeline's, the backlog is written, and every run starts from a copy of the base
slot, with Freshet's state (and the destination database) as it was when the base was made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from checksum import Tally
from contest import Contender, Contest, hold_contest, say
from engine import NullReport, Pipeline, PipelineSetting, server_url
from measure import Measurement, measure_commands, measure_inside_server
from stage import DATABASE, Backlog, Fingerprint, Stage

TABLE = "bench_stream"
TRANSACTION_ROWS = (1, 100, 10_000)
_NULL_SLOT = "bench_drain_null"
_POSTGRES_SLOT = "bench_drain_postgres"
_PREPARED = "bench_prepared"


def run_drains(
    stage: Stage, tasks: set[str], rows: int, repeat: int, report: Callable[[Contest], None]
) -> None:
    """Holds the contests of `drain-null` and `drain-postgres` for each size of transaction."""
    for transaction_rows in TRANSACTION_ROWS:
        stage.sql("TRUNCATE bench_stream")
        with _prepared(stage, tasks) as (null, postgres):
            say(f"writing {rows:,} rows in transactions of {transaction_rows:,}")
            backlog = stage.write_backlog(rows, transaction_rows)
            if null:
                report(_drain_to_null(stage, null, backlog, repeat))
            if postgres:
                report(_drain_into_postgres(stage, postgres, backlog, repeat))


@contextmanager
def _prepared(
    stage: Stage, tasks: set[str]
) -> Iterator[tuple["FreshetToNull | None", "FreshetIntoPostgres | None"]]:
    null = FreshetToNull(stage) if "drain-null" in tasks else None
    postgres = FreshetIntoPostgres(stage) if "drain-postgres" in tasks else None
    made = [contender for contender in (null, postgres) if contender]
    try:
        for contender in made:
            contender.prepare()
        yield null, postgres
    finally:
        for contender in made:
            contender.close()


def _drain_to_null(
    stage: Stage, freshet: "FreshetToNull", backlog: Backlog, repeat: int
) -> Contest:
    freshet.expect(backlog, stage.tally_source(TABLE))
    contenders: list[Contender] = [freshet, PgRecvlogical(stage, freshet.base_slot, backlog)]
    return hold_contest(stage, _contest("drain-null", "to null", backlog), contenders, repeat)


def _drain_into_postgres(
    stage: Stage, freshet: "FreshetIntoPostgres", backlog: Backlog, repeat: int
) -> Contest:
    expected = stage.fingerprint(stage.source, TABLE)
    freshet.expect(backlog, expected)
    contenders: list[Contender] = [
        freshet,
        NativeSubscription(stage, freshet.base_slot, backlog, expected),
    ]
    contest = _contest("drain-postgres", "into Postgres", backlog)
    return hold_contest(stage, contest, contenders, repeat)


def _contest(task: str, where: str, backlog: Backlog) -> Contest:
    title = f"drain {where}, {backlog.rows:,} rows in transactions of {backlog.transaction_rows:,}"
    notes = [f"backlog of {backlog.wal_mib:.0f} MiB of WAL"]
    return Contest(task, title, backlog.rows, notes=notes)


class FreshetToNull:
    """Freshet with the null destination, and durable progress in its state store."""

    name = "freshet"

    def __init__(self, stage: Stage):
        self._report = NullReport(stage.directory / "drain.json")
        setting = PipelineSetting(_NULL_SLOT, TABLE, self._report.url, copies=False)
        self._stage = stage
        self._pipeline = Pipeline(stage, setting)
        self._end = ""
        self._expected = Tally()

    @property
    def base_slot(self) -> str:
        return self._pipeline.base_slot

    def prepare(self) -> None:
        self._pipeline.run("caught-up")
        self._pipeline.save()

    def expect(self, backlog: Backlog, tally: Tally) -> None:
        self._end, self._expected = backlog.end, tally

    def run(self) -> Measurement:
        self._pipeline.restore()
        self._report.path.unlink(missing_ok=True)
        run = self._pipeline.run(self._end)
        return run.voided(self._report.difference(TABLE, "inserted", self._expected))

    def close(self) -> None:
        self._stage.drop_slot(self._pipeline.slot)
        self._stage.drop_slot(self.base_slot)


class FreshetIntoPostgres:
    """Freshet with a PostgreSQL destination, which keeps the position itself."""

    name = "freshet"

    def __init__(self, stage: Stage):
        url = server_url(stage.destination)
        self._stage = stage
        self._pipeline = Pipeline(stage, PipelineSetting(_POSTGRES_SLOT, TABLE, url, copies=False))
        self._end = ""
        self._expected = Fingerprint(0, None)

    @property
    def base_slot(self) -> str:
        return self._pipeline.base_slot

    def prepare(self) -> None:
        stage = self._stage
        stage.renew_database(DATABASE)
        self._pipeline.run("caught-up")
        self._pipeline.save()
        stage.renew_database(_PREPARED, template=DATABASE)

    def expect(self, backlog: Backlog, fingerprint: Fingerprint) -> None:
        self._end, self._expected = backlog.end, fingerprint

    def run(self) -> Measurement:
        self._stage.renew_database(DATABASE, template=_PREPARED)
        self._pipeline.restore()
        self._stage.checkpoint()
        run = self._pipeline.run(self._end)
        found = self._stage.fingerprint(self._stage.destination, TABLE)
        return run.voided(found.difference(self._expected))

    def close(self) -> None:
        self._stage.drop_slot(self._pipeline.slot)
        self._stage.drop_slot(self.base_slot)


class PgRecvlogical:
    """PostgreSQL's own client, writing what it reads to /dev/null."""

    name = "pg_recvlogical"
    _SLOT = "bench_recvlogical"

    def __init__(self, stage: Stage, base_slot: str, backlog: Backlog):
        self._stage = stage
        self._base_slot = base_slot
        server = stage.source
        self._command = [stage.client("pg_recvlogical"), "--start", "-f", "-", "--no-loop"]
        self._command += ["-h", "127.0.0.1", "-p", str(server.port), "-U", server.user]
        self._command += ["-d", DATABASE, "-S", self._SLOT, f"--endpos={backlog.end}"]
        self._command += ["-o", "proto_version=1", "-o", f"publication_names={TABLE}"]

    def run(self) -> Measurement:
        self._stage.copy_slot(self._base_slot, self._SLOT)
        try:
            return measure_commands(self._stage, [self._command], drops_output=True)
        finally:
            self._stage.drop_slot(self._SLOT)


class NativeSubscription:
    """A subscription of the destination server; done when the last row is visible there."""

    name = "native subscription"
    _SLOT = "bench_native"
    _DATABASE = "bench_native"

    def __init__(self, stage: Stage, base_slot: str, backlog: Backlog, expected: Fingerprint):
        self._stage = stage
        self._base_slot = base_slot
        self._backlog = backlog
        self._expected = expected

    def run(self) -> Measurement:
        stage = self._stage
        stage.renew_database(self._DATABASE)
        stage.copy_definition(TABLE, self._DATABASE)
        stage.copy_slot(self._base_slot, self._SLOT)
        with stage.destination.connect(self._DATABASE) as connection:
            self._subscribe(connection)
            stage.checkpoint()
            try:
                run = self._measure(connection)
            finally:
                self._unsubscribe(connection)
        found = stage.fingerprint(stage.destination, TABLE, self._DATABASE)
        return run.voided(found.difference(self._expected))

    def _measure(self, connection: psycopg.Connection) -> Measurement:
        last = f"SELECT FROM {TABLE} WHERE id = {self._backlog.rows}"
        worker = "SELECT pid FROM pg_stat_subscription WHERE subname = 'bench'"
        return measure_inside_server(
            self._stage,
            begin=lambda: _execute(connection, "ALTER SUBSCRIPTION bench ENABLE"),
            is_done=lambda: connection.execute(last).rowcount == 1,
            worker=lambda: connection.execute(worker).fetchall()[0][0],
        )

    def _subscribe(self, connection: psycopg.Connection) -> None:
        source = self._stage.source
        where = psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=source.port,
            user=source.user,
            password=source.password,
            dbname=DATABASE,
        )
        connection.execute(
            f"CREATE SUBSCRIPTION bench CONNECTION '{where}' PUBLICATION {TABLE} WITH ("
            f"create_slot = false, slot_name = '{self._SLOT}', copy_data = false, enabled = false)"
        )

    def _unsubscribe(self, connection: psycopg.Connection) -> None:
        connection.execute("ALTER SUBSCRIPTION bench DISABLE")
        connection.execute("ALTER SUBSCRIPTION bench SET (slot_name = NONE)")
        connection.execute("DROP SUBSCRIPTION bench")
        self._stage.drop_slot(self._SLOT)


def _execute(connection: psycopg.Connection, text: str) -> None:
    connection.execute(text)
