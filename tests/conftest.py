"""Options and servers that all tests of the whole share."""

import os
import random
import time
from pathlib import Path

import pytest
from harness.environment import CANARY, Pair, start_pair
from servers import versions_under_test


def pytest_addoption(parser):
    group = parser.getgroup("freshet")
    group.addoption("--pg", default="", help="PostgreSQL versions, e.g. 15,18 (the default)")
    group.addoption("--streaming", default="on", help="streaming of open transactions: on, off, on,off")
    group.addoption("--engine", default="freshet", choices=["freshet", "native"],
                    help="what runs the scenarios; native checks the scenarios themselves")
    group.addoption("--kills", type=int, default=6, help="kills in test_kill.py (50 is the full test)")
    group.addoption("--full", action="store_true", help="1 GB transactions instead of 100 MB")
    group.addoption("--logs", default="", help="keep the engine's logs below this directory")


def chosen_versions(config) -> list[int]:
    chosen = config.getoption("--pg").replace(",", " ").split()
    return [int(word) for word in chosen] if chosen else versions_under_test()


class Pairs:
    """Pairs of servers by version, started when first asked for."""

    def __init__(self):
        self._pairs: dict[int, Pair] = {}

    def get(self, version: int) -> Pair:
        if version not in self._pairs:
            self._pairs[version] = start_pair(version)
        pair = self._pairs[version]
        for server in (pair.source, pair.destination):
            server.start()  # a test that failed may have left it stopped
        return pair

    def close(self) -> None:
        for pair in self._pairs.values():
            pair.close()


@pytest.fixture(scope="session")
def pairs():
    pairs = Pairs()
    yield pairs
    pairs.close()


@pytest.fixture(scope="session")
def log_root(request, tmp_path_factory) -> Path:
    """Where all output of the engine goes; what is there at the end must hold no secret."""
    chosen = request.config.getoption("--logs")
    root = Path(chosen) if chosen else tmp_path_factory.mktemp("engine")
    root.mkdir(parents=True, exist_ok=True)
    yield root
    shown = [str(path) for path in root.rglob("*.log") if CANARY in path.read_text(errors="replace")]
    assert not shown, f"a password is readable in {shown}"


@pytest.fixture
def engine_directory(log_root, request) -> Path:
    """A directory for one test's pipeline file, state and logs."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    directory = log_root / f"{name}_{os.getpid()}"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def seed(request) -> int:
    """Random numbers start here; FRESHET_SEED replays a run."""
    value = int(os.environ.get("FRESHET_SEED") or time.time_ns() & 0xFFFFFFFF)
    print(f"seed: FRESHET_SEED={value}")
    random.seed(value)
    return value
