"""Dagster's view of months: one monthly partitions definition per dataset.

Belongs here: translation between partition keys and `TripMonth`. Does not: what a month is (``months``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import dagster as dg

from taxi_platform.contracts.model import Contract
from taxi_platform.months import TripMonth, add_months, parse_month, parse_month_range

__all__ = ["contiguous_ranges", "monthly_partitions", "recent_months", "run_months", "run_tags", "trip_month"]

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"
_PARTITION = "dagster/partition"


def monthly_partitions(contract: Contract) -> dg.MonthlyPartitionsDefinition:
    """From the dataset's first month to the last complete one; a dataset's own start, so that no month is phantom."""
    return dg.MonthlyPartitionsDefinition(start_date=contract.first_month.isoformat())


def trip_month(contract: Contract, partition_key: str) -> TripMonth:
    """The month that a partition key of that dataset stands for."""
    return TripMonth(contract.dataset, parse_month(partition_key))


def recent_months(contract: Contract, count: int, now: datetime | None = None) -> tuple[TripMonth, ...]:
    """The newest ``count`` months that are over, fewer where the dataset has not that many, in calendar order."""
    keys = monthly_partitions(contract).get_partition_keys(current_time=now)
    return tuple(trip_month(contract, key) for key in keys[-count:])


def contiguous_ranges(months: Iterable[date], longest: int | None = None) -> list[list[date]]:
    """Months in calendar order, cut wherever one is missing, and after ``longest`` of them: each piece is one run."""
    ranges: list[list[date]] = []
    for month in sorted(months):
        if ranges and add_months(ranges[-1][-1], 1) == month and len(ranges[-1]) != longest:
            ranges[-1].append(month)
        else:
            ranges.append([month])
    return ranges


def run_tags(months: Sequence[date]) -> dict[str, str]:
    """The tags by which Dagster knows which partitions a run covers; the months are contiguous."""
    if len(months) == 1:
        return {_PARTITION: months[0].isoformat()}
    return {_RANGE_START: months[0].isoformat(), _RANGE_END: months[-1].isoformat()}


def run_months(contract: Contract, tags: Mapping[str, str]) -> tuple[TripMonth, ...] | None:
    """The months a run covers, by its tags; None for a run without partitions."""
    first = tags.get(_RANGE_START, tags.get(_PARTITION))
    last = tags.get(_RANGE_END, first)
    if first is None or last is None:
        return None
    return tuple(contract.month(month) for month in parse_month_range(f"{first}..{last}"))
