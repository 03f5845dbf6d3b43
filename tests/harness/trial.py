"""Runs of the engine that are to fail, and what they must leave as it was."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from servers import Postgres

from harness.database import Database
from harness.engine import run_once, to_yaml
from harness.environment import CANARY, create_database, drop_database, new_name, url_of

_OBJECTS = """
SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
UNION ALL SELECT 'publication ' || pubname FROM pg_publication
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
UNION ALL SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_temp'
ORDER BY 1
"""


@dataclass
class Trial:
    """A source with a table, an empty destination, and a pipeline file to be spoilt."""

    source: Database
    target: Database
    directory: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, source: Postgres, destination: Postgres, directory: Path) -> "Trial":
        name = new_name("trial")
        for server in (source, destination):
            create_database(server, name)
        trial = cls(Database(source, name), Database(destination, name), directory)
        trial.env = {"SOURCE_PASSWORD": CANARY, "DESTINATION_PASSWORD": CANARY}
        trial.on_source("CREATE TABLE t (id int PRIMARY KEY, a text)")
        trial.on_source("INSERT INTO t VALUES (1, 'one')")
        return trial

    def on_source(self, statement: str) -> None:
        self._as_owner(self.source, statement)

    def on_destination(self, statement: str) -> None:
        self._as_owner(self.target, statement)

    def config(self) -> dict:
        """Returns a configuration that is right."""
        source = url_of(self.source.server.port, self.source.name, secret="${SOURCE_PASSWORD}")
        target = url_of(self.target.server.port, self.target.name, secret="${DESTINATION_PASSWORD}")
        return {
            "pipeline": self.source.name,
            "source": {"url": source, "tables": ["public.t"]},
            "state": f"sqlite:{self.directory / 'state.db'}",
            "destinations": {"main": {"url": target}},
        }

    def write(self, config: dict | str | bytes) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "pipeline.yaml"
        if isinstance(config, dict):
            config = to_yaml(config).lstrip("\n") + "\n"
        path.write_bytes(config if isinstance(config, bytes) else config.encode())
        return path

    def fails(
        self, config: dict | str | bytes, code: int, *patterns: str, seconds: float = 40
    ) -> str:
        """Runs it; checks the exit code, the message, and that both sides are as before."""
        before = self.objects()
        path = self.write(config)
        found, output = run_once(["run", str(path)], self.directory, seconds=seconds, env=self.env)
        assert found == code, f"exit code {found}, not {code}\n{output}"
        self.check_output(output, *patterns)
        assert self.objects() == before, f"left something behind\n{output}"
        return output

    def check_output(self, output: str, *patterns: str) -> None:
        assert CANARY not in output
        errors = [line for line in output.splitlines() if re.match(r"(error|ERROR)\b|.*\berror:", line)]
        assert errors, f"no error was told\n{output}"
        assert len(errors) <= max(1, len(patterns)), f"more than one message\n{output}"
        for pattern in patterns:
            assert re.search(pattern, output, re.IGNORECASE | re.DOTALL), f"no /{pattern}/\n{output}"

    def objects(self) -> list[tuple]:
        """Lists what exists on both sides."""
        return [*self.source.query(_OBJECTS), ("--",), *self.target.query(_OBJECTS)]

    def close(self) -> None:
        for database in (self.source, self.target):
            database.close()
            drop_database(database.server, database.name)

    @staticmethod
    def _as_owner(database: Database, statement: str) -> None:
        database.query("SET ROLE app")
        try:
            database.query(statement)
        finally:
            database.query("RESET ROLE")
