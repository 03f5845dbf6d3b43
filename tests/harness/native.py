"""PostgreSQL's own logical replication: the oracle, and a stand-in for the engine in self-tests."""

from servers import Postgres

from harness.database import Database
from harness.environment import url_of
from harness.lsn import parse_lsn
from harness.waiting import wait_until


class NativeSystem:
    """A subscription in a database of its own."""

    def __init__(
        self,
        source: Database,
        target: Database,
        publications: list[str],
        *,
        streaming: bool = True,
        two_phase: bool = False,
    ):
        self.source = source
        self.target = target
        self.slot = target.name
        self._publications = publications
        self._streaming = streaming
        self._two_phase = two_phase
        self.is_made = False

    def start(self, port: int) -> None:
        if self.is_made:
            self._alter("ENABLE")
            return
        options = {
            "streaming": "on" if self._streaming else "off",
            "slot_name": f"'{self.slot}'",
            # Commits that reach the disk at once are confirmed at once.
            "synchronous_commit": "on",
        }
        if self._two_phase and self.source.server.version >= 15:
            options["two_phase"] = "on"
        listed = ", ".join(f"{name} = {value}" for name, value in options.items())
        url = url_of(port, self.source.name)
        names = ", ".join(f'"{name}"' for name in self._publications)
        self.target.query(
            f"CREATE SUBSCRIPTION {self.slot} CONNECTION '{url}' PUBLICATION {names} WITH ({listed})"
        )
        self.is_made = True

    def wait_streaming(self) -> None:
        def is_synced() -> bool:
            states = self.target.query("SELECT srsubstate FROM pg_subscription_rel")
            return all(state in ("r", b"r") for (state,) in states)

        wait_until(is_synced, f"subscription {self.slot} has copied", describe=self.describe)

    def wait_position(self, lsn: int) -> None:
        self.wait_streaming()
        wait_until(
            lambda: self.position() >= lsn,
            f"subscription {self.slot} has passed {lsn:X}",
            describe=self.describe,
        )

    def position(self) -> int:
        flushed = self.source.value(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s",
            [self.slot],
        )
        return parse_lsn(flushed) if flushed else 0

    def stop(self) -> int:
        self._alter("DISABLE")
        wait_until(
            lambda: self.target.value(
                "SELECT NOT EXISTS (SELECT FROM pg_stat_subscription"
                " WHERE subname = %s AND pid IS NOT NULL)",
                [self.slot],
            ),
            "the apply worker is gone",
        )
        return 0

    kill = stop

    def close(self) -> None:
        if self.is_made:
            self._alter("DISABLE")
            self._alter("SET (slot_name = NONE)")
            self.target.query(f"DROP SUBSCRIPTION {self.slot}")
        self.is_made = False

    def log_text(self) -> str:
        server: Postgres = self.target.server
        return server.log_text()

    def describe(self) -> str:
        states = self.target.query("SELECT srrelid::regclass, srsubstate FROM pg_subscription_rel")
        log = [line for line in self.log_text().splitlines() if "ERROR" in line]
        return f"{self.slot}: {states}\n" + "\n".join(log[-5:])

    def _alter(self, what: str) -> None:
        self.target.query(f"ALTER SUBSCRIPTION {self.slot} {what}")
