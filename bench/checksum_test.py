"""Known answers: the checksum must be right before it calls a figure void."""

import numpy as np
import pytest
from checksum import hash_rows, tally_copy_text, xxh64


@pytest.mark.parametrize(
    ("text", "seed", "expected"),
    [
        (b"", 0, 0xEF46DB3751D8E999),
        (b"a", 0, 0xD24EC4F1A98C6E5B),
        (b"abc", 0, 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
        (b"xxhash", 20141025, 0xB559B98D844E0635),
    ],
)
def test_xxh64_gives_the_published_answers(text, seed, expected):
    value = np.frombuffer(text, np.uint8).reshape(1, -1)
    assert int(xxh64(value, np.array([seed], np.uint64))[0]) == expected


def test_values_of_a_row_are_chained():
    first = xxh64(np.frombuffer(b"1", np.uint8).reshape(1, -1), np.zeros(1, np.uint64))
    both = xxh64(np.frombuffer(b"abc", np.uint8).reshape(1, -1), first)
    assert hash_rows(b"1\tabc\n")[0] == both[0]


def test_sum_does_not_depend_on_order_or_chunks():
    rows = [f"{number}\tvalue {number}\n".encode() for number in range(1000)]
    whole = tally_copy_text([b"".join(rows)])
    assert whole.rows == 1000
    assert tally_copy_text(reversed(rows)) == whole


def test_text_with_escapes_is_refused():
    with pytest.raises(ValueError, match="unescaping"):
        tally_copy_text([b"1\t\\N\n"])
