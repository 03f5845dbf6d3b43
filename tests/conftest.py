"""Options and servers that all tests of the whole share."""

import os
import random
import time
from pathlib import Path

import pytest
from harness.cells import Cell, Choice, cells_of, sample
from harness.environment import CANARY, Pair, start_pair
from harness.matrix_run import MatrixRun, not_yet_passed
from harness.scenario import Scenario
from harness.waiting import PATIENCE
from servers import available_versions, versions_under_test
from servers.binaries import SUPPORTED_VERSIONS


def pytest_addoption(parser):
    group = parser.getgroup("freshet")
    group.addoption("--pg", default="", help="PostgreSQL versions, e.g. 15,18 (the default)")
    group.addoption("--streaming", default="on", help="streaming of open transactions: on, off, on,off")
    group.addoption("--values", default="text", help="the form of values: text, binary, text,binary")
    group.addoption("--engine", default="freshet", choices=["freshet", "native"],
                    help="what runs the scenarios; native checks the scenarios themselves")
    group.addoption("--kills", type=int, default=6, help="kills in test_kill.py (50 is the full test)")
    group.addoption("--full", action="store_true",
                    help="transactions of 5 GB instead of 150 MB, tables of 5 million rows, and so on")
    group.addoption("--sample", type=float, default=0, metavar="PERCENT",
                    help="runs so much of the scenarios' other cells too, chosen at random")
    group.addoption("--matrix", action="store_true",
                    help="all versions, streaming on and off, text and binary, full sizes;"
                         " goes on where it ended")
    group.addoption("--page", default="", help="where --matrix writes its page")
    group.addoption("--logs", default="", help="keep the engine's logs below this directory")


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # the workers of pytest-xdist inherit what follows
    if config.getoption("--full") or config.getoption("--matrix"):
        os.environ.setdefault("TMPDIR", "/tmp")  # sizes that are too large for memory
    os.environ.setdefault("FRESHET_SAMPLE_SEED", str(random.randrange(1 << 32)))
    if config.getoption("--matrix"):
        config.pluginmanager.register(MatrixRun(config, chosen_scenarios(config)), "matrix")


def pytest_collection_modifyitems(items):
    """A test may take as much longer as its waits may."""
    for item in items:
        if limit := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    """The alarm of a test that failed is off: in the midst of its report it would end the run."""
    cancel = getattr(item, "cancel_timeout", None)
    if call.excinfo and cancel:
        cancel()


def pytest_report_header(config):
    if config.getoption("--sample"):
        return f"sample of the scenarios' cells: FRESHET_SAMPLE_SEED={os.environ['FRESHET_SAMPLE_SEED']}"
    return None


def chosen_scenarios(config) -> Choice:
    """Returns which cells of the scenarios the options ask for."""
    if config.getoption("--matrix"):
        return Choice(
            tuple(SUPPORTED_VERSIONS), ("on", "off"), is_full=True, values=("text", "binary")
        )
    return Choice(
        tuple(chosen_versions(config)),
        tuple(config.getoption("--streaming").replace(",", " ").split()),
        config.getoption("--engine"),
        config.getoption("--full"),
        tuple(config.getoption("--values").replace(",", " ").split()),
    )


def chosen_cells(config, scenarios: list[Scenario]) -> dict[str, list[Cell]]:
    """Returns the cells to run, by the scenario's name."""
    choice = chosen_scenarios(config)
    cells = {scenario.name: cells_of(scenario, choice) for scenario in scenarios}
    if config.getoption("--matrix"):
        return not_yet_passed(cells)
    if percent := config.getoption("--sample"):
        seed = int(os.environ["FRESHET_SAMPLE_SEED"])
        more = sample(scenarios, choice, available_versions(), percent, seed)
        cells = {name: listed + more.get(name, []) for name, listed in cells.items()}
    return cells


def chosen_versions(config) -> list[int]:
    chosen = config.getoption("--pg").replace(",", " ").split()
    return [int(word) for word in chosen] if chosen else versions_under_test()


def pytest_generate_tests(metafunc):
    """A test that takes a `version`, or whose fixtures do, runs on each that is chosen."""
    if "version" in metafunc.fixturenames:
        versions = chosen_versions(metafunc.config)
        metafunc.parametrize("version", versions, ids=[f"pg{v}" for v in versions])


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
