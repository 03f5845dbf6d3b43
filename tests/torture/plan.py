"""What one seed decides before anything runs: options, tables, weights of all that may happen."""

import random
from dataclasses import dataclass, field

from harness.scenario import Table

from torture.catalog import quoted
from torture.changes import CHANGES
from torture.definitions import DEFINITIONS
from torture.faults import FAULTS
from torture.shapes import SHAPES, Draft, draw_table

# Things that a run may have or not; `--without` takes these names too.
FEATURES = {
    "streaming": 0.8,
    "two-phase": 0.5,
    "prepared": 0.5,
    "savepoints": 0.8,
    "ddl": 0.5,
    "faults": 0.85,
    "lazy-commits": 0.4,
    "large-tables": 0.6,
    "key-types": 0.7,
    "resync": 0.5,
    # Only without DDL: conditions and lists in the pipeline's file name columns.
    "filters": 0.4,
    "column-lists": 0.3,
    "generated": 0.8,
}
# The same, drawn apart: seeds from before they came stay what they were.
LATER_FEATURES = {"ddl-capture": 0.5}
_KEY_SPACES = (12, 80, 800)


@dataclass
class Plan:
    """Weights are of this seed: swarms of a few kinds find what an even mix does not."""

    seed: int
    version: int
    features: set[str] = field(default_factory=set)
    options: dict[str, object] = field(default_factory=dict)
    drafts: list[tuple[Draft, int, int]] = field(default_factory=list)  # table, rows, key space
    wanted: list[Table] = field(default_factory=list)  # the drafts as the pipeline's file has them
    changes: dict[str, float] = field(default_factory=dict)
    definitions: dict[str, float] = field(default_factory=dict)
    faults: dict[str, float] = field(default_factory=dict)
    writers: int = 1
    ddl_share: float = 0.0
    fault_seconds: float = 4.0

    def describe(self) -> str:
        tables = "; ".join(
            f"{draft.name}: {rows} rows, identity {draft.identity}, keys 1-{space}, "
            + ", ".join(f"{name} {kind}" for name, kind, _ in draft.columns)
            + (f" of which {wanted.columns}" if wanted.columns else "")
            + (f" where {wanted.where}" if wanted.where else "")
            for (draft, rows, space), wanted in zip(self.drafts, self.wanted, strict=True)
        )
        return (
            f"seed {self.seed}, PostgreSQL {self.version}, {self.writers} writers,"
            f" {sorted(self.features)}, {self.options}\n  tables: {tables}"
        )


def draw_plan(seed: int, version: int, without: set[str]) -> Plan:
    """Draws everything first and takes away what is not wanted then, so that the rest stays."""
    rng = random.Random(f"plan {seed}")
    plan = Plan(seed, version)
    plan.features = {name for name, share in FEATURES.items() if rng.random() < share} - without
    later = random.Random(f"later {seed}")
    plan.features |= {name for name, share in LATER_FEATURES.items() if later.random() < share} - without
    plan.writers = rng.choice([2, 3, 4, 6])
    plan.ddl_share = rng.choice([0.003, 0.01, 0.03])
    plan.fault_seconds = rng.choice([1.5, 3, 6])
    plan.options = {
        "source.copy.mode": rng.choice(["auto", "chunked", "chunked", "snapshot"]),
        "source.copy.connections": rng.choice([1, 2, 4]),
        "source.streaming": "streaming" in plan.features,
        "source.two_phase": "two-phase" in plan.features and version >= 15,
    }
    plan.changes = _draw_weights(rng, CHANGES, without)
    plan.definitions = _draw_weights(rng, DEFINITIONS, without)
    plan.faults = _draw_weights(rng, FAULTS, without)
    # A partition that is truncated by itself is a gap, which may stop the engine unless told otherwise.
    if "resync" in plan.features or ("ddl" in plan.features and "truncate-leaf" in plan.definitions):
        plan.options["source.on_gap"] = "resync"
    shapes = [name for name in SHAPES if name not in without]
    for number in range(rng.choice([2, 3, 4, 6])):
        shape = rng.choice(list(SHAPES))
        draft_rng = random.Random(f"table {seed} {number}")
        draft = draw_table(draft_rng, shape if shape in shapes else shapes[0], number)
        # PostgreSQL 18 refuses updates of a table whose identity holds an unpublished generated column.
        if "generated" not in plan.features or (version >= 18 and draft.identity == "full"):
            draft.columns = [column for column in draft.columns if "STORED" not in column[2]]
        rows = rng.choice([0, 20, 400, 5000])
        if rng.random() < 0.4 and "large-tables" in plan.features:
            rows = rng.choice([30_000, 150_000])
        plan.drafts.append((draft, rows, rng.choice(_KEY_SPACES)))
        plan.wanted.append(_draw_wanted(draft_rng, plan, draft))
    return plan


def _draw_wanted(rng: random.Random, plan: Plan, draft: Draft) -> Table:
    """Perhaps with a condition, perhaps with some of its columns only."""
    written = [name for name, _, constraint in draft.columns if "STORED" not in constraint]
    column = quoted(rng.choice(written))
    where = rng.choice(["", f"hashtext({column}::text) % 3 <> 0", f"{column} IS NOT NULL"])
    keys = {draft.columns[number - 1][0] for key in draft.keys for number in key.columns}
    listed = tuple(name for name in written if name in keys or rng.random() < 0.6)
    if rng.random() < 0.5 or draft.identity == "full":
        listed = ()
    if "ddl" in plan.features:
        where, listed = "", ()
    return Table(
        "public", draft.name,
        listed if "column-lists" in plan.features else (), where if "filters" in plan.features else "",
    )  # fmt: skip


def _draw_weights(rng: random.Random, what: dict, without: set[str]) -> dict[str, float]:
    drawn = {name: weight * rng.choice([0, 0.3, 1, 1, 4]) for name, (weight, _) in what.items()}
    if not any(drawn.values()):
        drawn = {name: weight for name, (weight, _) in what.items()}
    return {name: weight for name, weight in drawn.items() if weight and name not in without}


def names() -> set[str]:
    """All that `--without` knows."""
    return {*CHANGES, *DEFINITIONS, *FAULTS, *SHAPES, *FEATURES, *LATER_FEATURES}
