#!/usr/bin/env python3
"""Makes the seeds that need no server: texts as they are, and choices for the targets that build
their input from choices. Seeds recorded from servers: record.py.
"""

import json
import random
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHOICE_TARGETS = {"assembler_fuzz": 1000, "router_fuzz": 600, "sort_key_fuzz": 120,
                  "tokenizer_fuzz": 300, "safetensors_fuzz": 30, "embedding_json_fuzz": 200}
SEEDS_PER_TARGET = 4
TOKENIZER_FAULTS = 12

ANSWER = {"object": "list", "model": "m", "data": [
    {"object": "embedding", "index": 1, "embedding": [0.5, -1e-3, 3]},
    {"object": "embedding", "index": 0, "embedding": [1, 2, 3.25]}]}
COMPLAINT = {"error": {"message": "maximum context length is 512", "type": "invalid_request_error",
                       "code": "context_length_exceeded"}}
TOKENIZER = {
    "added_tokens": [{"id": 1, "content": "<s>", "normalized": False, "special": True}],
    "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True,
              "byte_fallback": True,
              "vocab": {"<unk>": 0, "<s>": 1, "\u2581": 2, "a": 3, "b": 4, "ab": 5, "\u2581ab": 6,
                        "<0x0A>": 7},
              "merges": ["a b", ["\u2581", "ab"]]}}
MATRIX = {"__metadata__": {"format": "pt"},
          "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


MESSAGES = [
    ("d", b"w" + struct.pack(">QQQ", 1, 2, 3) + b"B12345678"),
    ("d", b"k" + struct.pack(">QQB", 1, 2, 1)),
    ("S", b"TimeZone\0UTC\0"),
    ("E", b"SERROR\0VERROR\0C22P02\0Mbad \"x\"\0sapp\0tt\0WCOPY t, line 1: \"x\"\0\0"),
    ("c", b""),
]


def message(kind: str, body: bytes) -> bytes:
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def choices(target: str, number: int) -> bytes:
    return random.Random(f"{target} {number}").randbytes(CHOICE_TARGETS[target])


def safetensors(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def seeds() -> dict[str, bytes]:
    """Returns the seeds by path; the first bytes select the target's mode."""
    made = {f"{target}/choices-{number}": choices(target, number)
            for target in CHOICE_TARGETS for number in range(SEEDS_PER_TARGET)}
    probe = struct.pack(">Q", 7)
    made |= {
        "snapshot_fuzz/snapshot": b"\x00" + probe + b"5:9:6,8",
        "snapshot_fuzz/choices": b"\x01" + probe + choices("router_fuzz", 0)[:40],
        "snapshot_fuzz/lsn": b"\x02" + b"16/B374D848",
        "embedding_json_fuzz/answer": b"\x00\x02\x02" + json.dumps(ANSWER).encode(),
        "embedding_json_fuzz/complaint": b"\x00\x01\x01" + json.dumps(COMPLAINT).encode(),
        "tokenizer_fuzz/file": b"\x00\x06ab ab\n" + json.dumps(TOKENIZER).encode(),
        "safetensors_fuzz/file": b"\x00\x00" + safetensors(MATRIX, bytes(24)),
        "copy_text_fuzz/values": b"\x10\x02a\tb\\\n\x00\x00\x00\x02\x00",
    }
    made["stream_fuzz/messages"] = b"\x06" + b"".join(message(*each) for each in MESSAGES)
    made["stream_fuzz/impossible-length"] = b"\x40" + message("d", b"k") + b"d\xff\xff\xff\xff"
    # Budget, tables, kind of fault, damage, where: the rest goes through damaged spill files.
    made["assembler_fuzz/damaged"] = bytes([6, 0, 5, 2, 3, 0]) + choices("assembler_fuzz", 5)
    made["assembler_fuzz/cut-off"] = bytes([6, 0, 5, 2, 8, 0]) + choices("assembler_fuzz", 6)
    # A plain tokenizer, and what makes it one that must be refused.
    plain = bytes([1, 0, 255, 255, 0, 0, 1, 0, 0, 0, 0, 0])
    made |= {f"tokenizer_fuzz/refused-{number}": plain + bytes([1, number, number % 6])
             for number in range(TOKENIZER_FAULTS)}
    return made


def main() -> None:
    for path, content in seeds().items():
        file = HERE / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        print(f"{path}: {len(content)} bytes")


if __name__ == "__main__":
    main()
