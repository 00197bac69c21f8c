"""A server that gives every request an answer of the test's own making.

Belongs here: refusals and small replies. Does not: files as upstream serves them (``upstream``), and what only has to
arrive (``receivers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

__all__ = ["answering"]


@contextmanager
def answering(
    reply: Callable[[bytes], bytes], status: int = 200, content_type: str = "application/json"
) -> Iterator[str]:
    """The server's address; ``reply`` makes the body of an answer of that of its request."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = reply(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
