"""Which failures are worth a retry, and how long to retry: one table and one set of policies for the whole platform.

Belongs here: what the evidence of a failure means (HTTP status, a service's own reason, SQLSTATE, exception type), and
the named retry policies. Does not: error sentences (``errors`` and each store have them) and requests.

Two questions are kept apart. *What a failure is*: `of_http`, `of_sqlstate` and `of_exception` look it up. A service's
own reason comes before its status, because failures of many kinds share a status. *How long to retry*: a `Policy` says
it for one request. A `Budget` adds up the waiting of one piece of work, so that ``TAXI_WAIT_SECONDS`` limits the whole
wait of a month and not each of its requests.
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
"""By RFC 9110 and RFC 6585. A 501, 505 or 511 never changes by itself, and a 507 means that the server is full."""

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
            "NoSuchUpload",  # the upload's parts were cleaned up: it starts again
            # Azure Blob Storage (learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes)
            "OperationTimedOut",
            "ServerBusy",
            "InvalidBlockList",  # the upload's blocks were cleaned up: it starts again
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
    # BigQuery reports it as an invalid query (cloud.google.com/bigquery/docs/transactions#transaction_concurrency).
    "Could not serialize access": Failure.TRANSIENT,
    "due to concurrent update": Failure.TRANSIENT,
}

_TRANSIENT_SQLSTATES = re.compile(r"08...|57P0[1-5]|53300|40001|40P01|55P03")
"""Connection failures, shutdown and start, too many connections, serialization failures, deadlocks, locks not available
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
        # Types are named, so that no library has to be imported.
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
    """What an HTTP answer means for the next attempt.

    Args:
        status: the answer's status; None if only a reason is known.
        reasons: the service's own codes for it (``<Code>`` of S3, Azure and Cloud Storage, ``reason`` in JSON).
        text: the service's message, for failures that no code tells apart.
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
    """What PostgreSQL's SQLSTATE means for the next attempt; without one the failure counts as permanent."""
    return Failure.TRANSIENT if _TRANSIENT_SQLSTATES.fullmatch(sqlstate or "") else Failure.PERMANENT


def of_exception(error: BaseException) -> Failure:
    """What an exception of the network, the operating system or this platform means for the next attempt."""
    if is_distrust(error):
        return Failure.PERMANENT
    if isinstance(error, TransientError | ConnectionError | TimeoutError):
        return Failure.TRANSIENT
    if isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNOS:
        return Failure.TRANSIENT
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return Failure.TRANSIENT if names & _TRANSIENT_TYPES else Failure.PERMANENT


def is_distrust(error: BaseException) -> bool:
    """Whether the cause is an untrusted certificate, which HTTP clients report as a failed connection."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


# ---- how long


class Budget:
    """A number of seconds to spend on waiting, and the seconds already spent."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spent = 0.0

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.spent)


_BUDGET: ContextVar[Budget | None] = ContextVar("taxi_platform_budget", default=None)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[Budget]:
    """Let all retries inside the context, in this thread, share one budget; an outer budget with less left wins."""
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
    """Exponential back-off with full jitter; all times are in seconds."""

    first_wait: float
    longest_wait: float
    attempts: int | None = None
    """The most attempts; None means as many as the budget allows."""
    charges_attempts: bool = True
    """Whether time inside a failed attempt counts as waiting. It does for a request, and not for a month of work."""

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
        """Call ``attempt`` until it returns, fails in a way that is not worth a retry, or the time is over.

        Args:
            attempt: what to do.
            wait_seconds: the longest wait; less if the budget of the work (`waiting_at_most`) has less left.
            worth: whether a failure is worth a retry.
            pause: seconds that a failure asks to wait (``Retry-After``); at most the policy's longest wait is given.
            tell: called before each retry with the failure and the seconds until the retry.
            since: `time.monotonic` of the last progress inside an attempt; time before it does not count as waiting.
            sleep: waits for a number of seconds.

        Raises:
            BaseException: the error of the last attempt.
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
    assert error is not None  # only a failed attempt is retried
    return error


PATIENT = Policy(first_wait=0.5, longest_wait=30.0)
"""For a request of a store: waits for a service that is down for minutes."""
RACE = Policy(first_wait=0.05, longest_wait=2.0, attempts=30)
"""For several writers of one thing: they only need to get out of step."""
POLLING = Policy(first_wait=0.01, longest_wait=0.25)
"""For something on this machine that another process holds."""
MONTH = Policy(first_wait=2.0, longest_wait=60.0, attempts=3, charges_attempts=False)
"""For a month as a whole: failures that outlasted its requests, or work that has to start again."""
DELIVERY = Policy(first_wait=1.0, longest_wait=30.0, attempts=5, charges_attempts=False)
"""For a file from upstream or a message to people: few attempts, however long each takes."""
