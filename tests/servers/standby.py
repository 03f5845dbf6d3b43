"""A server that follows another one, and can take its place."""

from servers.binaries import find_client
from servers.postgres import Postgres, ServerError

SLOT = "synced_standby"


class Standby(Postgres):
    """A hot standby of `primary`, streaming from it; decoding works there from version 16 on.

    With `syncs_slots` (17 and later) it has the primary's failover slots as well.
    """

    def __init__(self, primary: Postgres, *, syncs_slots: bool = False):
        self._primary = primary
        self.syncs_slots = syncs_slots
        settings = {"primary_conninfo": primary.dsn()}
        if syncs_slots:
            primary.value("SELECT pg_create_physical_replication_slot(%s)::text", [SLOT])
            settings |= {
                "primary_slot_name": SLOT,
                "hot_standby_feedback": "on",
                "sync_replication_slots": "on",
            }
        super().__init__(primary.version, settings=primary.settings | settings)

    def has_slot(self, name: str) -> bool:
        """True once the slot would outlive a promotion. The primary helps it along."""
        self._primary.value("SELECT pg_log_standby_snapshot()")
        return self.value(
            "SELECT coalesce(bool_and(synced AND NOT temporary), false) FROM pg_replication_slots"
            " WHERE slot_name = %s",
            [name],
        )

    def forget(self, primary: Postgres) -> None:
        """Removes what it left at the primary."""
        if self.syncs_slots:
            primary.value("SELECT pg_drop_replication_slot(%s)", [SLOT])

    def promote(self) -> None:
        """Makes it a primary; what it has not received by now is lost."""
        if not self.value("SELECT pg_promote(true, 60)"):
            raise ServerError(f"not promoted in time:\n{self.log_text()[-2000:]}")

    def has_replayed(self, lsn: str) -> bool:
        return self.value("SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)", [lsn])

    def _make_data(self) -> str:
        # The newest pg_basebackup serves older servers as well; what its -R writes does not.
        command = [find_client("pg_basebackup"), "-D", self.data, "-d", self._primary.dsn()]
        self._account.run([str(part) for part in [*command, "-c", "fast", "-X", "stream"]])
        signal = self.data / "standby.signal"
        signal.touch(mode=0o600)
        self._account.own(signal)
        return self._primary.password
