"""`on_conflict`, `freshet quarantine` and `--skip-lsn`: one row that is refused stops no other."""

import json
import random
import re
import threading

import pytest
from harness.database import difference
from harness.engine import EngineProcess, run_once
from harness.freshet import FreshetSystem
from harness.place import Place, place_fixture
from harness.scenario import Table
from harness.waiting import wait_until

FAILED = 1
USAGE = 2
ROWS = 200
CANARY_VALUE = "private-value"
T = Table("public", "t")
U = Table("public", "u")
POLICIES = ("error", "source_wins", "newest_wins", "skip", "quarantine")
WINNERS = ("source_wins", "newest_wins")


class ConflictPlace(Place):
    """Two tables with rows, an empty destination, and a pipeline between them."""

    def __init__(self, pair, directory):
        super().__init__(pair, "conflict", directory)
        for table in (T, U):
            self.source.query(
                f"CREATE TABLE {table.name} (id int PRIMARY KEY, code text, v int, big text)"
            )
            self.source.query(f"ALTER TABLE {table.name} ALTER big SET STORAGE EXTERNAL")
            self.source.query(f"ALTER TABLE {table.name} OWNER TO app")
            self.source.query(
                f"INSERT INTO {table.name} SELECT n, 'c' || n, n, repeat('x', 9000)"
                f" FROM generate_series(1, {ROWS}) n"
            )

    def make(self, policy: str | None = None, tables=(T, U), **options) -> FreshetSystem:
        if policy:
            options["destinations.main.on_conflict"] = policy
        if policy == "newest_wins":
            options["destinations.main.newest_by"] = "v"
        self.system = FreshetSystem(
            self.source, self.target, self.directory, tables=list(tables), options=options
        )
        return self.system

    def start(self, policy: str | None = None, **more) -> FreshetSystem:
        system = self.make(policy, **more)
        system.start()
        system.wait_streaming()
        return system

    def quarantine(self, verb: str, *arguments: str, code: int = 0) -> str:
        return self.command("quarantine", verb, str(self.system.config_path), *arguments, code=code)

    def asked(self, verb: str, *arguments: str, code: int = 0) -> list[dict]:
        return json.loads(self.quarantine(verb, "--json", *arguments, code=code))

    def waiting(self) -> int:
        return self.target.value("SELECT count(*) FROM freshet.quarantine")

    def phase(self, table: str) -> str:
        return self.target.value(
            'SELECT phase FROM freshet.tables WHERE "table" = %s', [table]
        )


place = place_fixture(ConflictPlace)


class Conflict:
    """What makes the destination refuse a change, and the change."""

    def __init__(
        self, target: list[str], source: str, key: int, sqlstate: str, *, mends=False, is_read_again=False
    ):
        self.target = target
        self.source = source
        self.key = key
        self.sqlstate = sqlstate
        self.mends = mends  # who removes rows can
        self.is_read_again = is_read_again  # unless a policy leaves it out or keeps it


