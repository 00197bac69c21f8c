"""Every month of a source looked at, and what is to be said of each.

Belongs here: which months, how many at a time, and months beside one another: those that are missing, and sizes. Does
not: reading a header (``headers``) and the contract's view of it (``surprises``).
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
"""Requests under way: a courtesy to a public host."""
_LATE_MONTHS = 4
"""Upstream publishes about two months late; a month that is older than this and absent is missing."""
_FAR_SIZE = 10
"""A file is suspicious that is so many times larger, or smaller, than both its neighbours. (In April 2020 the city
stood still: yellow's file was a thirteenth of March's, and two thirds of May's.)"""


class State(Enum):
    """What is to be said of a month."""

    EXPECTED = "as expected"
    SURPRISE = "surprise"
    MISSING = "missing"
    UNPUBLISHED = "not published yet"
    UNKNOWN = "no answer"


@dataclass(frozen=True)
class MonthReport:
    """One month as upstream has it."""

    month: TripMonth
    url: str
    state: State
    size: int | None = None
    rows: int | None = None
    columns: int | None = None
    encodings: tuple[str, ...] = ()
    surprises: tuple[str, ...] = ()
    """One phrase each; of a month without an answer, why."""

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
        published: where the months lie.
        months: each dataset's, in calendar order.
        today: by which a month is late.

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
    """With a word about its size, where both neighbours agree that it is odd."""
    near = [reports[i].size for i in (position - 1, position + 1) if 0 <= i < len(reports)]
    sizes = [size for size in near if size]
    if report.size is None or len(sizes) < 2:
        return report
    if max(sizes) * _FAR_SIZE >= report.size >= min(sizes) / _FAR_SIZE:
        return report
    word = f"{report.size:,} bytes, where the months beside it have {statistics.mean(sizes):,.0f}"
    return replace(report, state=State.SURPRISE, surprises=(*report.surprises, word))
