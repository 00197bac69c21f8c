"""What passes by itself and what does not; and that waiting is bounded once, however deep it is nested."""

from __future__ import annotations

import errno
import time
from dataclasses import replace

import pytest

from taxi_platform.errors import StoreBusyError, StoreError, TransientError
from taxi_platform.transience import (
    MONTH,
    PATIENT,
    Failure,
    Policy,
    of_exception,
    of_http,
    of_sqlstate,
    waiting_at_most,
)

QUICK = Policy(first_wait=0.01, longest_wait=0.01)
BUSY = StoreBusyError("held")


class Failing:
    """Raises the same error ever again."""

    def __init__(self, error: Exception, takes: float = 0.0) -> None:
        self.error = error
        self.takes = takes
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        time.sleep(self.takes)
        raise self.error


@pytest.mark.parametrize(
    ("status", "reasons", "text", "expected"),
    [
        (503, [], "", Failure.TRANSIENT),
        (429, [], "", Failure.TRANSIENT),
        (408, [], "", Failure.TRANSIENT),
        (501, [], "", Failure.PERMANENT),
        (403, [], "", Failure.PERMANENT),
        (403, ["rateLimitExceeded"], "", Failure.TRANSIENT),
        (400, ["jobRateLimitExceeded"], "", Failure.TRANSIENT),
        (400, ["RequestTimeout"], "", Failure.TRANSIENT),
        (400, ["invalidQuery"], "Could not serialize access to table t due to concurrent update", Failure.TRANSIENT),
        (400, ["invalidQuery"], "Syntax error", Failure.PERMANENT),
        (412, [], "", Failure.RACE),
        (412, ["LeaseIdMissing"], "", Failure.PERMANENT),
        (409, [], "", Failure.PERMANENT),
        (409, ["ConditionalRequestConflict"], "", Failure.RACE),
        (409, ["BlobAlreadyExists"], "", Failure.RACE),
        (409, ["BlobArchived"], "", Failure.PERMANENT),
        (409, ["OperationAborted"], "", Failure.TRANSIENT),
    ],
)
def test_a_services_own_reason_decides_before_its_status(
    status: int, reasons: list[str], text: str, expected: Failure
) -> None:
    assert of_http(status, reasons, text) is expected


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        *((state, Failure.TRANSIENT) for state in ("08000", "08006", "57P01", "57P03", "53300", "40001", "40P01")),
        *((state, Failure.PERMANENT) for state in ("28P01", "3D000", "42501", "53100", "22021", "", None)),
    ],
)
def test_sqlstates(sqlstate: str | None, expected: Failure) -> None:
    assert of_sqlstate(sqlstate) is expected


def test_exceptions_of_the_network_pass_and_others_do_not() -> None:
    import requests

    for error in (
        ConnectionResetError(),
        TimeoutError(),
        OSError(errno.EHOSTUNREACH, "no route"),
        requests.ConnectionError(),
        requests.ReadTimeout(),
        BUSY,
    ):
        assert of_exception(error) is Failure.TRANSIENT
    for refusal in (OSError(errno.ENOSPC, "full"), ValueError(), StoreError("refused"), requests.HTTPError()):
        assert of_exception(refusal) is Failure.PERMANENT


def test_what_may_pass_is_tried_until_the_time_is_up_and_what_does_not_once() -> None:
    passing, refused = Failing(BUSY), Failing(StoreError("refused"))
    with pytest.raises(StoreBusyError):
        QUICK.call(passing, wait_seconds=0.05)
    with pytest.raises(StoreError, match="refused"):
        QUICK.call(refused, wait_seconds=0.05)
    assert passing.calls > 2
    assert refused.calls == 1


def test_the_whole_wait_of_a_month_is_bounded_once() -> None:
    """Three attempts of a month, each of two requests that wait: one budget for all of them."""
    request = Failing(BUSY)
    months = 0

    def month() -> None:
        nonlocal months
        months += 1
        for _ in range(2):
            QUICK.call(request, wait_seconds=60)

    with waiting_at_most(60) as budget, pytest.raises(StoreBusyError):
        replace(MONTH, first_wait=0.01).call(month, wait_seconds=0.1)
    assert months == 1, "the first request has used up the time of all"
    assert 0.1 <= budget.spent < 60


def test_an_attempt_that_makes_progress_is_no_wait() -> None:
    """What counts is the time since the last progress: a long upload that fails at its end has waited for nothing."""
    moved = 0.0

    def upload() -> None:
        nonlocal moved
        time.sleep(0.2)
        moved = time.monotonic()
        raise BUSY

    with waiting_at_most(60) as budget, pytest.raises(StoreBusyError):
        replace(QUICK, attempts=2).call(upload, since=lambda: moved)
    assert budget.spent < 0.2


def test_an_attempt_that_hangs_is_a_wait() -> None:
    hanging = Failing(BUSY, takes=0.05)
    with pytest.raises(TransientError):
        QUICK.call(hanging, wait_seconds=0.04)
    assert hanging.calls == 1


def test_a_wait_that_the_service_asks_for_is_kept_within_the_longest() -> None:
    slept: list[float] = []
    with pytest.raises(StoreBusyError):
        Policy(0, 0.5, attempts=3).call(Failing(BUSY), pause=lambda _: 7.0, sleep=slept.append)
    assert slept == [0.5, 0.5]


def test_patience_is_a_request_of_seconds_at_most_thirty_apart() -> None:
    slept: list[float] = []
    with pytest.raises(StoreBusyError):
        PATIENT.call(Failing(BUSY), wait_seconds=600, sleep=slept.append)
    assert max(slept) <= 30
    assert 599 < sum(slept) <= 601
