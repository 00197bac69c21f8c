"""Real receivers of alerts for tests: an HTTP server that takes POSTs and an SMTP server, both on this machine.

Belongs here: taking messages as Slack, a webhook or a mail server does, and each way in which one does not.
Does not: what a message should say (the tests do).

    with receive_http() as slack, receive_mail(tls="starttls", login=("taxi", "secret")) as mail:
        slack.answer_next(500, times=2)
        ...
        assert slack.posts[0].body == {"text": "…"}
        assert mail.messages[0]["Subject"] == "…"
"""

from __future__ import annotations

import asyncio
import email
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["HttpReceiver", "MailReceiver", "Post", "receive_http", "receive_mail"]


class Post(NamedTuple):
    """A request with its JSON body."""

    path: str
    authorization: str | None
    body: Any


@dataclass
class HttpReceiver:
    """A running server that remembers every POST."""

    url: str
    posts: list[Post] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    """Paths that were asked for by GET: nobody should."""
    _answers: list[tuple[int, str, str | None]] = field(default_factory=list)
    _released: threading.Event = field(default_factory=threading.Event)

    def answer_next(self, status: int, body: str = "", *, times: int = 1, location: str | None = None) -> None:
        """The next requests get that answer instead of 200."""
        self._answers += [(status, body, location)] * times

    def be_silent(self, times: int = 1) -> None:
        """The next requests are taken and get no answer until the receiver ends."""
        self._answers += [(0, "", None)] * times


class _Handler(BaseHTTPRequestHandler):
    receiver: HttpReceiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.receiver.posts.append(Post(self.path, self.headers["Authorization"], body))
        status, text, location = self.receiver._answers.pop(0) if self.receiver._answers else (200, "ok", None)
        if status == 0:
            self.receiver._released.wait()
            return
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self) -> None:
        self.receiver.gets.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the base class names it so
        """Nothing: the requests are remembered."""


@contextmanager
def receive_http() -> Iterator[HttpReceiver]:
    """Take POSTs on a free port until the context ends."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Handler.receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver._released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailReceiver:
    """A running SMTP server that remembers every message."""

    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    """Per message, to whom it was addressed on the envelope."""
    were_encrypted: list[bool] = field(default_factory=list)
    """Per message, whether it came through TLS."""
    logins: list[str] = field(default_factory=list)
    """Users who gave the right password."""
    _refusals: list[str] = field(default_factory=list)

    def refuse_next(self, answer: str, *, times: int = 1) -> None:
        """The next messages are refused in those words, such as ``451 try later``."""
        self._refusals += [answer] * times

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        if self._refusals:
            return self._refusals.pop(0)
        message = email.message_from_bytes(cast("bytes", envelope.content), policy=modern)
        self.messages.append(message)
        self.receivers.append(list(envelope.rcpt_tos))
        transport = server.transport
        self.were_encrypted.append(transport is not None and transport.get_extra_info("sslcontext") is not None)
        return "250 taken"


@contextmanager
def receive_mail(
    *,
    tls: Literal["none", "starttls", "throughout"] = "none",
    context: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[MailReceiver]:
    """Take mail on a free port until the context ends; with TLS by the context given, and that login."""
    from aiosmtpd.smtp import SMTP, AuthResult

    receiver = MailReceiver(0)

    def authenticate(server: SMTP, session: Session, envelope: Envelope, way: str, data: object) -> AuthResult:
        given = cast("LoginPassword", data)
        is_right = login == (given.login.decode(), given.password.decode())
        receiver.logins += [given.login.decode()] if is_right else []
        return AuthResult(success=is_right, handled=False)

    options: dict[str, Any] = {"tls_context": context} if tls == "starttls" else {}
    if login is not None:
        # aiosmtpd takes note of TLS by STARTTLS only, not of a socket that has it from the start.
        options |= {"authenticator": authenticate, "auth_require_tls": tls == "starttls"}
    ready = threading.Event()
    ends: list[Callable[[], object]] = []

    async def run() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(
            lambda: SMTP(receiver, loop=loop, **options),
            host="127.0.0.1",
            port=0,
            ssl=context if tls == "throughout" else None,
        )
        receiver.port = server.sockets[0].getsockname()[1]
        ends.append(lambda: loop.call_soon_threadsafe(ended.set))
        ready.set()
        await ended.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(30), "the mail server did not start"
    try:
        yield receiver
    finally:
        ends[0]()
        thread.join()
