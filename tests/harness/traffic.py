"""Load on a source: clients that keep a ledger of what they committed."""

import random
import threading
import time

import psycopg
from servers import Postgres

ACCOUNTS = 200
TOTAL = ACCOUNTS * 1000
TRANSFERS_PER_CALL = 20
CHANGES_PER_TRANSFER = 5

_SCHEMA = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE ledger (client int, seq bigint, note text, PRIMARY KEY (client, seq));
CREATE TABLE events (client int, seq bigint, kind text);
ALTER TABLE events REPLICA IDENTITY FULL;
CREATE TABLE rows (id bigint PRIMARY KEY, a text, v int);
INSERT INTO accounts SELECT n, 1000 FROM generate_series(1, {ACCOUNTS}) n;
CREATE PROCEDURE transfer(client int, first bigint, times int, rows_max bigint)
LANGUAGE plpgsql AS $$
DECLARE
  one int; two int; amount int; touched bigint; gone bigint;
BEGIN
  FOR n IN 0..times - 1 LOOP
    one := 1 + (random() * {ACCOUNTS - 1})::int;
    two := 1 + (random() * {ACCOUNTS - 1})::int;
    amount := (random() * 100)::int;
    touched := (random() * rows_max / 2)::bigint;
    gone := (rows_max / 2 + random() * rows_max / 2)::bigint;
    -- Accounts, then rows, each in one order, so that clients cannot deadlock.
    UPDATE accounts SET balance = balance - amount WHERE id = least(one, two);
    UPDATE accounts SET balance = balance + amount WHERE id = greatest(one, two);
    INSERT INTO ledger VALUES (client, first + n, md5(first::text));
    INSERT INTO events VALUES (client, (first + n) / 3, 'transfer');
    UPDATE rows SET v = v + 1 WHERE id = touched;
    IF n = 0 THEN
      DELETE FROM rows WHERE id = gone;
      INSERT INTO rows VALUES (rows_max + client * 1000000000 + first, 'new', 0);
    END IF;
    COMMIT;
  END LOOP;
END $$;
"""
TABLES = ("accounts", "ledger", "events", "rows")


def make_tables(server: Postgres, database: str, row_count: int) -> None:
    with server.connect(database) as connection:
        connection.execute("SET ROLE app")
        connection.execute(_SCHEMA)
        connection.execute(
            "INSERT INTO rows SELECT n, md5(n::text), 0 FROM generate_series(1, %s) n", [row_count]
        )


class Client:
    """One connection that writes at a rate and remembers what was acknowledged to it."""

    def __init__(self, server: Postgres, database: str, number: int, row_count: int, rate: float):
        self.number = number
        self.acknowledged = 0
        self.error: BaseException | None = None
        self._server = server
        self._database = database
        self._rows_max = row_count
        self._period = TRANSFERS_PER_CALL * CHANGES_PER_TRANSFER / rate
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"client {self.number} hangs"
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            with self._server.connect(self._database) as connection:
                due = time.monotonic()
                while not self._is_over.is_set():
                    connection.execute(
                        "CALL transfer(%s, %s, %s, %s)",
                        [self.number, self.acknowledged + 1, TRANSFERS_PER_CALL, self._rows_max],
                    )
                    self.acknowledged += TRANSFERS_PER_CALL
                    due = max(due + self._period, time.monotonic() - 1)
                    self._is_over.wait(max(0.0, due - time.monotonic()))
        except psycopg.Error as error:
            self.error = error


class Traffic:
    """Several clients together at `rate` changes per second."""

    def __init__(self, server: Postgres, database: str, *, row_count: int, rate: float, clients=2):
        self.started = time.monotonic()
        self.clients = [
            Client(server, database, number, row_count, rate / clients)
            for number in range(1, clients + 1)
        ]

    def changes(self) -> int:
        return CHANGES_PER_TRANSFER * sum(client.acknowledged for client in self.clients)

    def check(self) -> None:
        """Raises what made a client end by itself."""
        for client in self.clients:
            if client.error:
                raise client.error

    def stop(self) -> None:
        """Ends the clients; raises what made one of them end by itself."""
        for client in self.clients:
            client.stop()

    def check_ledger(self, server: Postgres, database: str) -> None:
        """All that a client was told is committed is there, once and without gaps."""
        query = "SELECT client, count(*), max(seq) FROM ledger GROUP BY client ORDER BY client"
        found = server.execute(query, dbname=database)
        wanted = [(c.number, c.acknowledged, c.acknowledged) for c in self.clients]
        assert found == wanted, f"ledger: acknowledged {wanted}, found {found}"


def random_moment(seconds_max: float) -> None:
    """Lets a random time pass: the fault that comes next is to fall anywhere."""
    threading.Event().wait(random.uniform(0, seconds_max))
