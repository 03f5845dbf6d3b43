"""The user that servers run as: PostgreSQL refuses root."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

SERVER_USER = "nobody"
_PR_SET_PDEATHSIG = 1
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 12 << 30  # a run on two versions was seen to take 7 GiB


@dataclass(frozen=True)
class Account:
    """A user to run servers as; `ids` is None when that is who we are."""

    name: str
    ids: tuple[int, int] | None

    def own(self, path: Path) -> None:
        if self.ids:
            os.chown(path, *self.ids)

    def run(self, command: list[str]) -> None:
        """Runs a program to its end; its output goes into the error if it fails."""
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **self._options()
        )
        if done.returncode != 0:
            text = done.stdout.decode(errors="replace")
            raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{text}")

    def spawn(self, command: list[str], log: Path) -> subprocess.Popen:
        """Starts a program that dies with us, even if we are killed."""
        with open(log, "ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent(),
                **self._options(),
            )

    def _options(self) -> dict:
        env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        if self.ids is None:
            return {"env": env}
        uid, gid = self.ids
        return {"env": env | {"HOME": "/"}, "user": uid, "group": gid, "extra_groups": []}


def server_account() -> Account:
    """Returns ourselves, or an unprivileged user when we are root."""
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name, None)
    entry = pwd.getpwnam(SERVER_USER)
    return Account(entry.pw_name, (entry.pw_uid, entry.pw_gid))


def make_server_dir(account: Account, is_durable: bool) -> Path:
    """Makes a temporary folder that the account owns and can reach.

    One that need not be durable is in memory where there is plenty of it: databases are made and
    dropped for each test, and making files where others were just deleted is slow on a disk.
    """
    parents = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    if not is_durable and "TMPDIR" not in os.environ and _has_room(_MEMORY):
        parents.insert(0, str(_MEMORY))
    parent = next(p for p in parents if account.ids is None or _is_reachable(Path(p)))
    # Short: the path of a Unix socket has at most 107 bytes.
    path = Path(tempfile.mkdtemp(prefix="freshet-pg-", dir=parent))
    account.own(path)
    return path


def _has_room(path: Path) -> bool:
    """Says whether a folder in memory can take what the tests write, and the memory what they need."""
    if not path.is_dir() or shutil.disk_usage(path).free < _MEMORY_BYTES_MIN:
        return False
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(available) * 1024 >= _MEMORY_BYTES_MIN


def _is_reachable(path: Path) -> bool:
    return all(p.stat().st_mode & 0o001 for p in [path.resolve(), *path.resolve().parents])


def _die_with_parent():
    # The kernel watches the thread that forked, so only the main thread may ask for it.
    if threading.current_thread() is not threading.main_thread():
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
