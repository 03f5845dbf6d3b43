"""Contenders take turns at one task, and each repetition reverses their order."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from measure import Measurement, RunFailed
from stage import Stage


class Contender(Protocol):
    """One way to do a task. `run()` prepares, measures, and compares what arrived."""

    @property
    def name(self) -> str: ...

    def run(self) -> Measurement: ...


@dataclass(frozen=True)
class Contest:
    """All runs of one task, by contender; ratios are to the first that is not Freshet."""

    task: str
    title: str
    rows: int
    runs: dict[str, list[Measurement]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def hold_contest(
    stage: Stage, contest: Contest, contenders: Sequence[Contender], repeat: int
) -> Contest:
    """Runs each contender `repeat` times; one that fails is told and its run left out."""
    for contender in contenders:
        contest.runs[contender.name] = []
    for repetition in range(repeat):
        order = contenders if repetition % 2 == 0 else list(reversed(contenders))
        for contender in order:
            stage.checkpoint()
            label = f"{contest.title}: {contender.name}, run {repetition + 1} of {repeat}"
            try:
                run = contender.run()
            except RunFailed as error:
                contest.failures.append(f"{label}: {error}")
                say(f"{label}: failed: {error}")
                continue
            contest.runs[contender.name].append(run)
            verdict = f"VOID: {run.void}" if run.void else f"{run.seconds:.2f} s"
            say(f"{label}: {verdict}")
    return contest


def say(text: str) -> None:
    """Tells what is going on, apart from the results."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
