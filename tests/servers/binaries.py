"""Where the PostgreSQL servers of each major version are installed (see tools/setup.sh)."""

import os
from dataclasses import dataclass
from pathlib import Path

SUPPORTED_VERSIONS = range(14, 19)


@dataclass(frozen=True)
class Installation:
    """One major version's programs."""

    version: int
    bin: Path
    has_pgvector: bool

    def program(self, name: str) -> Path:
        return self.bin / name


def deps_dir() -> Path:
    """Returns the folder that ./dev setup installs into."""
    if "FRESHET_DEPS_DIR" in os.environ:
        return Path(os.environ["FRESHET_DEPS_DIR"])
    if os.geteuid() == 0:
        return Path("/var/lib/freshet-dev")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "freshet-dev"


def find_postgres(version: int) -> Installation:
    """Returns the installation of a major version, or says how to get it."""
    for prefix in (deps_dir() / "postgres" / str(version), Path(f"/usr/lib/postgresql/{version}")):
        if os.access(prefix / "bin" / "postgres", os.X_OK):
            return Installation(version, prefix / "bin", _has_extension(prefix, version, "vector"))
    purpose = "test" if version in (15, 18) else "matrix"
    raise FileNotFoundError(f"no PostgreSQL {version} here: run ./dev setup --for {purpose}")


def find_client(name: str) -> Path:
    """Returns a client program (psql, pgbench, pg_recvlogical …), the newest there is."""
    for version in reversed(SUPPORTED_VERSIONS):
        try:
            program = find_postgres(version).program(name)
        except FileNotFoundError:
            continue
        if program.exists():
            return program
    raise FileNotFoundError(f"no {name} here: run ./dev setup")


def available_versions() -> list[int]:
    """Returns the major versions that are installed, oldest first."""
    found = []
    for version in SUPPORTED_VERSIONS:
        try:
            found.append(find_postgres(version).version)
        except FileNotFoundError:
            continue
    return found


def versions_under_test() -> list[int]:
    """Returns the major versions that tests run against: FRESHET_TEST_VERSIONS, or 15 and 18."""
    chosen = os.environ.get("FRESHET_TEST_VERSIONS", "15 18")
    return [int(word) for word in chosen.replace(",", " ").split()]


def _has_extension(prefix: Path, version: int, name: str) -> bool:
    shares = [
        prefix / "share" / "extension",
        prefix / "share" / "postgresql" / "extension",
        Path(f"/usr/share/postgresql/{version}/extension"),
    ]
    if not prefix.is_relative_to("/usr/lib/postgresql"):
        shares.pop()
    return any((share / f"{name}.control").exists() for share in shares)
