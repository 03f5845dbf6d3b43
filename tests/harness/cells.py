"""In how many ways a scenario runs, and why it does not run in the others."""

import random
from dataclasses import dataclass

from harness.scenario import Scenario


@dataclass(frozen=True)
class Cell:
    """One way to run a scenario."""

    version: int
    phase: str
    streaming: bool = True
    variant: str = ""
    values: str = "text"  # the form in which the server sends them, or "binary"
    engine: str = "freshet"
    is_full: bool = False  # in the sizes that are too large for every day

    def __str__(self) -> str:
        words = [f"pg{self.version}", self.phase]
        words += [] if self.streaming else ["nostreaming"]
        words += [self.variant] if self.variant else []
        words += [word for word in (self.values, self.engine) if word not in ("text", "freshet")]
        return "-".join(words)


@dataclass(frozen=True)
class Choice:
    """Which cells are asked for."""

    versions: tuple[int, ...]
    streaming: tuple[str, ...] = ("on",)
    engine: str = "freshet"
    is_full: bool = False
    values: tuple[str, ...] = ("text",)


def cells_of(scenario: Scenario, choice: Choice) -> list[Cell]:
    """Returns the cells of a choice; a scenario for one kind of streaming runs in that."""
    if choice.engine not in scenario.engines:
        return []
    return [
        Cell(version, phase, word == "on", variant, values, choice.engine, choice.is_full)
        for version in choice.versions
        if version in scenario.versions
        for phase in scenario.phases
        for word in scenario.streaming or choice.streaming
        if word == "off" or version in scenario.streamed_versions
        for variant in (scenario.variants or [""])
        for values in choice.values
        if values in scenario.values
    ]


def why_not(
    scenario: Scenario, version: int, streaming: str, engine: str = "freshet", values: str = "text"
) -> str:
    """Says in a word why a scenario does not run there; nothing if it does."""
    if engine not in scenario.engines:
        return f"{scenario.engines[0]} only"
    if version not in scenario.versions:
        first, last = scenario.versions[0], scenario.versions[-1]
        return f"{first}+" if version < first else f"≤ {last}"
    if streaming == "on" and version not in scenario.streamed_versions:
        return "off only"
    if scenario.streaming and streaming not in scenario.streaming:
        return f"{scenario.streaming[0]} only"
    if values not in scenario.values:
        return f"{scenario.values[0]} only"
    return ""


def sample(
    scenarios: list[Scenario], chosen: Choice, versions: list[int], percent: float, seed: int
) -> dict[str, list[Cell]]:
    """Returns a random part of the cells that are not chosen, by the scenario's name."""
    everything = Choice(
        tuple(versions), ("on", "off"), chosen.engine, chosen.is_full, ("text", "binary")
    )
    others = [
        (scenario.name, cell)
        for scenario in scenarios
        for cell in cells_of(scenario, everything)
        if cell not in cells_of(scenario, chosen)
    ]
    count = round(len(others) * percent / 100)
    picked: dict[str, list[Cell]] = {}
    for name, cell in random.Random(seed).sample(others, count):
        picked.setdefault(name, []).append(cell)
    return picked
