"""Freshet as a contender: its configuration, and its state put back before each run."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.engine import find_binary, to_yaml
from servers import Postgres

from checksum import Tally
from measure import Measurement, RunFailed, measure_commands
from stage import DATABASE, Stage


@dataclass(frozen=True)
class PipelineSetting:
    """What one pipeline reads, and where it goes."""

    name: str
    table: str  # Also the publication's name.
    destination_url: str
    copies: bool
    connections: int = 4


class Pipeline:
    """One pipeline in a directory of its own; the slot is called after it."""

    def __init__(self, stage: Stage, setting: PipelineSetting):
        self.slot = setting.name
        self._stage = stage
        self._folder = stage.directory / setting.name
        self._state = self._folder / "state"
        self._saved = self._folder / "state.saved"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._file = self._folder / "pipeline.yaml"
        self._file.write_text(to_yaml(self._config(setting)).lstrip("\n"))

    def run(self, until: str) -> Measurement:
        """Runs to a position, or `caught-up`, with the log in a file."""
        command = [str(find_binary()), "run", str(self._file), "--until", until, "--plain"]
        return measure_commands(self._stage, [command], drops_output=False)

    def forget(self) -> None:
        """Makes the next run a first run."""
        shutil.rmtree(self._state, ignore_errors=True)
        self._stage.drop_slot(self.slot)

    def save(self) -> None:
        """Keeps the state as it is for `restore()`, and the slot as `base_slot`."""
        shutil.copytree(self._state, self._saved)
        self._stage.copy_slot(self.slot, self.base_slot)
        self._stage.drop_slot(self.slot)

    def restore(self) -> None:
        """Puts state and slot back to where they were saved."""
        self._stage.drop_slot(self.slot)
        self._stage.copy_slot(self.base_slot, self.slot)
        shutil.rmtree(self._state, ignore_errors=True)
        shutil.copytree(self._saved, self._state)

    @property
    def base_slot(self) -> str:
        return f"{self.slot}_base"

    def _config(self, setting: PipelineSetting) -> dict:
        return {
            "pipeline": setting.name,
            "source": {
                "url": server_url(self._stage.source),
                "slot": self.slot,
                "publications": [setting.table],
                "tables": [f"public.{setting.table}"],
                "copy": {
                    "mode": "auto" if setting.copies else "none",
                    "connections": setting.connections,
                },
            },
            "state": f"sqlite:{self._state / 'state.db'}",
            "destinations": {"target": {"url": setting.destination_url}},
        }


class NullReport:
    """The null destination's report file."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def url(self) -> str:
        return f"null:{self.path}"

    def difference(self, table: str, kind: str, expected: Tally) -> str:
        """Says how what arrived as `kind` differs from what was expected; nothing if equal."""
        try:
            report = json.loads(self.path.read_text())
        except (OSError, ValueError) as error:
            raise RunFailed(f"no report of the null destination: {error}") from None
        counted = report["tables"].get(f"public.{table}", {})
        for other in ("copied", "inserted", "updated", "upserted", "deleted"):
            if other != kind and counted.get(other, {}).get("rows", 0) != 0:
                return f"{counted[other]['rows']} rows {other}"
        found = counted.get(kind, {})
        if found.get("rows", 0) != expected.rows:
            return f"{found.get('rows', 0)} rows {kind}, not {expected.rows}"
        return "" if found["sum"] == expected.sum else f"sum {found['sum']}, not {expected.sum}"


def server_url(server: Postgres, database: str = DATABASE) -> str:
    """Returns a URL without the password, which PGPASSFILE has."""
    return f"postgresql://{server.user}@127.0.0.1:{server.port}/{database}"
