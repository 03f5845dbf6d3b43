"""A standby as the source, its primary under random writes, and a pipeline on it."""

import random
import threading
import time
from pathlib import Path

import psycopg
from servers import Standby

from harness.database import Database, difference
from harness.engine import run_once
from harness.environment import Pair, create_database, drop_database, new_name
from harness.freshet import FreshetSystem
from harness.lsn import format_lsn
from harness.scenario import Table
from harness.waiting import wait_until

ROWS = 20_000
WRITERS = 3
TABLES = {"keyed": ("id", "a", "v"), "whole": ("a", "v"), "log": ("writer", "n")}
_SCHEMA = f"""
CREATE TABLE keyed (id bigint PRIMARY KEY, a text, v int);
ALTER TABLE keyed ALTER a SET STORAGE EXTERNAL;
CREATE TABLE whole (a text, v int);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE INDEX ON whole (v);
CREATE TABLE log (writer int, n bigint);
INSERT INTO keyed SELECT n, repeat(md5(n::text), 1 + n % 100), 0 FROM generate_series(1, {ROWS}) n;
INSERT INTO whole SELECT md5(n::text), n FROM generate_series(1, {ROWS}) n;
CREATE PUBLICATION pub FOR TABLE keyed, whole, log;
"""


class StandbySource:
    """A primary, a standby of it that is the source, and writers."""

    def __init__(
        self, pair: Pair, directory: Path, *, has_feedback: bool = True, options: dict | None = None
    ):
        self.pair = pair
        self.name = new_name("standby")
        create_database(pair.source, self.name)
        self.primary = Database(pair.source, self.name)
        with pair.source.connect(self.name) as connection:
            connection.execute("SET ROLE app")
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
        self.standby = Standby(pair.source, has_feedback=has_feedback)
        self.target = f"{self.name}_copy"
        create_database(pair.destination, self.target)
        self.system = FreshetSystem(
            Database(self.standby, self.name),
            Database(pair.destination, self.target),
            directory,
            tables=[Table("public", name) for name in TABLES],
            publications=["pub"],
            options=options,
        )
        self._is_over = threading.Event()
        self._writers: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._numbers = [0] * WRITERS

    def start_writing(self) -> None:
        self._is_over.clear()
        self._writers = [
            threading.Thread(target=self._write, args=[number], daemon=True) for number in range(WRITERS)
        ]
        for writer in self._writers:
            writer.start()

    def stop_writing(self) -> None:
        self._is_over.set()
        for writer in self._writers:
            writer.join(60)
        assert not self._failures, self._failures

    def promote(self) -> None:
        """The standby takes its primary's place; writers go there from now on."""
        written = format_lsn(self.primary.barrier())
        wait_until(lambda: self.standby.has_replayed(written), f"the standby has {written}")
        self.standby.stop_helping()
        self.primary.close()
        self.pair.source.stop("immediate")
        self.standby.promote()
        self.primary = self.system.source

    def hand_over_to(self, heir: Standby) -> None:
        """The primary is gone; another standby of it takes its place, and ours follows that one."""
        self.standby.stop_helping()
        self.primary.close()
        self.pair.source.stop("immediate")
        heir.promote()
        self.standby.follow(heir)
        self.standby.help_slots()
        self.primary = Database(heir, self.name)

    def command(self, *words: str, code: int = 0, seconds: float = 60) -> str:
        """Runs `freshet WORDS` and returns what it printed."""
        found, output = run_once(
            list(words), self.system.directory, seconds=seconds, env=self.system.env
        )
        assert found == code, f"exit code {found}, not {code}\n{output}"
        return output

    def assert_equal(self) -> None:
        self.system.wait_streaming()
        self.system.wait_position(self.primary.barrier())
        self.system.wait_streaming()
        self.assert_same_rows()

    def assert_same_rows(self) -> None:
        for name, columns in TABLES.items():
            table = Table("public", name)
            expected = self.primary.rows_of(table, columns, "")
            found = difference(expected, self.system.target.rows_of(table, columns, ""))
            assert not found, f"{name}: {found}\n{self.system.describe()}"

    def close(self) -> None:
        self._is_over.set()
        for writer in self._writers:
            writer.join(60)
        self.system.close()
        self.system.target.close()
        self.system.source.close()
        self.primary.close()
        self.standby.close()
        self.pair.source.start()
        self.standby.forget(self.pair.source)
        drop_database(self.pair.source, self.name)
        drop_database(self.pair.destination, self.target)

    def _write(self, writer: int) -> None:
        generator = random.Random(random.random() + writer)
        try:
            while not self._is_over.is_set():
                try:
                    self._write_connected(generator, writer)
                except psycopg.OperationalError:  # a promoted standby may crash as well
                    time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 - told by stop_writing()
            self._failures.append(error)

    def _write_connected(self, generator: random.Random, writer: int) -> None:
        with self.primary.server.connect(self.name) as connection:
            left = connection.execute(
                "SELECT gid FROM pg_prepared_xacts WHERE gid = %s", [f"{self.name}_{writer}"]
            ).fetchall()
            for (gid,) in left:
                connection.execute(f"ROLLBACK PREPARED '{gid}'")
            while not self._is_over.is_set():
                self._transact(connection, generator, writer)

    def _transact(self, connection, generator: random.Random, writer: int) -> None:
        ending = generator.choices(["alone", "commit", "rollback", "prepare"], [60, 25, 5, 10])[0]
        try:
            if ending == "alone":
                self._change(connection, generator, writer)
                return
            connection.execute("BEGIN")
            if generator.random() < 0.3:
                connection.execute("SET LOCAL synchronous_commit = off")
            for _ in range(generator.randint(1, 5)):
                is_undone = generator.random() < 0.2
                connection.execute("SAVEPOINT one")
                self._change(connection, generator, writer)
                connection.execute("ROLLBACK TO one" if is_undone else "RELEASE one")
            if ending == "prepare":
                gid = f"{self.name}_{writer}"
                connection.execute(f"PREPARE TRANSACTION '{gid}'")
                time.sleep(generator.random() * 0.01)
                connection.execute(f"COMMIT PREPARED '{gid}'")
            else:
                connection.execute(ending)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
            connection.execute("ROLLBACK")

    def _change(self, connection, generator: random.Random, writer: int) -> None:
        row = generator.randint(1, ROWS)
        self._numbers[writer] += 1
        number = self._numbers[writer]
        changes = [
            ("INSERT INTO log VALUES (%s, %s)", [writer, number]),
            ("UPDATE keyed SET v = v + 1 WHERE id BETWEEN %s AND %s", [row, row + 3]),
            ("UPDATE keyed SET id = id + %s WHERE id = %s", [ROWS, row]),
            ("DELETE FROM keyed WHERE id = %s", [row]),
            (
                "INSERT INTO keyed VALUES (%s, repeat('x', %s), 0) ON CONFLICT (id) DO UPDATE SET v = -1",
                [row, generator.randint(1, 5000)],
            ),
            ("UPDATE whole SET a = a || 'x' WHERE v = %s", [row]),
            ("INSERT INTO whole VALUES ('twice', %s), ('twice', %s)", [row, row]),
            ("DELETE FROM whole WHERE v = %s", [row]),
        ]
        connection.execute(*generator.choice(changes))
