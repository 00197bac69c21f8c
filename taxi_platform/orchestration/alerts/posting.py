"""Sends an alert as an HTTP POST of JSON, to Slack's incoming webhooks and any other.

Belongs here: one request and what its answer means. Does not: the payload (``message``), trying again (``channels``).
A webhook's address is a secret: neither errors nor logs may show more of it than the host.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from taxi_platform.orchestration.alerts.undelivered import NotDeliveredError
from taxi_platform.transience import Failure, of_http

__all__ = ["post_json"]

_CODE_WORD = re.compile(r"[a-z_]{3,40}")


def post_json(address: SecretStr, payload: Mapping[str, Any], timeout: float) -> None:
    """POST the payload. Only a 2xx answer counts as delivered; a redirect does not, because it would become a GET.

    Raises:
        NotDeliveredError: no answer, or another one.
    """
    import requests

    url = address.get_secret_value()
    host = urlsplit(url).hostname
    try:
        with _unlogged():
            answer = requests.post(url, json=payload, timeout=timeout, allow_redirects=False)
    except requests.Timeout:
        raise NotDeliveredError(f"{host} did not answer within {timeout:g} seconds", may_pass=True) from None
    except requests.exceptions.SSLError:
        raise NotDeliveredError(f"no trusted TLS connection to {host} can be made", may_pass=False) from None
    except requests.RequestException as error:
        raise NotDeliveredError(f"{host} cannot be reached ({type(error).__name__})", may_pass=True) from None
    if not 200 <= answer.status_code < 300:
        may_pass = of_http(answer.status_code) is Failure.TRANSIENT
        raise NotDeliveredError(f"{host} answered {answer.status_code}{_said(answer.text, url)}", may_pass=may_pass)


def _said(body: str, url: str) -> str:
    """Slack's reason, which is one word (``no_service``, ``channel_is_archived``); longer answers are not repeated."""
    word = body[:80].strip()
    return f" ({word})" if _CODE_WORD.fullmatch(word) and word not in url else ""


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep urllib3's log quiet while this thread posts: at level DEBUG it logs the path, which is secret."""
    here = threading.get_ident()
    logger = logging.getLogger("urllib3.connectionpool")

    def is_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger.addFilter(is_elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(is_elsewhere)
