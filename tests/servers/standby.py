"""A server that follows another one, and can take its place."""

import threading

import psycopg

from servers.binaries import find_client
from servers.postgres import Postgres, ServerError

SLOT = "physical_standby"
_HELP_SECONDS = 0.1


class Standby(Postgres):
    """A hot standby of `primary`, streaming from it; decoding works there from version 16 on.

    With `has_feedback` the primary keeps what it needs. With `syncs_slots` (17 and later) it has
    the primary's failover slots as well.
    """

    def __init__(self, primary: Postgres, *, has_feedback: bool = False, syncs_slots: bool = False):
        self._primary = primary
        self.syncs_slots = syncs_slots
        self._has_slot = has_feedback or syncs_slots
        self._is_over = threading.Event()
        self._helper: threading.Thread | None = None
        settings = {"primary_conninfo": primary.dsn(), "wal_receiver_status_interval": "1s"}
        if self._has_slot:
            primary.value("SELECT pg_create_physical_replication_slot(%s)::text", [SLOT])
            settings |= {"primary_slot_name": SLOT, "hot_standby_feedback": "on"}
        if syncs_slots:
            settings |= {"sync_replication_slots": "on"}
        super().__init__(primary.version, settings=primary.settings | settings)

    def help_slots(self) -> None:
        """From now on the primary logs its running transactions often, so that slots are made soon."""
        if self._helper is None:
            self._helper = threading.Thread(target=self._help, daemon=True)
            self._helper.start()

    def _help(self) -> None:
        while not self._is_over.wait(_HELP_SECONDS):
            try:
                self._primary.value("SELECT pg_log_standby_snapshot()")
            except (psycopg.Error, ServerError):
                continue

    def stop_helping(self) -> None:
        if self._helper is not None:
            self._is_over.set()
            self._helper.join()
            self._helper = None
            self._is_over.clear()

    def close(self) -> None:
        self.stop_helping()
        super().close()

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
        if self._has_slot:
            # Its walsender may not have noticed yet that the standby is gone.
            primary.execute(
                "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots"
                " WHERE slot_name = %s AND active", [SLOT],
            )
            primary.value("SELECT pg_drop_replication_slot(%s)", [SLOT])

    def follow(self, primary: Postgres) -> None:
        """From now on it has this primary, without a physical slot there."""
        if self._has_slot:
            self.settings["primary_slot_name"] = ""
        self._primary = primary
        self.set(primary_conninfo=primary.dsn())

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
