#!/usr/bin/env python3
"""Records what real servers send, as seeds for the fuzzer and as input of the assembler's tests.

Writes decoder_fuzz/pg<version>-<scenario>-<options>: a byte that selects the stream mode of
decoder_fuzz.cc, then each message as u16 size (big-endian) and bytes. Run it with the Python
that ./dev setup installs; it needs PostgreSQL 14 to 18 (./dev setup --for matrix).
"""

import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from servers import Postgres, available_versions  # noqa: E402

OUTPUT = HERE / "decoder_fuzz"
STREAM_MODE = b"\x01"
MESSAGE_BYTES_MAX = 0xFFFF
PROTOCOL_VERSIONS = {14: 2, 15: 3, 16: 4, 17: 4, 18: 4}

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE calls (id bigint PRIMARY KEY, note text, mood mood, price numeric(12,2));
CREATE TABLE turns (id int, text text);
ALTER TABLE turns REPLICA IDENTITY FULL;
CREATE TABLE empty ();
CREATE TABLE big (id int PRIMARY KEY, n int, body text);
ALTER TABLE big ALTER body SET STORAGE EXTERNAL;
-- Its rows fill the server's decoding memory, so that transactions are streamed, but are not sent.
CREATE TABLE ballast (n int, filler text);
CREATE PUBLICATION p FOR TABLE calls, turns, empty, big;
"""

# Scenario -> transactions; each is a list of statements, run one by one in one session.
BALLAST = "INSERT INTO ballast SELECT n, repeat('x', 50) FROM generate_series(1, 900) n"
SCENARIOS = {
    "rows": [
        ["INSERT INTO calls VALUES (1, 'a', 'good', 1.5), (2, NULL, NULL, 'NaN'), (3, '', 'bad', 0)"],
        ["UPDATE calls SET note = 'b' WHERE id = 1", "UPDATE calls SET id = 10 WHERE id = 2"],
        ["DELETE FROM calls WHERE id = 3"],
        ["INSERT INTO turns VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
         "UPDATE turns SET text = 'y' WHERE id IS NULL", "DELETE FROM turns"],
        ["INSERT INTO empty DEFAULT VALUES"],
        ["INSERT INTO ballast VALUES (1, 'not published')"],
        ["INSERT INTO big VALUES (1, 1, repeat('long ', 600))", "UPDATE big SET n = 2",
         "UPDATE big SET id = 5"],
        ["TRUNCATE calls, turns RESTART IDENTITY CASCADE"],
    ],
    "ddl": [
        ["INSERT INTO calls VALUES (1, 'a', 'good', 1)", "ALTER TABLE calls ADD extra int DEFAULT 7",
         "INSERT INTO calls VALUES (2, 'b', 'bad', 2, 3)"],
        ["ALTER TABLE calls RENAME note TO remark", "UPDATE calls SET remark = 'c'"],
        ["ALTER TABLE calls REPLICA IDENTITY FULL", "DELETE FROM calls"],
        ["ALTER TABLE calls DROP extra", "INSERT INTO calls VALUES (3, 'd', 'good', 4)"],
        ["SAVEPOINT s", "ALTER TABLE calls ADD gone int", "INSERT INTO calls VALUES (4)",
         "ROLLBACK TO s", "INSERT INTO calls VALUES (4, 'e', NULL, NULL)"],
    ],
    "messages": [
        ["SELECT pg_logical_emit_message(true, 'prefix', 'in a transaction')"],
        ["SELECT pg_logical_emit_message(false, '', E'\\\\x0001'::bytea)"],
        ["INSERT INTO calls VALUES (1)", "SELECT pg_logical_emit_message(true, 'p', 'after a row')"],
    ],
    "origin": [
        ["SELECT pg_replication_origin_create('node_b')"],
        ["SELECT pg_replication_origin_session_setup('node_b')",
         "SELECT pg_replication_origin_xact_setup('0/AB', '2020-01-01')",
         "INSERT INTO calls VALUES (1, 'from elsewhere')"],
    ],
    "streamed": [
        ["INSERT INTO calls VALUES (1, 'before')", BALLAST, "INSERT INTO calls VALUES (2, 'after')"],
        [BALLAST, "SAVEPOINT a", "INSERT INTO calls VALUES (3, 'gone')", BALLAST, "ROLLBACK TO a",
         "INSERT INTO calls VALUES (4, 'kept')", BALLAST, "SAVEPOINT b", "UPDATE calls SET note = 'sub'",
         "RELEASE b", BALLAST],
        [BALLAST, "ALTER TABLE calls ADD extra int", "INSERT INTO calls VALUES (5)", BALLAST,
         "SAVEPOINT c", "ALTER TABLE calls ADD more int", "INSERT INTO calls VALUES (6)", BALLAST,
         "ROLLBACK TO c", "INSERT INTO calls VALUES (7)", BALLAST],
        [BALLAST, "INSERT INTO calls VALUES (8)", BALLAST, "ROLLBACK"],
        [BALLAST, "TRUNCATE turns", "SELECT pg_logical_emit_message(true, 'p', 'streamed')", BALLAST],
    ],
    "prepared": [
        ["INSERT INTO calls VALUES (1, 'prepared')", "PREPARE TRANSACTION 'it''s one'"],
        ["INSERT INTO calls VALUES (2, 'in between')"],
        ["!COMMIT PREPARED 'it''s one'"],
        ["INSERT INTO calls VALUES (3, 'never')", "PREPARE TRANSACTION 'two'"],
        ["!ROLLBACK PREPARED 'two'"],
        ["PREPARE TRANSACTION 'empty'"],
        ["!COMMIT PREPARED 'empty'"],
        ["INSERT INTO ballast VALUES (1)", "PREPARE TRANSACTION 'unpublished'"],
        ["!COMMIT PREPARED 'unpublished'"],
        ["INSERT INTO calls VALUES (4)", BALLAST, "SAVEPOINT a", "INSERT INTO calls VALUES (5)", BALLAST,
         "ROLLBACK TO a", "INSERT INTO calls VALUES (6)", "PREPARE TRANSACTION 'large'"],
        ["!COMMIT PREPARED 'large'"],
    ],
}


def run_transaction(server, dbname: str, statements: list[str]) -> None:
    """Runs the statements in one transaction, unless they end it or are marked to need none."""
    with server.connect(dbname) as session:
        if statements[0].startswith("!"):
            session.execute(statements[0][1:])
            return
        session.execute("BEGIN")
        for statement in statements:
            session.execute(statement)
        if not statements[-1].startswith(("PREPARE", "ROLLBACK")):
            session.execute("COMMIT")


def option_sets(version: int, scenario: str) -> dict[str, dict[str, str]]:
    """Returns the plug-in options to record a scenario with, by a short name."""
    newest = str(PROTOCOL_VERSIONS[version])
    streaming = "parallel" if version >= 16 else "on"
    sets = {"v1": {"proto_version": "1"}}
    if scenario == "rows":
        sets["binary"] = {"proto_version": "1", "binary": "true"}
    if scenario == "streamed":
        sets["stream"] = {"proto_version": "2", "streaming": "on"}
        if version >= 16:
            sets["parallel"] = {"proto_version": "4", "streaming": "parallel"}
    if scenario == "prepared" and version >= 15:
        sets["twophase"] = {"proto_version": newest, "two_phase": "on"}
        sets["twophase-stream"] = {"proto_version": newest, "two_phase": "on", "streaming": streaming}
    return {name: options | {"messages": "true"} for name, options in sets.items()}


def peek(server, dbname: str, slot: str, options: dict[str, str]) -> list[bytes]:
    """Returns the messages of a slot without consuming them."""
    pairs = [word for pair in (options | {"publication_names": "p"}).items() for word in pair]
    marks = ", ".join(["%s"] * len(pairs))
    with server.connect(dbname) as session:
        session.execute("SET logical_decoding_work_mem = '64kB'")
        sql = f"SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, {marks})"
        return [bytes(row[0]) for row in session.execute(sql, [slot, *pairs])]


def record(server, version: int, scenario: str) -> None:
    dbname = f"db_{scenario}"
    server.create_database(dbname)
    server.execute(SCHEMA, dbname=dbname)
    sets = option_sets(version, scenario)
    for name in sets:
        arguments = "false, true" if "twophase" in name else "false"
        slot = f"{scenario}_{name}".replace("-", "_")
        server.execute(
            f"SELECT pg_create_logical_replication_slot(%s, 'pgoutput', {arguments})", [slot],
            dbname=dbname,
        )
    for statements in SCENARIOS[scenario]:
        run_transaction(server, dbname, statements)
    for name, options in sets.items():
        messages = peek(server, dbname, f"{scenario}_{name}".replace("-", "_"), options)
        assert all(len(message) <= MESSAGE_BYTES_MAX for message in messages)
        framed = b"".join(struct.pack(">H", len(message)) + message for message in messages)
        path = OUTPUT / f"pg{version}-{scenario}-{name}"
        path.write_bytes(STREAM_MODE + framed)
        print(f"{path.name}: {len(messages)} messages, {len(framed)} bytes: "
              + "".join(chr(message[0]) for message in messages))


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    for version in available_versions():
        with Postgres(version) as server:
            for scenario in SCENARIOS:
                record(server, version, scenario)


if __name__ == "__main__":
    main()
