"""Two seeds of tests/torture, briefly: `./dev torture` runs many, for longer."""

import pytest
from conftest import chosen_versions
from torture.plan import draw_plan
from torture.run import Torture

SECONDS = 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [1, 2])
def test_source_and_destination_are_equal(pairs, engine_directory, request, number):
    for version in chosen_versions(request.config):
        directory = engine_directory / f"pg{version}"
        verdict = Torture(draw_plan(number, version, set()), pairs.get(version), directory).run(SECONDS)
        print(verdict.summary())
        assert not verdict.problem, verdict.problem
