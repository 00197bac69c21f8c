"""An HTTP proxy between the product and an emulator that spoils chosen requests: one of a kind, the n-th or all.

Belongs here: telling apart the requests of the three clouds' object stores and of BigQuery, and what can go wrong with
one on its way. Does not: the servers behind it (``emulators``) and answers made up as a whole (``answering``).
"""

from __future__ import annotations

import http.client
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "Answer",
    "Cut",
    "Fault",
    "Faults",
    "Lost",
    "Reset",
    "Shortened",
    "Silence",
    "Stripped",
    "Trickled",
    "kind_of",
    "spoiling",
]


@dataclass(frozen=True)
class Answer:
    """The proxy answers in place of the server, which never sees the request."""

    status: int
    body: bytes = b""
    content_type: str = "application/xml"


@dataclass(frozen=True)
class Reset:
    """The connection is reset before the request reaches the server."""


@dataclass(frozen=True)
class Lost:
    """The server does what is asked, and the connection is reset before its answer arrives."""


@dataclass(frozen=True)
class Cut:
    """Half of the answer's body arrives, then the connection is reset."""


@dataclass(frozen=True)
class Shortened:
    """Half of the answer's body arrives, and the headers say that this was all."""


@dataclass(frozen=True)
class Silence:
    """Nothing is answered for as long as the client waits."""


@dataclass(frozen=True)
class Stripped:
    """The request goes on without the headers that put it on condition, as stores do that ignore them."""


@dataclass(frozen=True)
class Trickled:
    """The answer's body arrives in eight pieces, with pauses between them."""

    pause: float


Fault = Answer | Reset | Lost | Cut | Shortened | Silence | Stripped | Trickled

_HOP_BY_HOP = ("transfer-encoding", "connection", "server")
_CONDITIONS = ("if-match", "if-none-match", "x-goog-if-generation-match")
_COPIED = ("x-amz-copy-source", "x-goog-copy-source", "x-ms-copy-source")


def kind_of(method: str, path: str, headers: Any) -> str:
    """What a request asks of an object store: ``list``, ``look``, ``read``, ``copy``, ``condition``, ``part`` …"""
    query = urlsplit(path).query
    conditional = any(name in headers for name in _CONDITIONS)
    rules: tuple[tuple[bool, str], ...] = (
        (method == "HEAD", "look"),
        (method == "GET" and ("list-type" in query or "comp=list" in query), "list"),
        (method == "GET", "read"),
        (any(name in headers for name in _COPIED), "copy"),
        (method == "DELETE" or query in ("delete", "delete=") or "comp=batch" in query, "delete"),
        (method == "PUT" and ("partNumber" in query or "comp=block&" in f"{query}&"), "part"),
        (method == "POST" and "uploads" in query, "begin"),
        ("uploadId" in query or "comp=blocklist" in query, "complete"),
        (method == "PUT" and conditional, "condition"),
        (method == "PUT", "write"),
    )
    return next((kind for holds, kind in rules if holds), method)


@dataclass
class _Rule:
    applies: Callable[[str, str], bool]
    fault: Fault
    after: int
    times: int
    until: float


@dataclass
class Faults:
    """What goes wrong, and what was asked."""

    url: str = ""
    """Of the proxy."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Kind and path of every request, in order."""
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def spoil(
        self,
        kind: str,
        fault: Fault,
        *,
        after: int = 0,
        times: int = 1,
        seconds: float = math.inf,
        path: str = "",
    ) -> None:
        """Spoil ``times`` requests of that kind (``*`` for every kind) whose address has ``path`` in it."""
        until = time.monotonic() + seconds
        self._rules.append(_Rule(lambda k, p: kind in ("*", k) and path in p, fault, after, times, until))

    def forget(self) -> None:
        """Let everything pass again, and forget what was asked."""
        self._rules.clear()
        self.seen.clear()

    def kinds(self) -> list[str]:
        """Of the requests seen, each once, in the order of the first."""
        return list(dict.fromkeys(kind for kind, _ in self.seen))

    def next_for(self, kind: str, path: str) -> Fault | None:
        with self._lock:
            self.seen.append((kind, path))
            for rule in self._rules:
                if not rule.applies(kind, path):
                    continue
                if rule.after:
                    rule.after -= 1
                elif rule.times and time.monotonic() < rule.until:
                    rule.times -= 1
                    return rule.fault
        return None

    def wait_for_the_end(self) -> None:
        self._ended.wait(120)


@contextmanager
def spoiling(server: str) -> Iterator[Faults]:
    """A proxy in front of ``server``, both by their base URLs, until the context ends."""
    behind = urlsplit(server)
    faults = Faults()

    class Handler(_Handler):
        upstream = (behind.hostname or "", behind.port or 80)
        plan = faults

    with _Server(("127.0.0.1", 0), Handler) as proxy:
        faults.url = f"http://127.0.0.1:{proxy.server_port}{behind.path}"
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield faults
        finally:
            faults._ended.set()
            proxy.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    upstream: tuple[str, int]
    plan: Faults
    protocol_version = "HTTP/1.1"

    def carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.plan.next_for(kind_of(self.command, self.path, self.headers), self.path)
        if isinstance(fault, Silence):
            self.plan.wait_for_the_end()
        if isinstance(fault, Reset | Silence):
            self.reset()
        elif isinstance(fault, Answer):
            self.give(fault.status, {"Content-Type": fault.content_type}, fault.body)
        else:
            self.pass_on(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = carry  # noqa: N815 (http.server's names)

    def pass_on(self, body: bytes, fault: Fault | None) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        if isinstance(fault, Stripped):
            headers = {name: value for name, value in headers.items() if name.lower() not in _CONDITIONS}
        connection = http.client.HTTPConnection(*self.upstream, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if isinstance(fault, Lost):
            self.reset()
            return
        told = {
            name: value for name, value in answer.getheaders() if name.lower() not in (*_HOP_BY_HOP, "content-length")
        }
        told["Content-Length"] = answer.getheader("Content-Length", str(len(content)))
        if isinstance(fault, Shortened):
            told["Content-Length"] = str(len(content) // 2)
            content = content[: len(content) // 2]
        pause = fault.pause if isinstance(fault, Trickled) else 0.0
        self.give(answer.status, told, content, half=isinstance(fault, Cut), pause=pause)

    def give(
        self, status: int, headers: dict[str, str], content: bytes, *, half: bool = False, pause: float = 0.0
    ) -> None:
        self.send_response(status)
        if "content-length" not in {name.lower() for name in headers}:
            headers["Content-Length"] = str(len(content))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        content = content[: len(content) // 2] if half else content
        pieces = 8 if pause else 1
        for number in range(pieces):
            self.wfile.write(content[len(content) * number // pieces : len(content) * (number + 1) // pieces])
            time.sleep(pause)
        if half:
            self.wfile.flush()
            self.reset()

    def reset(self) -> None:
        """Close so that the other side sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        pass
