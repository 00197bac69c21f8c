"""Stores the months of a run one by one, so that a bad month fails alone.

Belongs here: the order of work over months, and what Dagster records of it. Does not: any store.

If all months are good, Dagster records one event per month with its metadata. If one is bad, this module records the
good ones by events of its own and the step fails. So "re-execute from failure" runs the missing months, because a bad
month is never recorded as materialized. After an interrupt, too, the stored months are recorded.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import dagster as dg

from taxi_platform.errors import TaxiError, TransientError
from taxi_platform.machine.memory import thrifty_pool
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.interrupts import interruptible
from taxi_platform.orchestration.io_managers.failures import ExpectedFailureError
from taxi_platform.orchestration.leases import check_not_lost
from taxi_platform.transience import MONTH

__all__ = ["ATTEMPTS", "Metadata", "Outcome", "record", "recorded", "store_each", "trying_again"]

T = TypeVar("T")

Metadata = Mapping[str, Any]
Beside = Callable[[TripMonth, Metadata], dg.AssetMaterialization]
"""Of a month and its metadata, the event of another asset that was stored with it."""
_LOG = logging.getLogger(__name__)

ATTEMPTS = MONTH.attempts or 1
"""How often a month is tried if it fails with a `TransientError`."""
_HEARING_SECONDS = 0.2
_GRACE = 1.5
"""Seconds that running months have after an interrupt to end, and to be recorded as well."""


@dataclass
class Outcome:
    """The result of each month."""

    stored: dict[TripMonth, Metadata] = field(default_factory=dict)
    failed: dict[TripMonth, BaseException] = field(default_factory=dict)
    at_interrupt: Callable[[], None] = field(default=lambda: None)
    """Called at an interrupt, before the running months have ended, so that what is stored by then is recorded."""

    @property
    def total(self) -> int:
        """The number of months tried."""
        return len(self.stored) + len(self.failed)


def store_each(
    months: Sequence[TripMonth],
    store: Callable[[TripMonth], Metadata],
    at_once: int,
    attempts: int = ATTEMPTS,
    wait_seconds: float = 600.0,
    outcome: Outcome | None = None,
) -> Outcome:
    """Call ``store`` for every month, ``at_once`` of them in parallel; an error of one month is kept, not raised.

    A `TransientError` is retried after a wait; other errors would only come again. All the waiting of one month, for
    whatever store, takes at most ``wait_seconds``.

    After an interrupt (Ctrl-C, a cancelled run) no further month starts; running months are finished or rolled back as
    a whole. Their results until then are in ``outcome``, if one is given.
    """
    thrifty_pool()
    outcome = Outcome() if outcome is None else outcome
    stopping = threading.Event()

    def one(month: TripMonth) -> Metadata | None:
        if stopping.is_set():
            return None
        check_not_lost()
        started = time.perf_counter()
        stored = trying_again(month, lambda: store(month), attempts, wait_seconds, stopping)
        return {**stored, "seconds": round(time.perf_counter() - started, 3)}

    if len(months) == 1:
        # Work in this thread, so that an interrupt ends the work and not only the wait for it.
        with interruptible():
            _settle(outcome, months[0], lambda: one(months[0]))
        return outcome
    with ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="month") as pool:
        # In a copy of this context, so that what a month logs is logged by its own step.
        futures = {pool.submit(copy_context().run, one, month): month for month in months}
        try:
            with interruptible():
                for future in _as_ended(futures):
                    _settle(outcome, futures[future], future.result)
                    _LOG.debug("%d of %d months done", outcome.total, len(months))
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait(futures, timeout=_GRACE)
            _settle_ended(outcome, futures)
            outcome.at_interrupt()
            pool.shutdown()
            _settle_ended(outcome, futures)
            raise
    return outcome


def _as_ended(futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
    """Futures as they end. Waits in short pieces, because an interrupt reaches a thread only between two of them."""
    waiting = set(futures)
    while waiting:
        ended, waiting = wait(waiting, _HEARING_SECONDS, FIRST_COMPLETED)
        yield from ended


def _sleep(seconds: float, until: threading.Event) -> None:
    """Sleep in short pieces, likewise."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not until.wait(min(left, _HEARING_SECONDS)):
        pass


def _settle_ended(outcome: Outcome, futures: Mapping[Future[Metadata | None], TripMonth]) -> None:
    for future, month in futures.items():
        if future.done() and not future.cancelled() and month not in outcome.stored:
            _settle(outcome, month, future.result)


