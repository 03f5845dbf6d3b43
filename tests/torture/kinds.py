"""The types that columns have, each with expressions for its values.

To add a type is to add a line. An expression is SQL over one integer, written `{n}`: a literal for
one row, a column for thousands, so that every row of a run follows from the seed.
"""

import random
import re
from dataclasses import dataclass

_BLOCKS = "(SELECT string_agg(md5(({n} + i)::text), '') FROM generate_series(1, %s) i)"
LARGE_TEXT = _BLOCKS % "90 + {n} % 200"
_ODD_TEXT = (
    r"(ARRAY['', 'NULL', E'\\N', E'tab\there', E'line\nbreak\r', 'quote''s \"', 'ünïcödé 🐘',"
    r" E'back\\slash', ' space ', '{}', E'\\.', ',', '()'])[1 + {n} % 13]"
)


@dataclass(frozen=True)
class Kind:
    """`key` gives different values for different integers; `values` need not."""

    values: tuple[str, ...]
    key: str = ""
    wider: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


KINDS = {
    "smallint": Kind(("({n} % 30000)::smallint",), wider=("integer", "bigint"), other=("text",)),
    "integer": Kind(
        ("({n} % 2000000000)::int", "({n} % 7 - 3)::int"), "({n})::int",
        wider=("bigint", "numeric"), other=("text",),
    ),
    "bigint": Kind(("{n} * 1000000007::bigint", "-{n}::bigint"), "({n} * 1000003::bigint)", wider=("numeric",)),
    "numeric": Kind(
        ("{n} / 8.0", "({n} % 5)::numeric(10, 2)", "(ARRAY['NaN', '1e40', '-0.000', '1.00', '0'])[1 + {n} % 5]::numeric"),
        "({n} / 4.0)::numeric",
    ),
    "numeric(12,2)": Kind(("({n} % 1000000 / 4.0)::numeric(12, 2)",), wider=("numeric", "numeric(14,2)")),
    "numeric(14,2)": Kind(("({n} % 100000000 / 4.0)::numeric(14, 2)",), wider=("numeric",)),
    "double precision": Kind(
        ("{n} / 7.0::float8", "(ARRAY['NaN', 'Infinity', '-0', '1e-300', '0'])[1 + {n} % 5]::float8"),
        "({n} / 4.0)::float8",
    ),
    "boolean": Kind(("({n} % 2 = 0)",)),
    "text": Kind(
        ("'value ' || {n}", "md5(({n})::text)", _ODD_TEXT, LARGE_TEXT, "repeat('abc ', (3000 + {n} % 9)::int)"),
        "('k''' || {n})",
    ),
    "character varying(12)": Kind(
        ("left(md5(({n})::text), 12)", "repeat('y', ({n} % 12)::int)"), "('v' || {n})::varchar(12)",
        wider=("character varying(60)", "text"),
    ),
    "character varying(60)": Kind(("md5(({n})::text)",), "('v' || {n})::varchar(60)", wider=("text",)),
    "character(6)": Kind(("left(md5(({n})::text), ({n} % 7)::int)::char(6)",)),
    "uuid": Kind(("md5(({n})::text)::uuid",), "md5(({n})::text)::uuid"),
    "timestamp with time zone": Kind(
        (
            "(timestamptz '2001-02-03 04:05:06.789+00' + ({n}) * interval '1 hour 1.000001 s')",
            "(ARRAY['infinity', '-infinity', '0044-03-15 BC', '294276-01-01 UTC'])[1 + {n} % 4]::timestamptz",
        ),
        "(timestamptz '2020-01-01 00:00:00+00' + ({n}) * interval '1 minute')",
    ),
    "timestamp without time zone": Kind(
        ("(timestamp '2001-02-03 04:05:06' + ({n}) * interval '1 hour')",),
        "(timestamp '2020-01-01' + ({n}) * interval '1 minute')",
    ),
    "date": Kind(
        ("(date '1999-12-31' + ({n} % 40000)::int)",), "(date '0001-01-01' + ({n})::int)",
        other=("timestamp without time zone",),
    ),
    "interval": Kind(("({n} % 1000000) * interval '1 day 02:03:04.5'", "({n} % 3) * interval '1 mon'")),
    "bytea": Kind(
        ("decode(md5(({n})::text), 'hex')", "''::bytea", f"decode({LARGE_TEXT}, 'hex')"),
        "decode(md5(({n})::text), 'hex')",
    ),
    "jsonb": Kind(
        (
            "jsonb_build_object('n', {n}, 'a\"b', null, 'list', jsonb_build_array(1, 'two', {n}))",
            "to_jsonb('text ' || {n})", f"jsonb_build_object('large', {LARGE_TEXT})",
        )
    ),
    "inet": Kind(("('10.0.0.0'::inet + ({n} % 60000))",)),
    "mood": Kind(("(ARRAY['sad', 'it''s \"ok\"', 'happy'])[1 + {n} % 3]::mood",)),
    "mood[]": Kind(("(ARRAY['{sad,happy}', '{}', '{\"it''s \\\"ok\\\"\",NULL}'])[1 + {n} % 3]::mood[]",)),
    "integer[]": Kind(
        ("ARRAY[{n}, NULL, 7]::int[]", "'{}'::int[]", "ARRAY[[1, 2], [3, {n}]]::int[]",
         "(SELECT array_agg(({n} * i) % 1000003) FROM generate_series(1, 900) i)::int[]"),
        other=("bigint[]",),
    ),
    "bigint[]": Kind(("ARRAY[{n}, NULL, 7]::bigint[]",)),
    "text[]": Kind(("ARRAY['a,b', 'c\"d', NULL, '', 'NULL', ({n})::text]", f"ARRAY[{LARGE_TEXT}]")),
    "amount": Kind(("({n} % 1000)::amount",)),
    "pair": Kind(("ROW({n} % 1000, 'b ' || {n})::pair",)),
}  # fmt: skip
KEY_KINDS = tuple(name for name, kind in KINDS.items() if kind.key)
CHUNK_KEY_KINDS = ("integer", "bigint", "uuid")
TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'happy');
CREATE DOMAIN amount AS int CHECK (VALUE > -1000000);
CREATE TYPE pair AS (a int, b text);
"""


def kind_of(type_name: str) -> Kind | None:
    """Returns what is known of a type as format_type() prints it."""
    return KINDS.get(type_name)


def filled(expression: str, number: int | str) -> str:
    return expression.replace("{n}", str(number))


def value(rng: random.Random, type_name: str, number: int | str, *, large: bool = True) -> str:
    """Returns an expression for a value; without `large` none that goes out of line."""
    expressions = KINDS[type_name].values
    if not large:
        expressions = [e for e in expressions if not re.search(r"generate_series|repeat\('abc", e)]
    return filled(rng.choice(expressions), number)
