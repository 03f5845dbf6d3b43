"""Real servers for tests and benchmarks: private, on free ports, gone when closed."""

from servers.binaries import available_versions, find_postgres, versions_under_test
from servers.ports import free_port
from servers.postgres import Postgres, ServerError
from servers.standby import Standby

__all__ = [
    "Postgres",
    "ServerError",
    "Standby",
    "available_versions",
    "find_postgres",
    "free_port",
    "versions_under_test",
]