def trying_again(
    what: object,
    work: Callable[[], T],
    attempts: int = ATTEMPTS,
    wait_seconds: float = 600.0,
    stopping: threading.Event | None = None,
) -> T:
    """Call ``work`` until it raises no `TransientError`; returns its result.

    Waits grow and are random, so that workers do not all come back at the same time; ``stopping`` ends them.
    """
    stopping = threading.Event() if stopping is None else stopping
    failures: list[BaseException] = []

    def attempt() -> T:
        if failures and stopping.is_set():  # the interrupt came between two attempts
            raise failures[-1]
        return work()

    def tell(error: BaseException, seconds: float) -> None:
        failures.append(error)
        _LOG.warning("%s: %s; trying again in %.1f s", what, describe(error), seconds)

    return replace(MONTH, attempts=attempts).call(
        attempt,
        wait_seconds=wait_seconds,
        worth=lambda error: isinstance(error, TransientError) and not stopping.is_set(),
        tell=tell,
        sleep=lambda seconds: _sleep(seconds, stopping),
    )


def _settle(outcome: Outcome, month: TripMonth, result: Callable[[], Metadata | None]) -> None:
    try:
        metadata = result()
    except Exception as error:  # noqa: BLE001 - no error of one month may end the others
        outcome.failed[month] = error
        _LOG.error("%s failed: %s", month, describe(error), exc_info=not isinstance(error, TaxiError))
    else:
        if metadata is not None:
            outcome.stored[month] = metadata


@contextlib.contextmanager
def recorded(context: dg.OutputContext, beside: Beside | None = None) -> Iterator[Outcome]:
    """An outcome for the caller to fill; at the end, Dagster records its good months with their metadata.

    With ``beside``, the event that it gives of each good month is recorded too.

    Raises `dagster.Failure`, which names the bad months, if there are any. If an error or an interrupt ends the
    context, what was stored until then is recorded too.
    """
    told: set[TripMonth] = set()

    def tell() -> None:
        for month, metadata in sorted(outcome.stored.items()):
            if month not in told:
                told.add(month)
                _log_materialization(context, month, metadata)
                _log_beside(context, beside, month, metadata)

    outcome = Outcome(at_interrupt=tell)
    try:
        yield outcome
    except BaseException:
        tell()
        raise
    record(context, outcome, beside)


def _log_beside(context: dg.OutputContext, beside: Beside | None, month: TripMonth, metadata: Metadata) -> None:
    if beside is not None:
        context.log_event(beside(month, metadata))


def _log_materialization(context: dg.OutputContext, month: TripMonth, metadata: Metadata) -> None:
    context.log_event(
        dg.AssetMaterialization(
            context.asset_key, partition=month.partition_key, metadata={**context.output_metadata, **metadata}
        )
    )


def record(context: dg.OutputContext, outcome: Outcome, beside: Beside | None = None) -> None:
    """Record the good months with their metadata; raises `dagster.Failure`, which names the bad ones, if any."""
    for month, metadata in sorted(outcome.stored.items()):
        _log_beside(context, beside, month, metadata)
    if not outcome.failed:
        execution = dg.AssetExecutionContext.get()
        for month, metadata in sorted(outcome.stored.items()):
            execution.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=month.partition_key)
        return
    for month, metadata in sorted(outcome.stored.items()):
        _log_materialization(context, month, metadata)
    failed = sorted(outcome.failed.items())
    sentences = {month.label: describe(error) for month, error in failed}
    for month, error in failed:
        # Dagster has no event for a month that failed, but a partition's page shows observations of it.
        said = {"failed": describe(error)}
        context.log_event(dg.AssetObservation(context.asset_key, partition=month.partition_key, metadata=said))
    details = "\n".join(f"{label}: {sentence}" for label, sentence in sentences.items())
    shown: dict[str, Any] = {"failed_months": dg.MetadataValue.json(sentences)}
    if unforeseen := [error for _, error in failed if not isinstance(error, TaxiError)]:
        shown["tracebacks"] = dg.MetadataValue.md("\n".join(f"```\n{_traceback(e)}\n```" for e in unforeseen))
    raise ExpectedFailureError(
        f"{len(failed)} of {outcome.total} months of {context.asset_key.to_user_string()} failed:\n{details}", shown
    )


def describe(error: BaseException) -> str:
    """An error as one line: the platform's own sentence, or class and text of any other error."""
    return str(error) if isinstance(error, TaxiError) else f"{type(error).__name__}: {error}"


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
