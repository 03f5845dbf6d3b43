"""What a run costs: time, CPU of clients and servers, peak memory, bytes over the loopback.

The clock runs from just before the first client starts until the last one has ended (or, for a
contender that lives inside a server, until its work is seen); nothing is subtracted.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from servers import Postgres

import loopback
from stage import Stage

RUN_SECONDS_MAX = 3600
# For a backend to end after its client, so that its CPU is counted; not part of the time.
_SETTLE_SECONDS = 0.3
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_LOG_TAIL_CHARACTERS = 2000


class RunFailed(RuntimeError):
    """A contender did not end well; the message ends with what it said."""


@dataclass(frozen=True)
class Measurement:
    """One run. Where a contender has no process of its own, its CPU is the destination's."""

    seconds: float
    client_cpu_seconds: float
    source_cpu_seconds: float
    destination_cpu_seconds: float
    memory_mib: float
    network_mib: float
    load: float
    void: str = ""  # Why the figure does not count; empty if it does.

    def voided(self, why: str) -> "Measurement":
        return replace(self, void=why)


class Meter:
    """Counts from its making to `read()`."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._load = os.getloadavg()[0]
        self._source_cpu = server_cpu_seconds(stage.source)
        self._destination_cpu = server_cpu_seconds(stage.destination)
        self._bytes = loopback.bytes_sent()
        self._start = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def read(self, seconds: float, client_cpu_seconds: float, memory_mib: float) -> Measurement:
        sent = loopback.bytes_sent() - self._bytes
        time.sleep(_SETTLE_SECONDS)
        return Measurement(
            seconds=seconds,
            client_cpu_seconds=client_cpu_seconds,
            source_cpu_seconds=server_cpu_seconds(self._stage.source) - self._source_cpu,
            destination_cpu_seconds=server_cpu_seconds(self._stage.destination)
            - self._destination_cpu,
            memory_mib=memory_mib,
            network_mib=sent / (1 << 20),
            load=self._load,
        )


def measure_commands(
    stage: Stage, commands: list[list[str]], *, drops_output: bool
) -> Measurement:
    """Runs commands side by side to their end; memory is the sum of their peaks."""
    folder = stage.directory / f"run-{time.monotonic_ns()}"
    folder.mkdir()
    runs = [_TimedCommand(command, folder / str(at)) for at, command in enumerate(commands)]
    meter = Meter(stage)
    try:
        for run in runs:
            run.start(stage.environment, drops_output=drops_output)
        for run in runs:
            run.wait()
        seconds = meter.elapsed()
    finally:
        for run in runs:
            run.kill()
    costs = [run.cost() for run in runs]
    return meter.read(seconds, sum(cpu for cpu, _ in costs), sum(memory for _, memory in costs))


def measure_inside_server(
    stage: Stage, begin: Callable[[], None], is_done: Callable[[], bool], worker: Callable[[], int]
) -> Measurement:
    """Measures work of the destination server itself; `worker` names the process that does it."""
    meter = Meter(stage)
    begin()
    while not is_done():
        if meter.elapsed() > RUN_SECONDS_MAX:
            raise RunFailed(f"not done after {RUN_SECONDS_MAX} s")
        time.sleep(0.02)
    seconds = meter.elapsed()
    return meter.read(seconds, 0.0, peak_memory_mib(worker()))


def server_cpu_seconds(server: Postgres) -> float:
    """Returns the CPU time so far of the postmaster and of its children, dead or alive."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    ticks = sum(sum(_cpu_ticks(int(pid))[:2]) for pid in children)
    return (ticks + sum(_cpu_ticks(server.pid))) / _TICKS_PER_SECOND


def peak_memory_mib(pid: int) -> float:
    """Returns VmHWM of a process that runs."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu_ticks(pid: int) -> tuple[int, int, int, int]:
    """Returns user and system time of a process, then those of its reaped children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0, 0, 0
    user, system, reaped_user, reaped_system = map(int, fields[11:15])
    return user, system, reaped_user, reaped_system


class _TimedCommand:
    """A command under GNU time, which reports CPU and peak memory of it and its children.

    Our own wait4() would not do: the peak that it tells includes the moment between fork and
    exec, when the child is still a copy of this interpreter.
    """

    def __init__(self, command: list[str], path: Path):
        self._command = command
        self._name = Path(command[0]).name
        self._cost = path.with_suffix(".cost")
        self._log = path.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: dict[str, str], *, drops_output: bool) -> None:
        timed = ["time", "--quiet", "-f", "%U %S %M", "-o", str(self._cost), *self._command]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                timed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if drops_output else log,
                stderr=log,
                cwd=self._log.parent,
                env=environment,
                start_new_session=True,
            )

    def wait(self) -> None:
        if self._process is None:
            raise RuntimeError("not started")
        try:
            code = self._process.wait(RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"{self._name} still runs after {RUN_SECONDS_MAX} s") from None
        if code != 0:
            said = self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
            raise RunFailed(f"{self._name} ended with {code}:\n{said}")

    def kill(self) -> None:
        """Ends the command and what it started; does nothing if it has ended."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def cost(self) -> tuple[float, float]:
        """Returns CPU seconds and peak memory in MiB."""
        user, system, peak_kib = self._cost.read_text().split()
        return float(user) + float(system), int(peak_kib) / 1024
