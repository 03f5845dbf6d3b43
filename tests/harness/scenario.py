"""Reads scenario files (tests/scenarios/*.scenario; tests/README.md tells their form)."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

SCENARIOS = Path(__file__).parents[1] / "scenarios"
PHASES = ("stream", "copy")


class ScenarioError(ValueError):
    """The file is wrong; says where."""


@dataclass(frozen=True)
class Table:
    """A table of the pipeline as the scenario names it."""

    schema: str
    name: str
    columns: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True)
class Step:
    """One section: what to do, with what, and the text below its heading."""

    kind: str
    args: dict[str, str]
    body: str
    line: int


@dataclass
class Scenario:
    """One file."""

    path: Path
    title: str = ""
    ids: tuple[str, ...] = ()
    tables: list[Table] = field(default_factory=list)
    publications: list[str] = field(default_factory=list)
    phases: tuple[str, ...] = PHASES
    streaming: tuple[str, ...] = ()
    values: tuple[str, ...] = ("text", "binary")
    versions: range = range(14, 19)
    streamed_versions: range = range(14, 19)  # with streaming on, of those
    oracle: str = "native"
    encoding: str = ""
    captures_ddl: bool = False
    engines: tuple[str, ...] = ("freshet", "native")
    options: dict[str, object] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    variants: dict[str, dict[str, object]] = field(default_factory=dict)
    sizes: dict[str, tuple[str, str]] = field(default_factory=dict)  # every day's, and the full one
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    def without_schema(self) -> list[Step]:
        return [step for step in self.steps if step.kind != "schema"]


_WHO = r"(?: (?P<session>[a-z]\w*))?"
_WHERE = r"(?: (?P<where>source|destination|native))?"
_HEADINGS: list[tuple[str, str]] = [
    ("schema", r"schema"),
    ("sql", r"(?P<where>source|destination)(?: (?!restart)(?P<session>[a-z]\w*))??"
            r"(?P<async> async)?(?: fails: (?P<fails>.+))?"),
    ("join", r"join (?P<session>[a-z]\w*)"),
    ("start", r"start(?P<second> second)?(?P<nowait> nowait)?"),
    ("wait", r"wait caught-up"),
    ("wait_blocked", r"wait blocked (?P<session>[a-z]\w*)"),
    ("wait_slot", r"wait slot"),
    ("hold", r"hold (?P<where>source|destination)(?: after (?P<count>\d+))?: (?P<pattern>.+)"),
    ("wait_held", r"wait held(?: (?P<count>\d+))?"),
    ("release", r"release"),
    ("drop_held", r"drop held"),
    ("kill", r"kill"),
    ("stop", r"stop"),
    ("take_over", r"take over"),
    ("terminate", r"terminate walsender(?: (?P<count>\d+) times)?"),
    ("clock", r"clock (?P<seconds>[+-]\d+) s"),
    ("standby", r"standby(?: with (?P<extra>slots|feedback))?"),
    ("switch", r"(?P<how>promote|switch to) standby"),
    ("restart_server", r"restart (?P<where>source|destination)(?: (?P<mode>immediate|fast))?"),
    ("always", r"always"),
    ("equal", r"expect equal"),
    ("rows", rf"expect{_WHERE}"),
    ("eventually", rf"eventually (?P<seconds>\d+) s{_WHERE}"),
    ("remember", rf"remember (?P<name>\w+){_WHERE}"),
    ("remembered", rf"expect remembered (?P<name>\w+){_WHERE}"),
    ("exit", r"expect(?P<second> second)? exit (?P<code>\d+)(?:: (?P<pattern>.+))?"),
    ("memory", r"expect memory below (?P<mebibytes>.+) MiB"),
    ("log", r"expect(?P<no> no)? log: (?P<pattern>.+)"),
]
_TABLE = re.compile(
    r'(?P<schema>"(?:[^"]|"")+"|[\w$]+)\.(?P<name>"(?:[^"]|"")+"|[\w$]+)'
    r"(?: columns \((?P<columns>.+?)\))?(?: where (?P<where>.+))?"
)


def find_scenarios() -> list[Scenario]:
    """Reads all files, in the order of their names."""
    return [parse_file(path) for path in sorted(SCENARIOS.glob("*.scenario"))]


def parse_file(path: Path) -> Scenario:
    lines = path.read_text().splitlines()
    first_section = next((n for n, line in enumerate(lines) if line.startswith("[")), len(lines))
    scenario = Scenario(path)
    for number, line in enumerate(lines[:first_section], 1):
        if line.strip() and not line.startswith("#"):
            _parse_header(scenario, line, f"{path.name}:{number}")
    _parse_sections(scenario, lines, first_section)
    if not scenario.ids or not scenario.title:
        raise ScenarioError(f"{path.name}: needs id: and title:")
    return scenario


def unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _parse_header(scenario: Scenario, line: str, where: str) -> None:
    key, colon, value = (part.strip() for part in line.partition(":"))
    words = tuple(word for word in re.split(r"[,\s]+", value) if word)
    match key:
        case "id":
            scenario.ids = words
        case "title":
            scenario.title = value
        case "table":
            scenario.tables.append(_parse_table(value, where))
        case "publication":
            scenario.publications.append(value)
        case "phases":
            scenario.phases = words
        case "streaming":
            scenario.streaming = words
        case "values":
            scenario.values = words
        case "engines":
            scenario.engines = words
        case "encoding":
            scenario.encoding = value
        case "ddl capture":
            scenario.captures_ddl = value == "yes"
        case "oracle":
            scenario.oracle = value
        case "versions":
            scenario.versions = _parse_versions(value)
        case "streamed versions":
            scenario.streamed_versions = _parse_versions(value)
        case "option":
            scenario.options.update([_parse_option(value)])
        case "setting":
            name, _, setting = value.partition("=")
            scenario.settings[name.strip()] = setting.strip()
        case "size":
            scenario.sizes.update([_parse_size(value, where)])
        case "variant":
            name, _, option = value.partition(" ")
            options = dict([_parse_option(option)]) if option else {}
            scenario.variants.setdefault(name, {}).update(options)
        case _:
            raise ScenarioError(f"{where}: unknown key {key!r}")
    if not colon:
        raise ScenarioError(f"{where}: expected `key: value`")


def _parse_versions(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or "18") + 1)


def _parse_option(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    return name.strip(), json.loads(value)


def _parse_size(text: str, where: str) -> tuple[str, tuple[str, str]]:
    found = re.fullmatch(r"(\w+) = (.+), full (.+)", text)
    if not found:
        raise ScenarioError(f"{where}: expected `size: name = value, full value`")
    return found[1], (found[2], found[3])


def _parse_table(text: str, where: str) -> Table:
    found = _TABLE.fullmatch(text)
    if not found:
        raise ScenarioError(f"{where}: expected `table: schema.name [columns (…)] [where …]`")
    columns = tuple(unquote(c.strip()) for c in (found["columns"] or "").split(",") if c.strip())
    return Table(unquote(found["schema"]), unquote(found["name"]), columns, found["where"] or "")


def _parse_sections(scenario: Scenario, lines: list[str], start: int) -> None:
    heads = [n for n in range(start, len(lines)) if re.fullmatch(r"\[.+\]\s*", lines[n])]
    for position, head in enumerate(heads):
        end = heads[position + 1] if position + 1 < len(heads) else len(lines)
        body = "\n".join(lines[head + 1 : end]).strip("\n")
        scenario.steps.append(_parse_step(scenario, lines[head].strip()[1:-1], body, head + 1))


def _parse_step(scenario: Scenario, heading: str, body: str, line: int) -> Step:
    for kind, pattern in _HEADINGS:
        if found := re.fullmatch(pattern, heading):
            args = {key: value for key, value in found.groupdict().items() if value is not None}
            return Step(kind, args, body, line)
    raise ScenarioError(f"{scenario.path.name}:{line}: unknown section [{heading}]")
