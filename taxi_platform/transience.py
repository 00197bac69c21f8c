"""What passes by itself and what does not, and how long somebody waits for it: one table, one set of policies.

Belongs here: which evidence of a failure (HTTP status, a service's own reason, SQLSTATE, type of exception) means what,
and the named ways of trying again. Does not: sentences (``errors`` and each store write them) and requests.

Two things are decided apart. *What a failure is* is looked up (`of_http`, `of_sqlstate`, `of_exception`): a service's
own reason decides before its status does, because statuses are shared by failures of every kind. *How long to try* is a
`Policy`; a `Budget` counts what all the waiting of one piece of work adds up to, so that ``TAXI_WAIT_SECONDS`` bounds
the whole wait of a month, not each of its requests.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from taxi_platform.errors import TransientError

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = [
    "DELIVERY",
    "MONTH",
    "PATIENT",
    "POLLING",
    "RACE",
    "Failure",
    "Policy",
    "is_distrust",
    "of_exception",
    "of_http",
    "of_sqlstate",
    "waiting_at_most",
]

T = TypeVar("T")


class Failure(Enum):
    """What a failure means for the next attempt."""

    TRANSIENT = "the same request may succeed later"
    RACE = "somebody else changed the same thing: look again, then decide"
    PERMANENT = "nothing changes until somebody acts"


# ---- the table

_TRANSIENT_STATUSES = frozenset({408, 425, 429}) | frozenset(range(500, 600)) - {501, 505, 507, 511}
"""RFC 9110 and RFC 6585; 501, 505 and 511 say that the server, or the network, never will, 507 that it is full."""

_REASONS: dict[str, Failure] = {
    **dict.fromkeys(
        (
            # Amazon S3, Cloud Storage's XML API (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)
            "InternalError",
            "OperationAborted",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
            "ThrottlingException",
            "TooManyRequests",
            "Throttling",
            "NoSuchUpload",  # somebody tidied the parts of an upload away: it begins again
            # Azure Blob Storage (learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes)
            "OperationTimedOut",
            "ServerBusy",
            "InvalidBlockList",  # blocks of an upload were tidied away
            # BigQuery and Cloud Storage's JSON API (cloud.google.com/bigquery/docs/error-messages)
            "backendError",
            "internalError",
            "jobBackendError",
            "jobInternalError",
            "jobRateLimitExceeded",
            "rateLimitExceeded",
            "tableUnavailable",
            "userRateLimitExceeded",
        ),
        Failure.TRANSIENT,
    ),
    **dict.fromkeys(
        (
            "BlobAlreadyExists",
            "ConditionNotMet",
            "ConditionalRequestConflict",
            "PreconditionFailed",
            "TargetConditionNotMet",
            "conditionNotMet",
        ),
        Failure.RACE,
    ),
}
_REASON_TEXTS: dict[str, Failure] = {
    # BigQuery calls it an invalid query (cloud.google.com/bigquery/docs/transactions#transaction_concurrency).
    "Could not serialize access": Failure.TRANSIENT,
    "due to concurrent update": Failure.TRANSIENT,
}

_TRANSIENT_SQLSTATES = re.compile(r"08...|57P0[1-5]|53300|40001|40P01|55P03")
"""Connections, shutdown and start, no connection left, serialization, deadlock, lock not available
(postgresql.org/docs/current/errcodes-appendix.html)."""

_TRANSIENT_ERRNOS = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EPIPE,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        socket.EAI_AGAIN,
    }
)
_TRANSIENT_TYPES = frozenset(
    {
        # By name, so that no library is imported to know its exceptions.
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
        "requests.exceptions.ChunkedEncodingError",
        "urllib3.exceptions.ProtocolError",
        "urllib3.exceptions.TimeoutError",
        "google.auth.exceptions.TransportError",
        "google.resumable_media.common.DataCorruption",
    }
)


def of_http(status: int | None, reasons: Iterable[str] = (), text: str = "") -> Failure:
    """What an HTTP answer means.

    Args:
        status: of the answer; None where only a reason is known.
        reasons: the service's own codes for it (``<Code>`` of S3, Azure and Cloud Storage, ``reason`` in JSON).
        text: the service's message, where no code tells two failures apart.
    """
    for reason in reasons:
        if reason in _REASONS:
            return _REASONS[reason]
    for part, failure in _REASON_TEXTS.items():
        if part in text:
            return failure
    if status in _TRANSIENT_STATUSES:
        return Failure.TRANSIENT
    if status == 412 and not any(reasons):
        return Failure.RACE
    return Failure.PERMANENT


def of_sqlstate(sqlstate: str | None) -> Failure:
    """What PostgreSQL's answer means; without an SQLSTATE nothing is known, and nothing assumed."""
    return Failure.TRANSIENT if _TRANSIENT_SQLSTATES.fullmatch(sqlstate or "") else Failure.PERMANENT


