"""Runs tests/scenarios/*.scenario on every version, phase and variant asked for."""

import pytest
from conftest import chosen_cells
from harness.runner import ScenarioRun
from harness.scenario import find_scenarios

SECONDS_MAX = 240
FULL_SECONDS_MAX = 1200


def pytest_generate_tests(metafunc):
    if "cell" not in metafunc.fixturenames:
        return
    scenarios = find_scenarios()
    cells = chosen_cells(metafunc.config, scenarios)
    parameters = [
        pytest.param(
            scenario, cell, id=f"{scenario.name}-{cell}",
            marks=pytest.mark.timeout(FULL_SECONDS_MAX if cell.is_full else SECONDS_MAX),
        )
        for scenario in scenarios
        for cell in cells[scenario.name]
    ]
    metafunc.parametrize(("scenario", "cell"), parameters)


def test_scenario(scenario, cell, pairs, engine_directory):
    ScenarioRun(scenario, cell, pairs.get(cell.version), engine_directory).run()
