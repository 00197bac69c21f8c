"""Looks at every month of a source, and reports on each.

Belongs here: which months, how many at a time, and comparing months with each other: missing ones, and sizes. Does not:
reading a header (``headers``) and comparing it with the contract (``surprises``).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import BrokenFileError, TaxiError
from taxi_platform.months import TripMonth, add_months
from taxi_platform.sources.model import Published

if TYPE_CHECKING:
    from taxi_platform.inspection.verification.headers import Header

__all__ = ["MonthReport", "State", "verify"]

_AT_ONCE = 8
"""Parallel requests; few, out of courtesy to a public host."""
_LATE_MONTHS = 4
"""Upstream publishes about two months late. A month that is absent and older than this is missing."""
_FAR_SIZE = 10
"""A file is suspicious if it is so many times larger, or smaller, than both its neighbours. The lockdown of April 2020
stays within this: yellow's file was a thirteenth of March's, but two thirds of May's."""


class State(Enum):
    """What a report says about a month."""

    EXPECTED = "as expected"
    SURPRISE = "surprise"
    MISSING = "missing"
    UNPUBLISHED = "not published yet"
    UNKNOWN = "no answer"


@dataclass(frozen=True)
class MonthReport:
    """What upstream has of one month."""

    month: TripMonth
    url: str
    state: State
    size: int | None = None
    rows: int | None = None
    columns: int | None = None
    encodings: tuple[str, ...] = ()
    surprises: tuple[str, ...] = ()
    """One phrase for each surprise; for a month without an answer, the reason."""

    @property
    def is_fine(self) -> bool:
        """Whether nobody needs to look at the month."""
        return self.state in (State.EXPECTED, State.UNPUBLISHED)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-compatible values."""
        return {
            "dataset": self.month.dataset,
            "month": self.month.label,
            "url": self.url,
            "state": self.state.value,
            "bytes": self.size,
            "rows": self.rows,
            "columns": self.columns,
            "encodings": list(self.encodings),
            "surprises": list(self.surprises),
        }


def verify(published: Published, months: Sequence[tuple[Contract, Sequence[date]]], today: date) -> list[MonthReport]:
    """Look at the header of every month, `_AT_ONCE` at a time.

    Args:
        published: the source of the files.
        months: each dataset's months, in calendar order.
        today: the date by which a month counts as late.

    Returns:
        One report a month, in the order asked for.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="verify") as pool:
        asked = [
            [pool.submit(_look, published, contract, contract.month(day)) for day in days] for contract, days in months
        ]
        looks = [[future.result() for future in futures] for futures in asked]
    return [report for reports in looks for report in _beside_one_another(reports, today)]


def _look(published: Published, contract: Contract, month: TripMonth) -> MonthReport:
    from taxi_platform.inspection.verification.headers import read

    url = published.url(month)
    try:
        header = read(published, contract, month)
    except BrokenFileError as error:
        return MonthReport(month, url, State.SURPRISE, surprises=(str(error),))
    except TaxiError as error:
        return MonthReport(month, url, State.UNKNOWN, surprises=(str(error),))
    return MonthReport(month, url, State.UNPUBLISHED) if header is None else _report(contract, month, url, header)


def _report(contract: Contract, month: TripMonth, url: str, header: Header) -> MonthReport:
    from taxi_platform.inspection.verification.surprises import surprises

    found = surprises(contract, month, header)
    return MonthReport(
        month,
        url,
        State.SURPRISE if found else State.EXPECTED,
        header.size,
        header.rows,
        len(header.schema.names),
        tuple(sorted(header.encodings)),
        found,
    )


def _beside_one_another(reports: Sequence[MonthReport], today: date) -> list[MonthReport]:
    newest = max((r.month for r in reports if r.state is not State.UNPUBLISHED), default=None)
    due = add_months(today.replace(day=1), -_LATE_MONTHS)
    return [_sized(reports, i, _dated(report, newest, due)) for i, report in enumerate(reports)]


def _dated(report: MonthReport, newest: TripMonth | None, due: date) -> MonthReport:
    is_due = report.month.first_day < due or (newest is not None and report.month < newest)
    if report.state is not State.UNPUBLISHED or not is_due:
        return report
    return replace(report, state=State.MISSING, surprises=("upstream does not have this month",))


def _sized(reports: Sequence[MonthReport], position: int, report: MonthReport) -> MonthReport:
    """The report, with a phrase about the size added if both neighbours show that it is odd."""
    near = [reports[i].size for i in (position - 1, position + 1) if 0 <= i < len(reports)]
    sizes = [size for size in near if size]
    if report.size is None or len(sizes) < 2:
        return report
    if max(sizes) * _FAR_SIZE >= report.size >= min(sizes) / _FAR_SIZE:
        return report
    word = f"{report.size:,} bytes, where the months beside it have {statistics.mean(sizes):,.0f}"
    return replace(report, state=State.SURPRISE, surprises=(*report.surprises, word))