def of_exception(error: BaseException) -> Failure:
    """What an exception of the network, of the operating system or of our own means."""
    if is_distrust(error):
        return Failure.PERMANENT
    if isinstance(error, TransientError | ConnectionError | TimeoutError):
        return Failure.TRANSIENT
    if isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNOS:
        return Failure.TRANSIENT
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return Failure.TRANSIENT if names & _TRANSIENT_TYPES else Failure.PERMANENT


def is_distrust(error: BaseException) -> bool:
    """Whether a server's certificate is not trusted, which clients report as a connection that failed."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


# ---- how long


class Budget:
    """Seconds that may be spent on waiting, and those that were."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spent = 0.0

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.spent)


_BUDGET: ContextVar[Budget | None] = ContextVar("taxi_platform_budget", default=None)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[Budget]:
    """Let everything that is tried again inside, in this thread, share one budget; an outer one that has less holds."""
    outer = _BUDGET.get()
    budget = Budget(seconds if outer is None else min(seconds, outer.left))
    token = _BUDGET.set(budget)
    try:
        yield budget
    finally:
        _BUDGET.reset(token)
        if outer is not None:
            outer.spent += budget.spent


@dataclass(frozen=True)
class Policy:
    """Exponential back-off with full jitter; all times in seconds."""

    first_wait: float
    longest_wait: float
    attempts: int | None = None
    """None: as many as the budget allows."""
    charges_attempts: bool = True
    """Whether a failed attempt is waiting (a request) rather than work (a month) for the budget."""

    def call(
        self,
        attempt: Callable[[], T],
        *,
        wait_seconds: float = 600.0,
        worth: Callable[[BaseException], bool] = lambda error: of_exception(error) is Failure.TRANSIENT,
        pause: Callable[[BaseException], float] = lambda _: 0.0,
        tell: Callable[[BaseException, float], None] = lambda _, __: None,
        since: Callable[[], float] = lambda: 0.0,
        sleep: Callable[[float], None] | None = None,
    ) -> T:
        """Call ``attempt`` until it returns, or fails in a way that is not worth another, or the time is up.

        Args:
            attempt: what to do.
            wait_seconds: the most that this waits; less where a budget of the whole work (`waiting_at_most`) has less.
            worth: whether a failure is worth another attempt.
            pause: seconds that a failure itself asks for (``Retry-After``); at most the longest wait is given.
            tell: told of every failure that is followed by another attempt, and of the seconds until then.
            since: `time.monotonic` of the last progress inside an attempt; time before it was not spent on waiting.
            sleep: how to wait.

        Raises:
            BaseException: what the last attempt raised.
        """
        from tenacity import Retrying, retry_if_exception, wait_random_exponential

        with waiting_at_most(wait_seconds) as budget:
            back_off = wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait)

            def measured() -> T:
                begun = time.monotonic()
                already = budget.spent
                try:
                    return attempt()
                except BaseException:
                    if self.charges_attempts:
                        took = time.monotonic() - max(begun, since())
                        budget.spent = max(budget.spent, already + took)
                    raise

            def wait(state: RetryCallState) -> float:
                asked = min(self.longest_wait, max(back_off(state), pause(_error(state))))
                return min(asked, budget.left)

            def stop(state: RetryCallState) -> bool:
                return budget.left <= 0 or (self.attempts is not None and state.attempt_number >= self.attempts)

            def before_sleep(state: RetryCallState) -> None:
                tell(_error(state), state.upcoming_sleep)

            def slept(seconds: float) -> None:
                (sleep or time.sleep)(seconds)
                budget.spent += seconds

            return Retrying(
                stop=stop,
                retry=retry_if_exception(worth),
                wait=wait,
                sleep=slept,
                before_sleep=before_sleep,
                reraise=True,
            )(measured)


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None  # nothing else is tried again
    return error


PATIENT = Policy(first_wait=0.5, longest_wait=30.0)
"""A request of a store: a service that is down for minutes is waited for."""
RACE = Policy(first_wait=0.05, longest_wait=2.0, attempts=30)
"""Writers of one thing at once: they only have to fall out of step."""
POLLING = Policy(first_wait=0.01, longest_wait=0.25)
"""Something of this machine that is held by another process, asked for again and again."""
MONTH = Policy(first_wait=2.0, longest_wait=60.0, attempts=3, charges_attempts=False)
"""A month as a whole: what its requests could not wait out, or what has to begin again."""
DELIVERY = Policy(first_wait=1.0, longest_wait=30.0, attempts=5, charges_attempts=False)
"""A file from upstream, or a message to somebody: a handful of attempts, however long each of them takes."""