CONFLICTS = {
    "unique": Conflict(
        ["CREATE UNIQUE INDEX t_code ON t (code)", "INSERT INTO t VALUES (-1, 'taken', 0, '')"],
        f"INSERT INTO t VALUES (1000, 'taken', 1, '{CANARY_VALUE}')", 1000, "23505", mends=True,
    ),
    "check": Conflict(
        ["ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)"],
        f"INSERT INTO t VALUES (1000, 'n', 1000, '{CANARY_VALUE}')", 1000, "23514",
    ),
    "not_null": Conflict(
        [
            "ALTER TABLE t ALTER code SET NOT NULL", "ALTER TABLE t OWNER TO CURRENT_USER",
            "GRANT ALL ON t TO app",
        ],
        f"INSERT INTO t VALUES (1000, NULL, 1, '{CANARY_VALUE}')", 1000, "23502",
    ),
    "value": Conflict(
        ["ALTER TABLE t ALTER code TYPE varchar(5)"],
        f"INSERT INTO t VALUES (1000, '{CANARY_VALUE}', 1, '')", 1000, "22001",
    ),
    "missing": Conflict(
        ["DELETE FROM t WHERE id = 7"], "UPDATE t SET v = -7 WHERE id = 7", 7, "FR003",
        is_read_again=True,
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_refused_row_is_answered_as_configured(place, kind, policy):
    conflict = CONFLICTS[kind]
    system = place.start(policy)
    for statement in conflict.target:
        place.target.query(statement)
    place.source.query("INSERT INTO t VALUES (900, 'a', 1, '')")
    place.source.query(
        "BEGIN; INSERT INTO t VALUES (901, 'b', 1, '');"
        f" UPDATE u SET v = -1 WHERE id = 1; {conflict.source};"
        " UPDATE t SET v = 2 WHERE id = 901; COMMIT"
    )
    place.source.query("INSERT INTO t VALUES (902, 'd', 1, '')")
    place.source.query("DELETE FROM t WHERE id = 3")
    is_whole = conflict.is_read_again and (policy == "error" or policy in WINNERS)
    is_error = policy == "error" or (policy in WINNERS and not conflict.mends)
    if is_whole:
        place.expect_equal(U, T)
        assert place.phase("t") == "streaming"
    elif is_error:
        wait_until(lambda: place.phase("t") == "errored", "t is set aside", describe=system.describe)
        place.source.query("UPDATE u SET v = -2 WHERE id = 2")
        place.expect_equal(U)
        named = re.search(r"a table was set aside.* commit_lsn=.*", system.log_text())
        assert named and f"sqlstate={conflict.sqlstate}" in named[0], system.log_text()
    else:
        place.expect_equal(U)
        where = "id > 0" if policy in WINNERS else f"id > 0 AND id <> {conflict.key}"
        assert not place.difference(T, where=where), system.describe()
        assert place.phase("t") == "streaming"
        refused = [line for line in system.log_text().splitlines() if "refused a change" in line]
        assert len(refused) == 1 and f"sqlstate={conflict.sqlstate}" in refused[0], refused
    if policy in WINNERS and not is_error:
        assert not place.target.value("SELECT count(*) FROM t WHERE id = -1")
    assert place.waiting() == (1 if policy == "quarantine" else 0)
    assert CANARY_VALUE not in system.log_text()
    assert system.stop() == 0


def test_the_newest_of_two_rows_that_claim_one_place_stays(place):
    system = place.start("newest_wins")
    place.target.query("CREATE UNIQUE INDEX t_code ON t (code)")
    place.target.query("INSERT INTO t VALUES (-1, 'one', 5, ''), (-2, 'two', 50, '')")
    place.source.query("INSERT INTO t VALUES (1001, 'one', 6, ''), (1002, 'two', 49, '')")
    place.settle()
    claimed = place.target.query("SELECT id FROM t WHERE code IN ('one', 'two') ORDER BY id")
    assert claimed == [(-2,), (1001,)]
    # What was left out comes with its next change that is newer.
    system.kill()
    place.source.query("UPDATE t SET v = 51 WHERE id = 1002")
    system.start()
    place.settle()
    assert place.target.query("SELECT id FROM t WHERE code = 'two'") == [(1002,)]
    assert place.phase("t") == "streaming"
    assert system.stop() == 0


def test_newest_wins_wants_its_column_in_every_table(place):
    place.source.query("ALTER TABLE u RENAME v TO w")
    system = place.make("newest_wins")
    system.start()
    assert system.process.wait(40) == 3, system.log_text()
    assert "newest_by" in system.log_text() and "public.u" in system.log_text()
    assert place.source.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == 0


def test_later_changes_of_a_key_wait_and_a_replay_brings_the_right_state(place):
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("UPDATE t SET v = 5000 WHERE id = 1")
    place.settle()
    place.source.query("UPDATE t SET v = 1 WHERE id = 1")  # would fit, yet must not overtake
    place.source.query("UPDATE t SET v = -2 WHERE id = 2")
    place.settle()
    assert place.waiting() == 2
    assert not place.difference(T, where="id <> 1")

    system.kill()
    system.start()
    # Changes from before this session began would be made whole at the source, which has gone on.
    place.settle()
    place.source.query("UPDATE t SET code = 'moved', id = 777 WHERE id = 1")  # concerns both keys
    place.source.query("INSERT INTO t VALUES (1, 'again', 1, 'y')")
    place.source.query("UPDATE t SET code = 'free' WHERE id = 4")
    place.source.query("DELETE FROM t WHERE id = 777")
    place.source.query("BEGIN; UPDATE t SET v = 3 WHERE id = 3; UPDATE t SET v = 2 WHERE id = 1; COMMIT")
    place.settle()
    assert place.waiting() == 6
    assert not place.difference(T, where="id NOT IN (1, 777)"), system.describe()

    [told] = [item for item in place.asked("list") if item["sqlstate"]]
    assert (told["table"], told["count"], told["constraint"]) == ("t", 1, "small")
    assert sum(item["count"] for item in place.asked("list")) == 6
    entries = place.asked("show", "--table", "public.t")
    assert [entry["op"] for entry in entries] == [
        "update", "update", "update", "insert", "delete", "update",
    ]
    assert entries[0]["after"] == {"id": "1", "code": "c1", "v": "5000"}
    assert entries[0]["unchanged"] == ["big"]
    assert entries[2]["before"] == {"id": "1"}
    assert "waits for an earlier" in entries[1]["message"] and entries[1]["sqlstate"] is None
    refused = place.quarantine("replay", "--id", str(entries[1]["id"]), code=USAGE)
    assert f"first={entries[0]['id']}" in refused

    # While the engine runs: all at once fits, and the key is free afterwards.
    [outcome] = place.asked("replay")
    assert outcome == {"destination": "main", "applied": 6, "left": 0, "failures": []}
    place.expect_equal(T, U)
    place.source.query("UPDATE t SET v = 9 WHERE id = 1")
    place.expect_equal(T, U)
    assert place.waiting() == 0
    assert system.stop() == 0


def test_a_replay_stops_a_key_at_its_first_failure_and_no_other(place):
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.target.query("CREATE UNIQUE INDEX t_code ON t (code)")
    place.target.query("INSERT INTO t VALUES (-1, 'taken', 0, '')")
    place.source.query("INSERT INTO t VALUES (500, 'x', 5, '')")
    place.source.query("UPDATE t SET v = 5000 WHERE id IN (1, 2)")
    place.source.query("UPDATE t SET v = 0 WHERE id = 1")
    place.source.query("INSERT INTO t VALUES (501, 'taken', 5, '')")
    place.source.query("UPDATE t SET v = 6000 WHERE id = 501")
    place.settle()
    assert place.waiting() == 5
    assert "nothing was dropped" in place.quarantine("drop", code=USAGE)
    assert place.waiting() == 5

    place.target.query("DELETE FROM t WHERE id = -1")
    [outcome] = place.asked("replay", code=FAILED)
    # 1 ends where it fits; 501's insert fits and its update does not; 2 does not.
    assert (outcome["applied"], outcome["left"]) == (3, 2), outcome
    assert [failure["constraint"] for failure in outcome["failures"]] == ["small", "small"]
    assert place.target.value("SELECT v FROM t WHERE id = 501") == 5
    assert not place.difference(T, where="id NOT IN (2, 501)")
    assert place.quarantine("replay", code=FAILED).startswith("main: 0 applied, 2 left")

    first, second = (entry["id"] for entry in place.asked("show"))
    assert "main: 1 dropped" in place.quarantine("drop", "--id", str(first), "--yes")
    place.source.query("UPDATE t SET v = 6 WHERE id = 501")
    place.source.query("UPDATE t SET v = 6, big = 'new' WHERE id = 2")
    place.settle()
    assert place.waiting() == 2, "2 is free, 501 is not"
    place.quarantine("replay", "--id", str(second), code=FAILED)
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    assert "main: 2 applied, 0 left" in place.quarantine("replay")
    assert place.quarantine("list") == "nothing is in quarantine\n"
    place.expect_equal(T)
    assert system.stop() == 0


OTHER_COLUMNS = {
    "exchanged": [["RENAME code TO x", "RENAME big TO code", "RENAME x TO big"]],
    "passed on": [["RENAME code TO x"], ["RENAME big TO code", "RENAME x TO big"]],
    "made again": [["RENAME code TO x", "ADD code text"]],
}


@pytest.mark.parametrize("how", OTHER_COLUMNS)
def test_a_name_that_means_another_column_is_not_replayed(place, how):
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("UPDATE t SET v = 5000, code = 'held', big = 'held big' WHERE id = 1")
    place.settle()
    assert place.waiting() == 1
    for number, changes in enumerate(OTHER_COLUMNS[how], 1):
        place.source.query("BEGIN; " + "".join(f"ALTER TABLE t {change};" for change in changes) + "COMMIT")
        place.source.query("INSERT INTO t (id, v) VALUES (%s, 1)", [600 + number])
        place.settle()
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    before = place.target.query("SELECT * FROM t WHERE id = 1")
    [outcome] = place.asked("replay", code=FAILED)
    assert (outcome["applied"], outcome["left"]) == (0, 1), outcome
    assert "renamed, dropped or made again" in outcome["failures"][0]["message"]
    assert place.target.query("SELECT * FROM t WHERE id = 1") == before
    # What is kept from here on knows the names as they are.
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000) NOT VALID")
    place.source.query("UPDATE t SET v = 5000, code = 'new', big = 'new big' WHERE id = 2")
    place.settle()
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    [outcome] = place.asked("replay", code=FAILED)
    assert (outcome["applied"], outcome["left"]) == (1, 1), outcome
    assert not place.difference(T, where="id <> 1")
    place.command("table", "resync", str(system.config_path), "public.t")
    wait_until(lambda: place.waiting() == 0, "the table is copied again", describe=system.describe)
    system.wait_streaming()
    place.expect_equal(T, U)


def test_keys_that_need_each_others_room_are_replayed(place):
    place.start("quarantine")
    place.target.query("CREATE UNIQUE INDEX t_code ON t (code)")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    # 2 wants the name that 1 gives up with a change that is refused for another reason.
    place.source.query("INSERT INTO t VALUES (3000, 'z', 5000, '')")
    place.source.query("UPDATE t SET code = 'other', v = 5000 WHERE id = 2")
    place.source.query("UPDATE t SET code = 'c2' WHERE id = 1")
    place.settle()
    assert place.waiting() == 3
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    assert "main: 3 applied, 0 left" in place.quarantine("replay")
    place.expect_equal(T)


def test_keys_of_every_kind(place):
    statements = [
        "CREATE TABLE n (id numeric PRIMARY KEY, v int)",
        "CREATE TABLE f (id int, v int)",
        "ALTER TABLE f REPLICA IDENTITY FULL",
        "CREATE TABLE p (id int PRIMARY KEY, v int)",
        "ALTER TABLE p REPLICA IDENTITY FULL",
    ]
    for statement in statements:
        place.source.query(statement)
    tables = [Table("public", name) for name in "nfp"]
    for table in tables:
        place.source.query(f"ALTER TABLE {table.name} OWNER TO app")
        place.source.query(f"INSERT INTO {table.name} SELECT n, n FROM generate_series(1, 20) n")
    system = place.start("quarantine", tables=tables)
    for table in tables:
        place.target.query(f"ALTER TABLE {table.name} ADD CONSTRAINT small CHECK (v < 1000)")
    for name in "nfp":
        place.source.query(f"UPDATE {name} SET v = 5000 WHERE id = 1")
        place.source.query(f"INSERT INTO {name} VALUES (30, 5000)")
    place.settle()  # or what fits in the end is all that is seen
    for name in "nfp":
        place.source.query(f"UPDATE {name} SET v = 7 WHERE id = 1")
        place.source.query(f"DELETE FROM {name} WHERE id = 2")
        place.source.query(f"UPDATE {name} SET id = 31, v = 8 WHERE id = 30")
    place.source.query("UPDATE n SET id = 3.00, v = 33 WHERE id = 3")
    place.settle()
    by_table = dict(
        place.target.query('SELECT "table", count(*) FROM freshet.quarantine GROUP BY 1')
    )
    assert by_table == {"n": 6, "f": 4, "p": 4}
    columns = ("id", "v")
    assert not place.difference(Table("public", "f"), columns, "id NOT IN (1, 31)")
    assert not place.difference(Table("public", "p"), columns, "id NOT IN (1, 31)")

    system.kill()
    system.start()
    for table in tables:
        place.target.query(f"ALTER TABLE {table.name} DROP CONSTRAINT small")
    assert "main: 14 applied, 0 left" in place.quarantine("replay")
    place.source.query("UPDATE n SET v = 34 WHERE id = 3")
    place.expect_equal(*tables, columns=columns)
    assert place.waiting() == 0


def test_what_empties_a_table_drops_what_waits_for_it(place):
    system = place.start("quarantine")
    for table in (T, U):
        place.target.query(f"ALTER TABLE {table.name} ADD CONSTRAINT small CHECK (v < 1000)")

    def refuse() -> None:
        for table in (T, U):
            place.source.query(f"UPDATE {table.name} SET v = v + 5000 WHERE id <= 2")
        place.settle()  # or what fits in the end is all that is seen
        for table in (T, U):
            place.source.query(f"UPDATE {table.name} SET v = 0 WHERE id <= 2")
        place.settle()

    refuse()
    assert place.waiting() == 8
    place.source.query(
        "BEGIN; UPDATE t SET v = 1 WHERE id = 1; TRUNCATE t;"
        " INSERT INTO t VALUES (1, 'new', 1, ''); COMMIT"
    )
    place.expect_equal(T)
    assert place.waiting() == 4
    place.source.query("UPDATE t SET v = 2 WHERE id = 1")
    place.expect_equal(T)

    arguments = ["table", "resync", str(system.config_path), "public.u"]
    code, output = run_once(arguments, place.directory, env=system.env)
    assert code == 0, output
    wait_until(lambda: place.waiting() == 0, "nothing waits for u", describe=system.describe)
    system.wait_streaming()
    place.expect_equal(T, U)

    refuse()
    assert place.waiting() > 0
    assert system.stop() == 0
    for table in (T, U):
        place.target.query(f"DROP TABLE {table.name}")
    system.start()
    wait_until(lambda: place.waiting() == 0, "nothing waits", describe=system.describe)
    system.wait_streaming()
    place.expect_equal(T, U)
    assert system.stop() == 0


def test_what_waits_is_held_also_under_another_policy(place):
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("UPDATE t SET v = 5000 WHERE id = 1")
    place.settle()
    assert system.stop() == 0
    system = place.start("skip")
    place.source.query("UPDATE t SET v = 0 WHERE id = 1")
    place.source.query("UPDATE t SET v = 6000 WHERE id = 2")
    place.settle()
    assert place.waiting() == 2
    assert system.stop() == 0


@pytest.mark.timeout(600)
def test_no_kill_loses_or_doubles_what_is_refused(place, request):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    is_over = threading.Event()
    refused: list[int] = []

    def write() -> None:
        number = 10_000
        with place.source.server.connect(place.source.name) as connection:
            while not is_over.wait(0.002):
                number += 1
                is_bad = number % 5 == 0
                connection.execute(
                    "INSERT INTO t VALUES (%s, 'w', %s, '')", [number, 5000 if is_bad else 1]
                )
                if is_bad:
                    refused.append(number)
                older = chance.choice(refused) if refused else number
                connection.execute("UPDATE t SET v = v + 1 WHERE id IN (%s, %s)", [older, number])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for _ in range(request.config.getoption("--kills")):
        is_over.wait(chance.uniform(0.3, 1.5))
        system.kill()
        system.start()
    system.wait_streaming()
    is_over.set()
    writer.join(60)
    place.settle()
    doubled = place.target.value(
        "SELECT count(*) FROM (SELECT FROM freshet.quarantine"
        " GROUP BY commit_lsn, op, keys::text HAVING count(*) > 1) d"
    )
    assert doubled == 0
    kept = place.target.query(
        "SELECT (after->>'id')::int FROM freshet.quarantine WHERE op = 'insert' ORDER BY id"
    )
    assert [number for (number,) in kept] == refused
    assert not place.difference(T, where="v < 1000 AND (id < 10000 OR id % 5 <> 0)")
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    assert " 0 left" in place.quarantine("replay")
    place.expect_equal(T, U)
    assert system.stop() == 0


def test_a_replay_beside_a_busy_engine(place):
    system = place.start("quarantine")
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    is_over = threading.Event()

    def write() -> None:
        with place.source.server.connect(place.source.name) as connection:
            while not is_over.wait(0.002):
                key = random.randrange(1, 30)
                value = random.choice([1, 2, 3, 5000])
                connection.execute("UPDATE t SET v = %s WHERE id = %s", [value, key])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    wait_until(lambda: place.waiting() > 50, "something waits", describe=system.describe)
    place.target.query("ALTER TABLE t DROP CONSTRAINT small")
    for _ in range(5):
        place.quarantine("replay")
    is_over.set()
    writer.join(60)
    place.settle()
    place.quarantine("replay")
    place.expect_equal(T, U)
    assert place.waiting() == 0
    assert system.stop() == 0


def test_a_replay_that_is_killed_applies_nothing_twice(place):
    rows = Table("public", "f")
    place.source.query("CREATE TABLE f (id int, v int)")  # without a key: what comes twice shows
    place.source.query("ALTER TABLE f REPLICA IDENTITY FULL")
    place.source.query("ALTER TABLE f OWNER TO app")
    system = place.start("quarantine", tables=[rows])
    place.target.query("ALTER TABLE f ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("INSERT INTO f SELECT n, 5000 FROM generate_series(1, 1000) n")
    place.settle()
    assert place.waiting() == 1000
    place.target.query("ALTER TABLE f DROP CONSTRAINT small")
    arguments = ["quarantine", "replay", str(system.config_path)]
    for wanted in (900, 400):  # 500 are replayed in one transaction
        log = place.directory / f"replay-{wanted}.log"
        replay = EngineProcess(arguments, log, directory=place.directory, env=system.env)
        wait_until(lambda: place.waiting() <= wanted, f"{wanted} are left")
        replay.kill()
        both = "(SELECT count(*) FROM f) + (SELECT count(*) FROM freshet.quarantine)"
        assert place.target.value(f"SELECT {both}") == 1000
    place.quarantine("replay")
    assert place.waiting() == 0
    place.expect_equal(rows, columns=("id", "v"))
    assert system.stop() == 0


def test_what_was_refused_is_counted(place):
    place.start("skip")
    assert place.system.stop() == 0
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("UPDATE t SET v = v + 5000 WHERE id <= 30")
    place.source.query("UPDATE u SET v = v + 5000 WHERE id <= 30")
    report = place.directory / "report.json"
    arguments = ["run", str(place.system.config_path), "--until", "caught-up"]
    code, output = run_once(
        [*arguments, "--report", str(report)], place.directory, env=place.system.env, seconds=60
    )
    assert code == 0, output
    told = json.loads(report.read_text())
    assert told["destinations"][0]["conflicts"] == {"skipped": 30, "source_won": 0, "quarantined": 0}
    conflicts = {table["table"]: table["conflicts"]["skipped"] for table in told["tables"]}
    assert conflicts == {"t": 30, "u": 0}
    assert output.count("refused a change") == 1
    assert not place.difference(T, where="id > 30")
    assert not place.difference(U)


def test_one_transaction_can_be_left_out(place):
    system = place.start(tables=[T])
    place.target.query("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 1000)")
    place.source.query("INSERT INTO t VALUES (900, 'a', 1, '')")
    place.source.query(
        "BEGIN; INSERT INTO t VALUES (901, 'b', 1, ''); INSERT INTO t VALUES (902, 'c', 5000, '');"
        " COMMIT"
    )
    place.source.query("INSERT INTO t VALUES (903, 'd', 1, '')")
    assert system.process.wait(60) == FAILED
    [lsn] = set(re.findall(r"commit_lsn=(\S+)", system.log_text()))
    run = ["run", str(system.config_path), "--until", "caught-up"]

    def once(*arguments: str) -> tuple[int, str]:
        return run_once([*run, *arguments], place.directory, env=system.env, seconds=60)

    code, output = once("--skip-lsn", "none")
    assert code == USAGE and "--skip-lsn is no LSN" in output
    code, output = once("--skip-lsn", "0/10")
    assert code == USAGE and "behind all destinations" in output, output
    code, output = once("--skip-lsn", lsn)
    assert code == 0 and f"commit_lsn={lsn}" in output, output
    assert "a transaction is left out" in output
    assert not place.difference(T, where="id NOT IN (901, 902)")
    assert not place.target.value("SELECT count(*) FROM t WHERE id IN (901, 902)")

    code, output = once("--skip-lsn", "FFFF/10")
    assert code == 0 and "nothing was left out" in output, output
    code, output = once("--skip-lsn", lsn)
    assert code == USAGE, output


def test_what_cannot_be_done_is_told(place):
    system = place.make("quarantine", **{"destinations.lines.url": "null:"})
    system.write_config()
    assert place.quarantine("list") == "nothing is in quarantine\n"
    assert place.asked("show") == []
    assert "no such PostgreSQL destination" in place.quarantine(
        "list", "--destination", "lines", code=USAGE
    )
    assert "not a table's name" in place.quarantine("list", "--table", "a.b.c", code=USAGE)
    system = place.make(**{"destinations.main": {"url": "null:", "on_conflict": "skip"}})
    system.write_config()
    code, output = run_once(["check", str(system.config_path)], place.directory, env=system.env)
    assert code == USAGE and "only a PostgreSQL destination" in output, output
