"""Looks at the destination again and again, on a connection of its own."""

import threading

import psycopg
from servers import Postgres

LOOK_EVERY_SECONDS = 0.01


class Poller:
    """Runs a query every 10 ms and keeps the first look at which it was not true."""

    def __init__(self, server: Postgres, database: str, query: str):
        self._server = server
        self._database = database
        self._query = query
        self._is_over = threading.Event()
        self.looks = 0
        self.finding: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Ends it, and fails if a look was not as it should be."""
        self._is_over.set()
        self._thread.join()
        assert not self.finding, self.finding
        assert self.looks > 0, f"never looked: {self._query}"

    def _run(self) -> None:
        try:
            with self._server.connect(self._database) as connection:
                while True:
                    rows = connection.execute(self._query).fetchall()
                    self.looks += 1
                    if rows != [(True,)]:
                        self.finding = f"look {self.looks} of {self._query}: {rows}"
                    if self.finding or self._is_over.wait(LOOK_EVERY_SECONDS):
                        return
        except psycopg.Error as error:
            self.finding = f"{self._query}: {error}"
