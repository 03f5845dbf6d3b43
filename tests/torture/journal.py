"""What was done to a source, in the order in which it was told to the test."""

import collections
import threading
import time
from pathlib import Path

_TAIL_LINES = 40


class Journal:
    """A file of all statements, and the counts that the summary tells."""

    def __init__(self, path: Path):
        self.path = path
        self.counts: collections.Counter[str] = collections.Counter()
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        self._lock = threading.Lock()
        self._file = open(path, "w", buffering=1, encoding="utf-8")
        self._started = time.monotonic()

    def write(self, who: str, what: str) -> None:
        with self._lock:
            line = f"{time.monotonic() - self._started:9.4f} {who}: {what}"
            self._file.write(line + "\n")
            self._tail.append(line[:400])

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def tail(self) -> str:
        with self._lock:
            return "\n".join(self._tail)

    def close(self) -> None:
        with self._lock:
            self._file.close()
