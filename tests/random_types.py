"""Random types of PostgreSQL and SQL expressions for their values, from a seed.

Types nest: arrays of any dimensions and lower bounds, domains, enums, composites, ranges and
multiranges of one another.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg import sql

_LETTERS = (*"abcXYZ019 _,;:(){}[]<>|&%$#@!?*+-=/~^.`'\"\\", "\t", "\n", "\r", "\b", "é", "ß", "ﬁ", "漢", "🐘", "\u200b")
_WORDS = ("", " ", "NULL", "null", "\\N", "\\.", "{}", "()", "\\", '"', "'", "$1", "t", "x" * 300)


def literal(text: str) -> str:
    return sql.Literal(text).as_string(None)


def _text(rng: random.Random, length_max: int = 40) -> str:
    if rng.random() < 0.3:
        return rng.choice(_WORDS)[:length_max]
    if rng.random() < 0.03 and length_max >= 40:
        return "".join(rng.choices(_LETTERS, k=rng.randint(3000, 12000)))
    return "".join(rng.choices(_LETTERS, k=rng.randint(0, length_max)))


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _number(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(("NaN", "Infinity", "-Infinity", "0", "-0.000", "1.00", "1e-16383", "1e131071"))
    size = rng.choice((1, 3, 9, 40, 900))
    whole, part = _digits(rng, rng.randint(1, size)), _digits(rng, rng.randint(0, size))
    return rng.choice(("", "-")) + whole + ("." + part if part else "")


def _float(rng: random.Random, form: str) -> str:
    bits = rng.randbytes(struct.calcsize(form))
    return repr(struct.unpack(form, bits)[0]).replace("inf", "Infinity")


def _moment(rng: random.Random, first: str) -> str:
    seconds = rng.choice((10, 10**5, 10**9, 10**12)) * (rng.random() - 0.02)
    return f"{first} + interval '{seconds:.6f} s'"


def _bits(rng: random.Random, size: int) -> str:
    return "".join(rng.choices("01", k=size))


def _point(rng: random.Random) -> str:
    return f"({_float(rng, 'd')},{rng.choice(('0', '-0', '1.5', 'Infinity', 'NaN', '1e-300'))})"


def _polygon(rng: random.Random) -> str:
    return ",".join(f"({rng.randint(-9, 9)},{rng.random()})" for _ in range(rng.randint(1, 6)))


def _vector(rng: random.Random, size: int, limit: float) -> str:
    return "[" + ",".join(repr(rng.uniform(-limit, limit)) for _ in range(size)) + "]"


def _json(rng: random.Random, depth: int = 0) -> str:
    kind = rng.randrange(6 if depth < 3 else 4)
    if kind < 4:
        return rng.choice(("null", "true", str(rng.randint(-(10**20), 10**20)), "1.50e-3", _json_text(rng)))
    items = [_json(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    if kind == 4:
        return "[" + " , ".join(items) + "]"
    return "{" + ", ".join(f"{_json_text(rng)}:{item}" for item in items) + "}"


def _json_text(rng: random.Random) -> str:
    marks = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b"}
    return '"' + "".join(marks.get(letter, letter) for letter in _text(rng)) + '"'


def _hstore(rng: random.Random) -> str:
    pairs = [f"hstore({literal(_text(rng))}, {rng.choice(('NULL', literal(_text(rng))))})" for _ in range(3)]
    return "(" + " || ".join(pairs) + ")"


def _quoted(make: Callable[[random.Random], str]) -> Callable[[random.Random], str]:
    return lambda rng: literal(make(rng))


# Each gives an expression that is cast to the type.
BASES: dict[str, Callable[[random.Random], str]] = {
    "boolean": lambda rng: rng.choice(("true", "false")),
    "smallint": lambda rng: str(rng.choice((-32768, 32767, rng.randint(-999, 999)))),
    "integer": lambda rng: str(rng.choice((-(2**31), 2**31 - 1, rng.randint(-(10**6), 10**6)))),
    "bigint": lambda rng: f"({rng.choice((-(2**63), 2**63 - 1, rng.getrandbits(62)))})",
    "numeric": _quoted(_number),
    "numeric(1000,300)": _quoted(lambda rng: rng.choice(("-", "")) + _digits(rng, 9) + "." + _digits(rng, 310)),
    "real": _quoted(lambda rng: _float(rng, "f")),
    "double precision": _quoted(lambda rng: _float(rng, "d")),
    "money": _quoted(lambda rng: f"{rng.randint(-(10**15), 10**15) / 100:.2f}"),
    "text": _quoted(_text),
    "character varying(9)": _quoted(lambda rng: _text(rng, 9)),
    "character(5)": _quoted(lambda rng: _text(rng, 5)),
    "name": _quoted(lambda rng: _text(rng, 15)),
    '"char"': _quoted(lambda rng: rng.choice(("", "a", "\\", "'", " "))),
    "bytea": lambda rng: f"'\\x{rng.randbytes(rng.choice((0, 1, 9, 3000))).hex()}'",
    "date": lambda rng: rng.choice(("'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'",
                                    f"date '2000-01-01' + {rng.randint(-2 * 10**6, 10**6)}")),
    "time": lambda rng: rng.choice(("'24:00:00'", f"'{rng.randint(0, 23)}:{rng.randint(0, 59)}:{rng.random() * 59:.6f}'")),
    "time(2) with time zone": lambda rng: f"'{rng.randint(0, 23)}:59:59.995{rng.choice('+-')}{rng.randint(0, 15)}:{rng.randint(0, 59):02}'",
    "timestamp": lambda rng: rng.choice(("'infinity'", "'-infinity'", "'4713-11-24 00:00 BC'",
                                         "'294276-12-31 23:59:59.999999'", _moment(rng, "timestamp '0001-01-01'"))),
    "timestamp(3) with time zone": lambda rng: rng.choice(("'infinity'", "'0044-03-15 12:00 BC'",
                                                            _moment(rng, "timestamptz '1900-01-01 00:00+05:30'"))),
    "interval": lambda rng: rng.choice((f"'{rng.randint(-9999, 9999)} mon {rng.randint(-9999, 9999)} day'",
                                        f"'-{rng.randint(0, 999)} day -{rng.randint(0, 30)}:00:01.000001'",
                                        "'-178000000 years'", "'0'")),
    "uuid": lambda rng: f"'{rng.randbytes(16).hex()}'",
    "json": _quoted(_json),
    "jsonb": _quoted(_json),
    "jsonpath": lambda rng: rng.choice(("'$.a[*] ? (@ > 1)'", "'strict $.\"b c\"'", "'$'")),
    "bit(7)": lambda rng: f"B'{_bits(rng, 7)}'",
    "bit varying": lambda rng: f"B'{_bits(rng, rng.choice((0, 1, 8, 77)))}'",
    "inet": _quoted(lambda rng: rng.choice(("::1", "fe80::1/64", f"10.{rng.randint(0, 255)}.0.1/{rng.randint(8, 32)}"))),
    "cidr": _quoted(lambda rng: rng.choice(("::/0", f"{rng.randint(0, 255)}.0.0.0/8"))),
    "macaddr": lambda rng: f"'{rng.randbytes(6).hex()}'",
    "macaddr8": lambda rng: f"'{rng.randbytes(8).hex()}'",
    "oid": lambda rng: f"'{rng.getrandbits(32)}'",
    "xid8": lambda rng: f"'{rng.getrandbits(64)}'",
    "pg_lsn": lambda rng: f"'{rng.getrandbits(32):X}/{rng.getrandbits(32):X}'",
    "tid": lambda rng: f"'({rng.getrandbits(32)},{rng.getrandbits(16)})'",
    "pg_snapshot": lambda rng: rng.choice(("'10:20:10,14,15'", "'5:5:'")),
    "tsvector": lambda rng: rng.choice(("''", "$$'a''b':1A,2 'c\\\\d':3B$$", f"to_tsvector('simple', {literal(_text(rng))})")),
    "tsquery": lambda rng: rng.choice(("$$'x' & !('y':* | 'z':AB)$$", "'a <-> b'", "'!q'")),
    "point": _quoted(_point),
    "lseg": _quoted(lambda rng: f"[{_point(rng)},{_point(rng)}]"),
    "box": _quoted(lambda rng: f"({_point(rng)},{_point(rng)})"),
    "line": _quoted(lambda rng: f"{{{rng.randint(1, 9)},{rng.random()},-0}}"),
    "path": _quoted(lambda rng: rng.choice(("[%s]", "(%s)")) % _polygon(rng)),
    "polygon": _quoted(lambda rng: f"({_polygon(rng)})"),
    "circle": _quoted(lambda rng: f"<(1,{rng.random()}),{rng.random()}>"),
}  # fmt: skip
EXTENSIONS: dict[str, dict[str, Callable[[random.Random], str]]] = {
    "vector": {
        "vector": _quoted(lambda rng: _vector(rng, rng.choice((1, 3, 900)), 3e38)),
        "vector(4)": _quoted(lambda rng: _vector(rng, 4, 1)),
        "halfvec(3)": _quoted(lambda rng: _vector(rng, 3, 60000)),
        "sparsevec(9)": _quoted(lambda rng: rng.choice(("{}/9", f"{{1:{rng.random()},9:-2}}/9"))),
    },
    "hstore": {"hstore": _hstore},
    "ltree": {"ltree": lambda rng: rng.choice(("''", "'Top.Science'", f"'a{rng.randint(0, 9)}.b_c.D'"))},
    "citext": {"citext": _quoted(_text)},
    "cube": {"cube": lambda rng: rng.choice(("'(1,2),(3,4)'", f"'({rng.random()})'"))},
    "seg": {"seg": lambda rng: rng.choice(("'1.50 .. 2'", "'~7'", f"'{rng.randint(0, 99)}'"))},
}  # fmt: skip
# Not every server is built with it.
XML = {"xml": _quoted(lambda rng: f"<a b='{rng.randint(0, 99)}'>é&amp;<c/></a>")}
# What ranges may be of, with the name of the range of PostgreSQL's own.
_RANGES = {"integer": "int4", "bigint": "int8", "numeric": "num", "date": "date", "timestamp": "ts"}
_RANGE_SUBTYPES = ("text", "uuid", "inet", "double precision", "interval")


@dataclass(frozen=True)
class Type:
    """`value` gives an expression of the type; `owned` says that it takes a CREATE TYPE. `is_array` of
    domains too: ARRAY[…] takes a value of such a domain for one more dimension."""

    name: str
    value: Callable[[random.Random], str] = field(compare=False)
    owned: bool = False
    is_array: bool = False


def cast(type_name: str, make: Callable[[random.Random], str]) -> Callable[[random.Random], str]:
    return lambda rng: f"({make(rng)})::{type_name}"


class TypeMaker:
    """Draws types. What must be made first, at any database, is in `statements`, in that order."""

    def __init__(
        self, rng: random.Random, extensions: list[str], *, has_xml: bool, nests_owned: bool = True
    ):
        self.statements: list[str] = []
        self._rng = rng
        self._nests_owned = nests_owned
        bases = BASES | XML if has_xml else BASES
        self._bases = [Type(name, cast(name, make)) for name, make in bases.items()]
        self._builtins = list(self._bases)
        for extension in extensions:
            self.statements.append(f"CREATE EXTENSION {extension}")
            for name, make in EXTENSIONS[extension].items():
                self._bases.append(Type(name, cast(name, make), owned=True))

    def draw(self, depth: int = 0) -> Type:
        if depth >= 3 or self._rng.random() < 0.45:
            return self._rng.choice(self._bases)
        makers = (self._array, self._domain, self._enum, self._composite, self._range)
        return self._rng.choice(makers)(depth)

    def _new_name(self) -> str:
        return f'"type {len(self.statements)}"'

    def _inner(self, depth: int) -> Type:
        inner = self.draw(depth + 1)
        return inner if self._nests_owned or not inner.owned else self._rng.choice(self._builtins)

    def _array(self, depth: int) -> Type:
        inner = self.draw(depth + 1)
        if inner.is_array:
            return inner
        name = inner.name + "[]"
        return Type(name, lambda rng: _array_value(rng, inner, name), inner.owned, is_array=True)

    def _domain(self, depth: int) -> Type:
        inner = self._inner(depth)
        name = self._new_name()
        self.statements.append(f"CREATE DOMAIN {name} AS {inner.name}")
        return Type(name, cast(name, inner.value), owned=True, is_array=inner.is_array)

    def _enum(self, _: int) -> Type:
        name = self._new_name()
        labels = sorted({_text(self._rng, 12) for _ in range(5)})
        self.statements.append(f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, labels))})")
        return Type(name, lambda rng: f"{literal(rng.choice(labels))}::{name}", owned=True)

    def _composite(self, depth: int) -> Type:
        parts = [self._inner(depth) for _ in range(self._rng.randint(1, 4))]
        name = self._new_name()
        columns = ", ".join(f'"part {i}" {part.name}' for i, part in enumerate(parts))
        self.statements.append(f"CREATE TYPE {name} AS ({columns})")

        def value(rng: random.Random) -> str:
            values = ("NULL" if rng.random() < 0.2 else part.value(rng) for part in parts)
            return f"ROW({', '.join(values)})::{name}"

        return Type(name, value, owned=True)

    def _range(self, _: int) -> Type:
        is_many = self._rng.random() < 0.4
        known = self._rng.choice(list(_RANGES)) if self._rng.random() < 0.6 else ""
        subtype = known or self._rng.choice(_RANGE_SUBTYPES)
        bound = next(base for base in self._bases if base.name == subtype)
        one, many = (_RANGES[known] + "range", _RANGES[known] + "multirange") if known else self._own_range(subtype)

        def value(rng: random.Random) -> str:
            made = [_range_value(rng, one, bound) for _ in range(rng.randint(0, 3) if is_many else 1)]
            return f"{many}({', '.join(made)})" if is_many else made[0]

        return Type(many if is_many else one, value, owned=not known)

    def _own_range(self, subtype: str) -> tuple[str, str]:
        one = self._new_name()
        many = one[:-1] + ' many"'
        self.statements.append(
            f"CREATE TYPE {one} AS RANGE (subtype = {subtype}, multirange_type_name = {many})"
        )
        return one, many


def _array_value(rng: random.Random, inner: Type, name: str) -> str:
    sizes = [rng.randint(1, 3) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if rng.random() < 0.1:
        return f"'{{}}'::{name}"

    def nested(sizes: list[int]) -> str:
        if not sizes:
            return "NULL" if rng.random() < 0.15 else inner.value(rng)
        return "[" + ", ".join(nested(sizes[1:]) for _ in range(sizes[0])) + "]"

    value = f"ARRAY{nested(sizes)}::{name}"
    if rng.random() < 0.3:
        lows = [rng.randint(-5, 5) for _ in sizes]
        bounds = "".join(f"[{low}:{low + size - 1}]" for low, size in zip(lows, sizes, strict=True))
        value = f"('{bounds}=' || ({value})::text)::{name}"
    return value


def _range_value(rng: random.Random, name: str, bound: Type) -> str:
    if rng.random() < 0.1:
        return f"'empty'::{name}"
    low, high = bound.value(rng), bound.value(rng)
    ends = rng.choice(("[]", "[)", "(]", "()"))
    first = "NULL" if rng.random() < 0.2 else f"least({low}, {high})"
    last = "NULL" if rng.random() < 0.2 else f"greatest({low}, {high})"
    return f"{name}({first}, {last}, '{ends}')"
