"""A TCP proxy in front of a PostgreSQL server that holds chosen requests back.

It understands just enough of the protocol to find the texts of Query and Parse
messages. A request that matches a hold waits, with all that follows on its
connection, until `release()`; so a test can act "after the snapshot and before
the read" without racing against anybody.
"""

import re
import socket
import struct
import threading
from dataclasses import dataclass, field

from harness.waiting import wait_until

_NEGOTIATIONS = {80877103, 80877104}  # SSLRequest, GSSENCRequest: answered by one byte
_REQUESTS_WITH_TEXT = (b"Q", b"P")


@dataclass
class _Hold:
    pattern: re.Pattern[str]
    let_pass: int
    is_dropped: bool = False
    is_over: threading.Event = field(default_factory=threading.Event)


class HoldingProxy:
    """Listens on a loopback port of its own and forwards to `server_port`."""

    def __init__(self, server_port: int):
        self._server_port = server_port
        self._lock = threading.Lock()
        self._holds: list[_Hold] = []
        self._held: list[str] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, pattern: str, let_pass: int = 0) -> None:
        """Holds requests that match from now on, but for the first `let_pass` of them."""
        with self._lock:
            self._holds.append(_Hold(re.compile(pattern, re.IGNORECASE), let_pass))

    def wait_held(self, count: int = 1) -> None:
        wait_until(lambda: len(self._held) >= count, f"{count} request(s) held by the proxy")

    def held(self) -> list[str]:
        with self._lock:
            return list(self._held)

    def release(self, *, is_dropped: bool = False) -> None:
        """Lets all go that was held, or breaks its connections, and lets go what comes."""
        with self._lock:
            holds, self._holds, self._held = self._holds, [], []
        for hold in holds:
            hold.is_dropped = is_dropped
            hold.is_over.set()

    def cut(self) -> None:
        """Breaks all connections."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            _close(one)

    def lead_to(self, server_port: int) -> None:
        """Breaks all connections; those to come lead to another server."""
        self._server_port = server_port
        self.cut()

    def close(self) -> None:
        self.release()
        _close(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _close(client)
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._pump_answers, args=(server, client), daemon=True).start()
            threading.Thread(target=self._pump_requests, args=(client, server), daemon=True).start()

    def _pump_answers(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while chunk := server.recv(1 << 16):
                client.sendall(chunk)
        except OSError:
            pass
        _close(client, server)

    def _pump_requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            self._forward_startup(client, server)
            while True:
                kind = _read(client, 1)
                length = _read(client, 4)
                body = _read(client, struct.unpack("!I", length)[0] - 4)
                if kind in _REQUESTS_WITH_TEXT:
                    self._wait_if_held(body.decode(errors="replace"))
                server.sendall(kind + length + body)
        except (OSError, EOFError):
            pass
        _close(client, server)

    def _forward_startup(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            length = _read(client, 4)
            body = _read(client, struct.unpack("!I", length)[0] - 4)
            server.sendall(length + body)
            if struct.unpack("!I", body[:4])[0] not in _NEGOTIATIONS:
                return

    def _wait_if_held(self, text: str) -> None:
        with self._lock:
            hold = next((one for one in self._holds if self._catches(one, text)), None)
            if hold:
                self._held.append(text)
        if hold:
            hold.is_over.wait()
            if hold.is_dropped:
                raise EOFError

    @staticmethod
    def _catches(hold: _Hold, text: str) -> bool:
        if not hold.pattern.search(text):
            return False
        if hold.let_pass > 0:
            hold.let_pass -= 1
            return False
        return True


def _read(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        chunk = source.recv(size - len(parts))
        if not chunk:
            raise EOFError
        parts += chunk
    return bytes(parts)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
