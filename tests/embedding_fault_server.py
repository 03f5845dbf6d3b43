"""An embedding server that misbehaves as the path of the request says. Good vectors have four
components, of which the first is the number at the end of the text."""

import email.utils
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FaultServer(ThreadingHTTPServer):
    """Counts requests by path and keeps the headers of each."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, path: str, headers: dict[str, str]) -> int:
        with self.lock:
            self.requests.append((path, headers))
            self.counts[path] = self.counts.get(path, 0) + 1
            return self.counts[path]

    def handle_error(self, request, client_address) -> None:
        """Clients that go away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def log_message(self, *args) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        texts = json.loads(body)["input"]
        count = self.server.count(self.path, dict(self.headers))
        name, *rest = self.path.strip("/").split("/")
        getattr(self, "fault_" + name.replace("-", "_"))(texts, count, *rest)

    # Answers

    def answer(self, status: int, body: object, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def items(self, texts: list[str], width: int = 4) -> list[dict]:
        return [
            {"index": at, "embedding": [float("".join(filter(str.isdigit, text)) or 0)] + [0.5] * (width - 1)}
            for at, text in enumerate(texts)
        ]

    def good(self, texts: list[str]) -> None:
        self.answer(200, {"object": "list", "data": self.items(texts)})

    def refuse(self, status: int, **headers: str) -> None:
        key = self.headers.get("Authorization", "")
        error = {"message": f"refused, your key was {key}", "code": "some_code"}
        self.answer(status, {"error": error}, **headers)

    def fail(self, how: str) -> None:
        if how == "cut":
            self.close_connection = True
            self.connection.close()
        elif how == "truncated":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"data": [')
            self.close_connection = True
        else:
            self.refuse(int(how))

    # Faults, by the first part of the path

    def fault_good(self, texts, count) -> None:
        self.good(texts)

    def fault_first_fail(self, texts, count, how, times) -> None:
        if count <= int(times):
            self.fail(how)
        else:
            self.good(texts)

    def fault_always(self, texts, count, how) -> None:
        self.fail(how)

    def fault_shuffled_and_slow(self, texts, count) -> None:
        time.sleep(random.random() * 0.05)
        data = self.items(texts)
        random.shuffle(data)
        self.answer(200, {"data": data})

    def fault_retry_after(self, texts, count, what) -> None:
        date = email.utils.formatdate(time.time() + 2, usegmt=True)
        value = {"seconds": "1", "date": date, "minute": "60", "hour": "3600"}[what]
        if count == 1 or what in ("minute", "hour"):
            self.refuse(429, Retry_After=value)
        else:
            self.good(texts)

    def fault_hang(self, texts, count) -> None:
        self.server.stopping.wait(30)

    def fault_redirect(self, texts, count) -> None:
        self.answer(307, {}, Location=self.server.url + "/good")

    def fault_dimension(self, texts, count, width) -> None:
        self.answer(200, {"data": self.items(texts, int(width))})

    def fault_nan(self, texts, count) -> None:
        self.replaced(texts, b"NaN")

    def fault_infinity(self, texts, count) -> None:
        self.replaced(texts, b"-Infinity")

    def fault_null(self, texts, count) -> None:
        self.replaced(texts, b"null")

    def replaced(self, texts, token: bytes) -> None:
        self.answer(200, json.dumps({"data": self.items(texts)}).encode().replace(b"0.5", token, 1))

    def fault_too_few(self, texts, count) -> None:
        self.answer(200, {"data": self.items(texts[:-1])})

    def fault_too_many(self, texts, count) -> None:
        self.answer(200, {"data": self.items([*texts, "one more"])})

    def fault_html(self, texts, count) -> None:
        self.answer(200, b"<html>welcome</html>")

    def fault_huge(self, texts, count) -> None:
        self.answer(200, b" " * (8 << 20))

    def fault_refuses_long(self, texts, count) -> None:
        if any(len(text) > 1000 for text in texts):
            self.refuse(400)
        else:
            self.good(texts)
