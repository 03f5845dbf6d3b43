"""The initial copy of a large table: to nowhere, and into another PostgreSQL."""

import shutil
import time
from collections.abc import Callable

from checksum import Tally
from contest import Contender, Contest, hold_contest, say
from engine import NullReport, Pipeline, PipelineSetting, server_url
from measure import Measurement, measure_commands
from stage import DATABASE, Fingerprint, Stage

TABLE = "bench_copy"
_DEFAULT_CONNECTIONS = 4
_PGCOPYDB_TABLE_JOBS = 2


def run_copies(
    stage: Stage, tasks: set[str], rows: int, repeat: int, report: Callable[[Contest], None]
) -> None:
    """Holds the contests of `copy-null` and `copy-postgres`."""
    say(f"filling {TABLE} with {rows:,} rows")
    stage.fill_copy_table(rows)
    if "copy-null" in tasks:
        expected = stage.tally_source(TABLE)
        for connections in (1, 2):
            report(_copy_to_null(stage, rows, connections, expected, repeat))
    if "copy-postgres" in tasks:
        report(_copy_into_postgres(stage, rows, repeat))


def _copy_to_null(
    stage: Stage, rows: int, connections: int, expected: Tally, repeat: int
) -> Contest:
    contenders: list[Contender] = [
        FreshetToNull(stage, connections, expected),
        PsqlCopy(stage, connections, rows),
    ]
    plural = "s" if connections > 1 else ""
    title = f"copy to null, {rows:,} rows by {connections} connection{plural}"
    return hold_contest(stage, Contest("copy-null", title, rows), contenders, repeat)


def _copy_into_postgres(stage: Stage, rows: int, repeat: int) -> Contest:
    expected = stage.fingerprint(stage.source, TABLE)
    contest = Contest("copy-postgres", f"copy into Postgres, {rows:,} rows", rows)
    contenders: list[Contender] = [FreshetIntoPostgres(stage, expected)]
    if shutil.which("pgcopydb"):
        contenders.append(Pgcopydb(stage, expected))
    else:
        contest.notes.append("pgcopydb is not installed: ./dev setup --for bench")
    return hold_contest(stage, contest, contenders, repeat)


class FreshetToNull:
    """A first run with the null destination: slot, copy, hand-over to the stream, caught up."""

    def __init__(self, stage: Stage, connections: int, expected: Tally):
        self.name = "freshet"
        self._expected = expected
        self._report = NullReport(stage.directory / "copy.json")
        setting = PipelineSetting(
            "bench_copy_null", TABLE, self._report.url, copies=True, connections=connections
        )
        self._pipeline = Pipeline(stage, setting)

    def run(self) -> Measurement:
        self._pipeline.forget()
        self._report.path.unlink(missing_ok=True)
        run = self._pipeline.run("caught-up")
        self._pipeline.forget()
        return run.voided(self._report.difference(TABLE, "copied", self._expected))


class FreshetIntoPostgres:
    """A first run into an empty database: tables made, copied, and the stream caught up."""

    name = f"freshet, {_DEFAULT_CONNECTIONS} connections"

    def __init__(self, stage: Stage, expected: Fingerprint):
        self._stage = stage
        self._expected = expected
        setting = PipelineSetting(
            "bench_copy_postgres",
            TABLE,
            server_url(stage.destination),
            copies=True,
            connections=_DEFAULT_CONNECTIONS,
        )
        self._pipeline = Pipeline(stage, setting)

    def run(self) -> Measurement:
        stage = self._stage
        self._pipeline.forget()
        stage.renew_database(DATABASE)
        stage.checkpoint()
        run = self._pipeline.run("caught-up")
        self._pipeline.forget()
        found = stage.fingerprint(stage.destination, TABLE)
        return run.voided(found.difference(self._expected))


class PsqlCopy:
    """psql's COPY to /dev/null, in text form; by two connections, each takes half of the keys."""

    def __init__(self, stage: Stage, connections: int, rows: int):
        self.name = f"psql COPY × {connections}"
        self._stage = stage
        self._commands = [
            self._command(rows * at // connections, rows * (at + 1) // connections)
            for at in range(connections)
        ]
        if connections == 1:
            self._commands = [self._psql(f"COPY {TABLE} TO STDOUT")]

    def run(self) -> Measurement:
        return measure_commands(self._stage, self._commands, drops_output=True)

    def _command(self, after: int, upto: int) -> list[str]:
        chosen = f"SELECT * FROM {TABLE} WHERE id > {after} AND id <= {upto}"
        return self._psql(f"COPY ({chosen}) TO STDOUT")

    def _psql(self, statement: str) -> list[str]:
        server = self._stage.source
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", server.user, "-d", DATABASE]
        return [self._stage.client("psql"), "-Xq", *where, "-c", statement]


class Pgcopydb:
    """pgcopydb's copy of table data, as in the shared peer figures: one table is not split."""

    name = f"pgcopydb, {_PGCOPYDB_TABLE_JOBS} table jobs"
    _DATABASE = "bench_pgcopydb"

    def __init__(self, stage: Stage, expected: Fingerprint):
        self._stage = stage
        self._expected = expected
        self._filter = stage.directory / "pgcopydb.ini"
        self._filter.write_text(f"[include-only-table]\npublic.{TABLE}\n")

    def run(self) -> Measurement:
        stage = self._stage
        stage.renew_database(self._DATABASE)
        stage.copy_definition(TABLE, self._DATABASE)
        stage.checkpoint()
        run = measure_commands(stage, [self._command()], drops_output=False)
        found = stage.fingerprint(stage.destination, TABLE, self._DATABASE)
        return run.voided(found.difference(self._expected))

    def _command(self) -> list[str]:
        stage = self._stage
        command = ["pgcopydb", "copy", "table-data", "--not-consistent"]
        command += ["--source", server_url(stage.source)]
        command += ["--target", server_url(stage.destination, self._DATABASE)]
        command += ["--table-jobs", str(_PGCOPYDB_TABLE_JOBS), "--index-jobs", "1"]
        command += ["--filters", str(self._filter)]
        return [*command, "--dir", str(stage.directory / f"pgcopydb-{time.monotonic_ns()}")]
