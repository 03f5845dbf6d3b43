"""Looks at the destination all the time: no source transaction may ever be visible in part."""

import threading
import time

import psycopg
from servers import Postgres

from torture.shapes import TRANSFERS_BALANCE

_LOOK_EVERY_SECONDS = 0.05
# What there is before the first copy, and while a server or database is away.
_NOT_THERE_YET = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.OperationalError,
)


class Balance:
    """A thread that asks whether the transfers are balanced, and keeps the first look that was not."""

    def __init__(self, server: Postgres, database: str):
        self.looks = 0
        self.finding = ""
        self._server = server
        self._database = database
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="balance")
        self._thread.start()

    def check(self) -> None:
        assert not self.finding, self.finding

    def finish(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        connection = None
        while not self._is_over.wait(_LOOK_EVERY_SECONDS):
            try:
                if connection is None or connection.closed:
                    connection = self._server.connect(self._database)
                if connection.execute(TRANSFERS_BALANCE).fetchone() == (True,):
                    self.looks += 1
                elif not self.finding:
                    rows = connection.execute("SELECT * FROM freshet.tables").fetchall()
                    self.finding = f"transfers not balanced at {time.strftime('%H:%M:%S')}: {rows}"
            except _NOT_THERE_YET:
                continue
        if connection:
            connection.close()
