"""A server that follows another one, and can take its place."""

from servers.binaries import find_client
from servers.postgres import Postgres, ServerError


class Standby(Postgres):
    """A hot standby of `primary`, streaming from it; decoding works there from version 16 on."""

    def __init__(self, primary: Postgres):
        self._primary = primary
        super().__init__(
            primary.version, settings=primary.settings | {"primary_conninfo": primary.dsn()}
        )

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
