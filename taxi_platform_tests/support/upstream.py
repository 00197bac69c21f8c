"""A real upstream for tests: a threaded HTTP server over a folder that remembers requests and fails on demand.

Belongs here: serving files with versions and ranges as a good host does, and each way in which a bad one does not.
Does not: which files there are (a test lays out its own folder).

    with serve(folder) as upstream:
        upstream.fail("green/green_tripdata_2020-03.csv.gz", Fault.status(500), times=2)
        source = open_source("dtc", upstream.url)
        ...
        assert upstream.count("GET") == 3
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Fault", "Request", "Upstream", "serve"]

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Request(NamedTuple):
    """A request as it came; ``path`` has no slash at its start."""

    method: str
    path: str
    range: str | None = None


@dataclass(frozen=True)
class Fault:
    """One way to fail one request; made by the class methods."""

    code: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    """The connection ends after so many bytes of the body; negative counts from the end."""
    is_reset: bool = False
    announced: int = 0
    """Added to the Content-Length that is true."""
    silence: float = 0.0

    @classmethod
    def status(cls, code: int, **headers: str) -> Fault:
        """An error page of that status; header names with underscores, as in ``Retry_After="1"``."""
        return cls(code=code, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))

    @classmethod
    def reset(cls, after: int) -> Fault:
        """The connection is reset after so many bytes of the body (negative: so many before its end)."""
        return cls(cut=after, is_reset=True)

    @classmethod
    def short_body(cls, by: int) -> Fault:
        """The connection closes, in good order, so many bytes before the announced end."""
        return cls(cut=-by)

    @classmethod
    def announce(cls, more: int) -> Fault:
        """Content-Length says so many bytes more (negative: fewer) than the body that is sent."""
        return cls(announced=more)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """The first byte of the answer comes so late."""
        return cls(silence=seconds)


@dataclass
class Upstream:
    """A running server; its attributes may be changed between requests."""

    folder: Path
    url: str
    etags: Literal["strong", "weak", "none"] = "strong"
    has_ranges: bool = True
    has_last_modified: bool = True
    has_lengths: bool = True
    """False: bodies come chunked, and HEAD says no length."""
    closes_bodies: bool = False
    """True, with no lengths: a body ends where the connection does, as HTTP/1.0 servers have it."""
    allows_head: bool = True
    on_fault: Callable[[], object] = field(default=lambda: None)
    """Called while a fault is being met, before its connection ends: what else changes at that moment."""
    requests: list[Request] = field(default_factory=list)
    """Every request, in the order in which they came."""
    sent: int = 0
    """Bytes of all bodies of files so far."""
    _faults: list[tuple[str, str | None, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def fail(self, path: str, *faults: Fault, times: int = 1, method: str | None = None) -> None:
        """The next requests of that path (and method) meet these faults in turn, the row of them ``times`` over."""
        with self._lock:
            self._faults += [(path, method, fault) for _ in range(times) for fault in faults]

    def count(self, method: str, path: str | None = None) -> int:
        """How many requests of that method (and path) came so far."""
        with self._lock:
            return sum(r.method == method and path in (None, r.path) for r in self.requests)

    def _meet(self, request: Request) -> Fault:
        with self._lock:
            self.requests.append(request)
            for index, (path, method, fault) in enumerate(self._faults):
                if path == request.path and method in (None, request.method):
                    del self._faults[index]
                    return fault
        return Fault()


@contextmanager
def serve(folder: Path, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """Serve ``folder`` on a free port until the context ends, by https where there is a context for it."""

    class Handler(_Handler):
        upstream: Upstream

    server = _Server((host, 0), Handler)
    scheme = "http" if tls is None else "https"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    upstream = Handler.upstream = Upstream(folder, f"{scheme}://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream._stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of the server's business; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # the base class names socket types


class _Handler(BaseHTTPRequestHandler):
    upstream: Upstream
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the base class's name
        """Requests are remembered, not printed."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        fault = self.upstream._meet(Request(self.command, path, self.headers.get("Range")))
        if fault.silence:
            self.upstream._stopping.wait(fault.silence)
        file = self.upstream.folder / path
        refused = self.command == "HEAD" and not self.upstream.allows_head
        if code := fault.code or (405 if refused else 0) or (0 if file.is_file() else 404):
            self._send_page(code, fault)
        else:
            self._send_file(file, fault)

    def _send_page(self, code: int, fault: Fault) -> None:
        page = f"<html>status {code}</html>".encode()
        self.send_response(code)
        for name, value in (*fault.headers, ("Content-Length", str(len(page)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    def _send_file(self, file: Path, fault: Fault) -> None:
        content = file.read_bytes()
        strong = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        part = self._range(strong, len(content))
        body = content if part is None else content[part]
        if fault != Fault():
            # A body of another length than announced leaves a connection that nothing may follow on.
            self.close_connection = True
        self.send_response(200 if part is None else 206)
        if self.upstream.etags != "none":
            self.send_header("ETag", strong if self.upstream.etags == "strong" else f"W/{strong}")
        if self.upstream.has_last_modified:
            self.send_header("Last-Modified", formatdate(file.stat().st_mtime, usegmt=True))
        if part is not None:
            self.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{len(content)}")
        if self.upstream.has_lengths:
            self.send_header("Content-Length", str(len(body) + fault.announced))
        elif self.upstream.closes_bodies:
            self.close_connection = True
        elif self.command != "HEAD":
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(body, fault)

    def _range(self, etag: str, size: int) -> slice | None:
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not self.upstream.has_ranges or asked is None or self.headers.get("If-Range", etag) != etag:
            return None
        return slice(min(int(asked[1]), size - 1), min(int(asked[2]) + 1, size) if asked[2] else size)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        sent = body if fault.cut is None else body[: fault.cut]
        with self.upstream._lock:
            self.upstream.sent += len(sent)
        try:
            if self.upstream.has_lengths or self.upstream.closes_bodies:
                self.wfile.write(sent)
            else:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent) if sent else b"")
                self.wfile.write(b"0\r\n\r\n" if fault.cut is None else b"")
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True  # the client hung up after the headers
        if fault != Fault():
            self.upstream.on_fault()
        if fault.is_reset:
            # Closing with unsent linger sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
