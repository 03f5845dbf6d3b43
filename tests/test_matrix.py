"""The page of all scenarios says what was found, and the sample is one that can be repeated."""

from pathlib import Path

import pytest
from harness.cells import Choice, cells_of, sample, why_not
from harness.matrix_page import FAILED, NOT_RUN, PASSED, Result, absent_ids, marks
from harness.scenario import Scenario, find_scenarios

BOTH = Choice((15, 16), ("on", "off"))


@pytest.fixture
def scenario():
    return Scenario(Path("S02-x.scenario"), title="x", ids=("S02",), phases=("stream", "copy"))


def results(scenario: Scenario, choice: Choice, failed: str = "", left_out: str = ""):
    tests = [f"{scenario.name}-{cell}" for cell in cells_of(scenario, choice)]
    return {
        test: Result(test, "failed" if test == failed else "passed", "", 1.0, 0)
        for test in tests
        if test != left_out
    }


def test_a_cell_has_passed_only_if_all_its_ways_have(scenario):
    assert marks(scenario, BOTH, results(scenario, BOTH)) == [PASSED] * 4
    one = "S02-x-pg15-copy-nostreaming"
    wanted = [PASSED, FAILED, PASSED, PASSED]
    assert marks(scenario, BOTH, results(scenario, BOTH, failed=one)) == wanted
    wanted = [PASSED, NOT_RUN, PASSED, PASSED]
    assert marks(scenario, BOTH, results(scenario, BOTH, left_out=one)) == wanted


def test_a_cell_that_does_not_apply_says_why(scenario):
    scenario.versions = range(16, 19)
    scenario.streaming = ("on",)
    assert marks(scenario, BOTH, {}) == ["16+", "16+", NOT_RUN, "on only"]
    scenario.engines = ("native",)
    assert why_not(scenario, 16, "on") == "native only"


def test_every_id_has_a_file_or_a_reason():
    missing = absent_ids(find_scenarios())
    assert not [name for name, reason in missing.items() if not reason]


def test_a_sample_is_of_the_other_cells_and_depends_on_the_seed_alone():
    scenarios = find_scenarios()
    choice = Choice((15, 18))
    versions = [14, 15, 18]
    first, again, other = (sample(scenarios, choice, versions, 5, seed) for seed in (1, 1, 2))
    assert first == again != other
    everything = sample(scenarios, choice, versions, 100, 1)
    count, count_max = (sum(map(len, cells.values())) for cells in (first, everything))
    assert count == round(count_max / 20) > 0
    for scenario in scenarios:
        chosen = set(cells_of(scenario, choice))
        every = Choice((14, 15, 18), ("on", "off"), values=("text", "binary"))
        all_cells = set(cells_of(scenario, every))
        assert set(everything.get(scenario.name, [])) == all_cells - chosen
