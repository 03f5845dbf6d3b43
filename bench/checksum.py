"""The null destination's checksum, computed again from COPY text (docs/destinations/null.md).

Vectorised over the rows of a block, as millions of rows are summed before each benchmark. Text
that needs COPY's escapes (and so NULL too) is refused: the tables of workload.sql have none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_BLOCK_BYTES = 8 << 20
_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)


@dataclass(frozen=True)
class Tally:
    """What the null destination reports of rows: their number and the sum of their hashes."""

    rows: int = 0
    sum: str = "0" * 16


def tally_copy_text(chunks: Iterable[bytes]) -> Tally:
    """Returns the tally of rows in COPY's text form, however they are cut into chunks."""
    rows = total = 0
    for block in _blocks_of_lines(chunks):
        hashes = hash_rows(block)
        rows += len(hashes)
        total += int(np.add.reduce(hashes, dtype=np.uint64))
    return Tally(rows, f"{total % 2**64:016x}")


def hash_rows(text: bytes) -> np.ndarray:
    """Returns the hash of each line: XXH64 over its values, each with the hash so far as seed."""
    if b"\\" in text:
        raise ValueError("a value needs unescaping, which this checksum does not do")
    data = np.frombuffer(text, np.uint8)
    separators = np.flatnonzero((data == ord("\t")) | (data == ord("\n")))
    column_count = text[: text.index(b"\n")].count(b"\t") + 1
    starts = np.concatenate(([0], separators[:-1] + 1)).reshape(-1, column_count)
    lengths = separators.reshape(-1, column_count) - starts
    hashes = np.zeros(len(starts), np.uint64)
    for column in range(column_count):
        hashes = _hash_values(data, starts[:, column], lengths[:, column], hashes)
    return hashes


def xxh64(values: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Returns XXH64 of each line of a matrix of bytes, each with a seed of its own."""
    length = values.shape[1]
    word_count = length // 8
    words = np.ascontiguousarray(values[:, : word_count * 8]).view("<u8")
    stripe_words = length // 32 * 4
    hashes = _stripes(words[:, :stripe_words], seeds) if stripe_words else seeds + _P5
    hashes = hashes + np.uint64(length)
    for at in range(stripe_words, word_count):
        hashes = _rotate(hashes ^ _round(np.uint64(0), words[:, at]), 27) * _P1 + _P4
    at = word_count * 8
    if length - at >= 4:
        half = np.ascontiguousarray(values[:, at : at + 4]).view("<u4")[:, 0].astype(np.uint64)
        hashes = _rotate(hashes ^ (half * _P1), 23) * _P2 + _P3
        at += 4
    for rest in range(at, length):
        hashes = _rotate(hashes ^ (values[:, rest].astype(np.uint64) * _P5), 11) * _P1
    return _avalanche(hashes)


def _stripes(words: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    lanes = [seeds + _P1 + _P2, seeds + _P2, seeds, seeds - _P1]
    for at in range(0, words.shape[1], 4):
        lanes = [_round(lane, words[:, at + number]) for number, lane in enumerate(lanes)]
    hashes = sum(
        (_rotate(lane, bits) for lane, bits in zip(lanes[1:], (7, 12, 18), strict=True)),
        start=_rotate(lanes[0], 1),
    )
    for lane in lanes:
        hashes = (hashes ^ _round(np.uint64(0), lane)) * _P1 + _P4
    return hashes


def _round(lane: np.ndarray | np.uint64, word: np.ndarray) -> np.ndarray:
    return _rotate(lane + word * _P2, 31) * _P1


def _rotate(value: np.ndarray, bits: int) -> np.ndarray:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


def _avalanche(hashes: np.ndarray) -> np.ndarray:
    hashes = (hashes ^ (hashes >> np.uint64(33))) * _P2
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _P3
    return hashes ^ (hashes >> np.uint64(32))


def _hash_values(
    data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    hashes = np.empty_like(seeds)
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        values = data[starts[chosen][:, None] + np.arange(length)]
        hashes[chosen] = xxh64(values, seeds[chosen])
    return hashes


def _blocks_of_lines(chunks: Iterable[bytes]) -> Iterable[bytes]:
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        if len(pending) >= _BLOCK_BYTES:
            end = pending.rindex(b"\n") + 1
            yield bytes(pending[:end])
            del pending[:end]
    if pending:
        yield bytes(pending)
