"""Receivers of alerts, and certificates that this process trusts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import trustme

from taxi_platform.orchestration.alerts.channels import Patience
from taxi_platform.orchestration.alerts.message import Alert
from taxi_platform_tests.support.receivers import HttpReceiver, receive_http

AT_ONCE = Patience(attempts=3, first_wait=0, longest_wait=0, timeout=5)
SECRET_PATH = "/services/T0SECRET/B0SECRET/xoxsecretxox"
PASSWORD = "p@ss/word secret"


def an_alert(name: str = "failure.1", title: str = "green 2020-05 failed") -> Alert:
    return Alert(id=name, kind="failure", title=title, details=("green_raw 2020-05: the file is cut",), dataset="green")


def at(alert: Alert) -> float:
    """The moment at which the alert is due."""
    return alert.at.timestamp()


def now() -> float:
    return datetime.now(timezone.utc).timestamp()


@pytest.fixture
def slack() -> Iterator[HttpReceiver]:
    with receive_http() as receiver:
        yield receiver


@pytest.fixture
def webhook() -> Iterator[HttpReceiver]:
    with receive_http() as receiver:
        yield receiver


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS context for 127.0.0.1, by an authority that OpenSSL trusts in this test."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return context
