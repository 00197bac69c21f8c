"""How often and how long a request to upstream is retried.

Belongs here: the limits of retrying, for upstream. Does not: the retrying itself (``transience``), which failures are
worth it (the transport decides and raises `Interrupted`) and what is requested.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from taxi_platform.errors import TransientError, UpstreamUnavailableError
from taxi_platform.transience import DELIVERY

__all__ = ["Interrupted", "RetryPolicy"]

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Interrupted(Exception):  # noqa: N818 — never leaves the package: a reason to try again, not an error
    """One attempt failed, and the next may succeed."""

    def __init__(
        self, reason: str, *, pause: float | None = None, outcome: type[TransientError] = UpstreamUnavailableError
    ) -> None:
        super().__init__(reason)
        self.pause = pause
        """Seconds that upstream asked to wait (``Retry-After``)."""
        self.outcome = outcome
        """The type of error to raise if this was the last attempt."""


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with full jitter, bounded; all times in seconds."""

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    """The longest pause in the middle of an answer before the attempt counts as failed."""

    def run(self, url: str, attempt: Callable[[], _Result]) -> _Result:
        """Call ``attempt`` until it returns; `Interrupted` is retried, and every other error is raised at once.

        Args:
            url: what is requested, for log lines and the error's sentence.
            attempt: makes one attempt.

        Raises:
            TransientError: every attempt was interrupted; its type is the one that the last attempt named.
        """
        tried = 0

        def counted() -> _Result:
            nonlocal tried
            tried += 1
            return attempt()

        def tell(error: BaseException, seconds: float) -> None:
            _log.warning("%s: %s; trying again in %.1f s", url, error, seconds)

        policy = replace(DELIVERY, first_wait=self.first_wait, longest_wait=self.longest_wait, attempts=self.attempts)
        try:
            return policy.call(
                counted,
                worth=lambda error: isinstance(error, Interrupted),
                pause=lambda error: getattr(error, "pause", None) or 0.0,
                tell=tell,
            )
        except Interrupted as last:
            raise last.outcome(
                f"{url} could not be read in {tried} attempts, the last time because {last}: "
                "try again later, or let TAXI_SOURCE_URL name another copy"
            ) from last
