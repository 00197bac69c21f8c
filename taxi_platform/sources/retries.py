"""How often and how long a request to upstream is tried again.

Belongs here: the bounds of trying again and the loop that keeps them. Does not: which failures are worth another try
(the transport decides and raises `Interrupted`) and what is requested.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from taxi_platform.errors import TransientError, UpstreamUnavailableError

__all__ = ["Interrupted", "RetryPolicy"]

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Interrupted(Exception):  # noqa: N818 — never leaves the package: a reason to try again, not an error
    """One attempt failed in a way that the next may not."""

    def __init__(
        self, reason: str, *, pause: float | None = None, outcome: type[TransientError] = UpstreamUnavailableError
    ) -> None:
        super().__init__(reason)
        self.pause = pause
        """Seconds upstream asked to be left alone (``Retry-After``)."""
        self.outcome = outcome
        """What the failure amounts to when it was the last."""


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with full jitter, bounded; all times in seconds."""

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    """Longest silence of upstream in the middle of an answer."""

    def run(self, url: str, attempt: Callable[[], _Result]) -> _Result:
        """Call ``attempt`` until it returns; anything but `Interrupted` passes straight through.

        Raises:
            TransientError: every attempt was interrupted; of the type that the last one named.
        """
        from tenacity import (
            RetryCallState,
            RetryError,
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        back_off = wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait)

        def wait(state: RetryCallState) -> float:
            return min(self.longest_wait, max(back_off(state), _interruption(state.outcome).pause or 0.0))

        def tell(state: RetryCallState) -> None:
            _log.warning("%s: %s; trying again in %.1f s", url, _interruption(state.outcome), state.upcoming_sleep)

        loop = Retrying(
            stop=stop_after_attempt(self.attempts),
            retry=retry_if_exception_type(Interrupted),
            wait=wait,
            before_sleep=tell,
        )
        try:
            return loop(attempt)
        except RetryError as error:
            last = _interruption(error.last_attempt)
            raise last.outcome(
                f"{url} could not be read in {self.attempts} attempts, the last time because {last}: "
                "try again later, or let TAXI_SOURCE_URL name another copy"
            ) from last


def _interruption(attempt: Future[Any] | None) -> Interrupted:
    error = attempt.exception() if attempt else None
    assert isinstance(error, Interrupted)  # nothing else is tried again
    return error
