"""Runs tests/scenarios/*.scenario on every version, phase and variant asked for."""

import pytest
from conftest import chosen_versions
from harness.runner import Cell, ScenarioRun
from harness.scenario import Scenario, find_scenarios


def cells_of(scenario: Scenario, config) -> list[Cell]:
    engine = config.getoption("--engine")
    if engine not in scenario.engines:
        return []
    streaming = scenario.streaming or config.getoption("--streaming").replace(",", " ").split()
    return [
        Cell(version, phase, word == "on", variant, engine)
        for version in chosen_versions(config)
        if version in scenario.versions
        for phase in scenario.phases
        for word in streaming
        for variant in (scenario.variants or [""])
    ]


def pytest_generate_tests(metafunc):
    if "cell" not in metafunc.fixturenames:
        return
    parameters = [
        pytest.param(scenario, cell, id=f"{scenario.name}-{cell}")
        for scenario in find_scenarios()
        for cell in cells_of(scenario, metafunc.config)
    ]
    metafunc.parametrize(("scenario", "cell"), parameters)


@pytest.mark.timeout(240)
def test_scenario(scenario, cell, pairs, engine_directory):
    ScenarioRun(scenario, cell, pairs.get(cell.version), engine_directory).run()
