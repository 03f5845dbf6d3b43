"""Freshet as the system under test: one pipeline from a source database to a destination."""

import re
import signal
from pathlib import Path

import psycopg

from harness.database import Database
from harness.engine import EngineProcess, to_yaml
from harness.environment import CANARY, drop_database, url_of
from harness.lsn import format_lsn, parse_lsn
from harness.scenario import Table
from harness.waiting import WAIT_SECONDS_MAX, wait_until

START_SECONDS_MAX = 60.0


class EngineEnded(AssertionError):
    """The engine ended although nobody asked it to."""


def quoted_name(table: Table) -> str:
    """Returns the name as the configuration wants it: quoted where PostgreSQL needs that."""
    parts = [table.schema, table.name]
    plain = re.compile(r"[a-z_][a-z0-9_$]*")
    return ".".join(p if plain.fullmatch(p) else '"' + p.replace('"', '""') + '"' for p in parts)


def table_config(table: Table) -> object:
    if not table.columns and not table.where:
        return quoted_name(table)
    entry: dict[str, object] = {"name": quoted_name(table)}
    if table.columns:
        entry["columns"] = list(table.columns)
    if table.where:
        entry["where"] = table.where
    return entry


class FreshetSystem:
    """Writes the pipeline file and runs the engine on it."""

    def __init__(
        self,
        source: Database,
        target: Database,
        directory: Path,
        *,
        tables: list[Table],
        publications: list[str] | None = None,
        options: dict[str, object] | None = None,
    ):
        self.source = source
        self.target = target
        self.pipeline = target.name
        self.slot = f"freshet_{self.pipeline}"
        self.directory = directory
        self.env = {"SOURCE_PASSWORD": CANARY, "DESTINATION_PASSWORD": CANARY}
        self.process: EngineProcess | None = None
        self.arguments: list[str] = []  # of the program, ahead of its command
        self.log = directory / "freshet.log"
        self._tables = tables
        self._publications = publications or []
        self._options = options or {}
        self._is_followed = False
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def config_path(self) -> Path:
        return self.directory / "pipeline.yaml"

    def config(self, source_port: int, destination_port: int) -> dict[str, object]:
        source: dict[str, object] = {
            "url": url_of(source_port, self.source.name, secret="${SOURCE_PASSWORD}")
        }
        if self._tables:
            source["tables"] = [table_config(table) for table in self._tables]
        if self._publications:
            source["publications"] = self._publications
        target = url_of(destination_port, self.target.name, secret="${DESTINATION_PASSWORD}")
        config: dict[str, object] = {
            "pipeline": self.pipeline,
            "source": source,
            "state": f"sqlite:{self.directory / 'state.db'}",
            "destinations": {"main": {"url": target}},
        }
        for path, value in self._options.items():
            _set(config, path, value)
        return config

    def change_tables(self, tables: list[Table]) -> None:
        """For the next start."""
        self._tables = tables

    def change_options(self, options: dict[str, object]) -> None:
        """For the next start."""
        self._options = options

    def start(self, source_port: int = 0, destination_port: int = 0) -> None:
        self.kill()
        self.write_config(source_port, destination_port)
        self.process = self.launch(self.log)

    def write_config(self, source_port: int = 0, destination_port: int = 0) -> None:
        """For commands before the first start; `start` does it by itself."""
        ports = (source_port or self.source.server.port, destination_port or self.target.server.port)
        self.config_path.write_text(to_yaml(self.config(*ports)).lstrip("\n") + "\n")

    def launch(self, log: Path) -> EngineProcess:
        """Runs one more engine on the same pipeline file."""
        arguments = [*self.arguments, "run", str(self.config_path)]
        return EngineProcess(arguments, log, directory=self.directory, env=self.env)

    def wait_streaming(self) -> None:
        def is_streaming() -> bool:
            self.check_alive()
            phases = self.phases()
            return len(phases) >= max(1, len(self._tables)) and set(phases) == {"streaming"}

        wait_until(
            is_streaming, "all tables are streaming", seconds=START_SECONDS_MAX,
            describe=self.describe,
        )

    def wait_position(self, lsn: int, seconds: float = WAIT_SECONDS_MAX) -> None:
        def has_passed() -> bool:
            self.check_alive()
            return self.position() >= lsn

        wait_until(
            has_passed, f"the destination has passed {format_lsn(lsn)}", seconds=seconds,
            describe=self.describe,
        )
        self.check_acknowledged()

    def check_acknowledged(self) -> None:
        """The slot never passes what the destination holds."""
        confirmed = self.source.value(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s",
            [self.slot],
        )
        position = self.position()
        assert not confirmed or parse_lsn(confirmed) <= position, (
            f"acknowledged {confirmed} but the destination is at {format_lsn(position)}"
        )

    def position(self) -> int:
        rows = self._ask("SELECT position FROM freshet.progress WHERE pipeline = %s")
        return parse_lsn(rows[0][0]) if rows and rows[0][0] is not None else 0

    def phases(self) -> list[str]:
        rows = self._ask("SELECT phase FROM freshet.tables WHERE pipeline = %s")
        return [phase for (phase,) in rows]

    def check_alive(self) -> None:
        code = self.process.exit_code if self.process else None
        if code is not None:
            raise EngineEnded(f"freshet ended with {code}\n{self.process.log_tail()}")

    def stop(self) -> int:
        return self.process.terminate() if self.process else 0

    def kill(self) -> None:
        if self.process:
            self.process.kill()

    def freeze(self) -> None:
        self.process.signal(signal.SIGSTOP)

    def close(self) -> None:
        self.kill()

    def retire(self) -> None:
        """Ends the engine and removes what it left at the source, and the destination database."""
        self.retire_engine()
        self.target.close()
        drop_database(self.target.server, self.target.name)

    def retire_engine(self) -> None:
        """Ends the engine and removes its slot and publication."""
        self.close()
        self.source.query(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
            " WHERE slot_name = %s AND active",
            [self.slot],
        )
        drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        idle = "SELECT NOT active FROM pg_replication_slots WHERE slot_name = %s"
        wait_until(lambda: self.source.value(idle, [self.slot]) is not False, "idle slot")
        self.source.query(f"{drop} WHERE slot_name = %s", [self.slot])
        self.source.query(f'DROP PUBLICATION IF EXISTS "{self.slot}"')

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def describe(self) -> str:
        slots = self.source.query(
            "SELECT slot_name, active, restart_lsn, confirmed_flush_lsn FROM pg_replication_slots"
        )
        here = f"position {format_lsn(self.position())}, phases {self.phases()}"
        return f"{here}\nslots: {slots}\n{self.log_text()[-6000:]}"

    def _ask(self, query: str) -> list[tuple]:
        try:
            return self.target.query(query, [self.pipeline])
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return []


def _set(config: dict[str, object], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for name in parents:
        config = config.setdefault(name, {})
    config[last] = value
