"""The engine under test as a process: start it, wait for it, kill it, read what it said."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from harness.waiting import PATIENCE, NotInTime

REPOSITORY = Path(__file__).parents[2]
_LOG_TAIL_BYTES = 6000


def find_binary() -> Path:
    """Returns FRESHET_BIN, or the newest build of this clone."""
    if named := os.environ.get("FRESHET_BIN"):
        return Path(named)
    built = sorted(REPOSITORY.glob("build*/**/freshet"), key=lambda path: path.stat().st_mtime)
    built = [path for path in built if path.is_file() and os.access(path, os.X_OK)]
    if not built:
        raise FileNotFoundError("no freshet binary: run ./dev build, or set FRESHET_BIN")
    return built[-1]


def to_yaml(value: object, indent: int = 0) -> str:
    """Writes a configuration as YAML in block style; scalars are quoted as JSON does."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(
            f"\n{pad}{json.dumps(key)}:{to_yaml(item, indent + 1)}" for key, item in value.items()
        )
    if isinstance(value, list) and value:
        return "".join(f"\n{pad}- {to_yaml(item, indent + 1).strip()}" for item in value)
    if isinstance(value, str) and re.fullmatch(r"[\w./]+", value):
        return f" {value}"
    return f" {json.dumps(value, ensure_ascii=False)}"


class EngineProcess:
    """One run of the program; its output goes to a file."""

    def __init__(
        self, arguments: list[str], log: Path, *, directory: Path, env: dict[str, str] | None = None
    ):
        self.log = log
        directory.mkdir(parents=True, exist_ok=True)
        own = {
            "XDG_STATE_HOME": str(directory / "state"),
            "TMPDIR": str(directory / "tmp"),
            "HOME": str(directory),
        }
        (directory / "tmp").mkdir(exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [str(find_binary()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=inherited | own | (env or {}),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def terminate(self, seconds: float = 20) -> int:
        """Asks it to end and returns its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        try:
            return self._process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            told = f"freshet still runs after {seconds * PATIENCE:g} s\n{self.log_tail()}"
            raise NotInTime(told) from None

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_tail(self) -> str:
        return "…" + self.log_text()[-_LOG_TAIL_BYTES:]

    def memory_peak_bytes(self) -> int:
        """Returns VmHWM; 0 once the process is gone."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0


def capture_sql(verb: str, directory: Path) -> str:
    """Returns what installs or removes DDL capture."""
    code, text = run_once(["ddl-capture", verb, "--print"], directory)
    assert code == 0, text
    return text


def run_once(
    arguments: list[str], directory: Path, *, seconds: float = 30, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Runs the program to its end and returns its exit code and all it said."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"run-{time.monotonic_ns()}.log"
    process = EngineProcess(arguments, log, directory=directory, env=env)
    try:
        code = process.wait(seconds)
    finally:
        if process.exit_code is None:
            process.kill()
    return code, process.log_text()
