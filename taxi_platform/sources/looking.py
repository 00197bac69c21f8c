"""Looks at many months of a source at once, within a time limit.

Belongs here: asking in parallel, and keeping apart what upstream has, does not have and failed to answer. Does not:
what follows (``orchestration.automation.sensors``, ``orchestration.automation.schedules``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from taxi_platform.errors import TaxiError
from taxi_platform.months import TripMonth
from taxi_platform.sources.model import Source, Version

__all__ = ["Look", "look_at"]

_AT_ONCE = 16


@dataclass(frozen=True)
class Look:
    """Upstream's answers about some months."""

    published: Mapping[TripMonth, Version]
    unpublished: frozenset[TripMonth]
    """Upstream answered that it has no such month."""
    unknown: Mapping[TripMonth, str]
    """Months without a usable answer → the reason, in one sentence."""

    @property
    def reasons(self) -> str:
        """All different reasons in one text, for people."""
        return "; ".join(sorted(set(self.unknown.values())))


def look_at(source: Source, months: Sequence[TripMonth], seconds: float) -> Look:
    """Ask for the version of every month, `_AT_ONCE` at a time; what has no answer after ``seconds`` is unknown."""
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look")
    try:
        started = time.monotonic()
        futures = {month: pool.submit(source.stat, month) for month in months}
        wait(futures.values(), timeout=seconds)
        answers = {month: _answer(future, time.monotonic() - started) for month, future in futures.items()}
    finally:
        # A request that still runs ends by its own time-out; nothing waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
    return Look(
        published={month: answer for month, answer in answers.items() if isinstance(answer, Version)},
        unpublished=frozenset(month for month, answer in answers.items() if answer is None),
        unknown={month: answer for month, answer in answers.items() if isinstance(answer, str)},
    )


def _answer(future: Future[Version | None], seconds: float) -> Version | str | None:
    if not future.done():
        return f"no answer within {seconds:.0f} s"
    try:
        return future.result()
    except TaxiError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - any error in reading an answer means that there is none
        return f"{type(error).__name__}: {error}"
