"""Named psql sessions: statements as a DBA types them, several sessions side by side."""

import os
import queue
import subprocess
import threading
import time

from servers.binaries import find_client

from harness.waiting import PATIENCE

STATEMENTS_SECONDS_MAX = 120.0


class SqlFailed(AssertionError):
    """A statement failed, or did not although it should have."""


class Session:
    """One psql process. Each statement is a transaction of its own unless BEGIN says otherwise."""

    def __init__(self, name: str, port: int, user: str, password: str, database: str):
        self.name = name
        self._count = 0
        self._pending: str | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        command = [str(find_client("psql")), "-XqAt", "-h", "127.0.0.1", "-p", str(port)]
        self._psql = subprocess.Popen(
            [*command, "-U", user, "-d", database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PGPASSWORD": password, "PGAPPNAME": f"scenario {name}"},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, sql: str) -> str:
        """Runs statements and returns what psql said, errors included."""
        self.submit(sql)
        return self.join()

    def submit(self, sql: str) -> None:
        """Starts statements; `join()` waits for them."""
        if self._pending:
            self.join()
        self._count += 1
        self._pending = f"__done_{self._count}__"
        try:
            self._psql.stdin.write(f"{sql}\n\\warn {self._pending}\n")
            self._psql.stdin.flush()
        except BrokenPipeError:
            pass  # join() tells what psql said before it went

    def join(self) -> str:
        """Waits until what was submitted has been done; returns psql's words."""
        output: list[str] = []
        deadline = time.monotonic() + STATEMENTS_SECONDS_MAX * PATIENCE
        while self._pending:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                said = "".join(output)
                raise SqlFailed(f"session {self.name}: still busy; so far: {said}") from None
            if self._pending in line or not line:
                self._pending = None
            output.append(line)
        return "".join(line for line in output if not line.startswith("__done_"))

    def close(self) -> None:
        self._psql.kill()
        self._psql.wait()
        self._psql.stdin.close()

    def _read(self) -> None:
        for line in self._psql.stdout:
            self._lines.put(line)
        self._lines.put("")
        self._psql.stdout.close()


def errors_in(output: str) -> str:
    """Returns the error lines of psql's words, or nothing."""
    words = ("ERROR:", "FATAL:", "PANIC:", "server closed the connection")
    return "\n".join(line for line in output.splitlines() if any(word in line for word in words))
