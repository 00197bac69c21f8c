"""Months as Dagster's partitions: one monthly partitions definition per dataset.

Belongs here: translating between partition keys and `TripMonth`. Does not: what a month is (``months``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError
from taxi_platform.months import TripMonth, add_months, month_label, parse_month, parse_month_range

__all__ = [
    "MONTHS_TAG",
    "asked_months",
    "check_range",
    "contiguous_ranges",
    "monthly_partitions",
    "recent_months",
    "run_months",
    "run_tags",
    "tag_months",
    "trip_month",
]

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"
_PARTITION = "dagster/partition"
MONTHS_TAG = "taxi/months"
"""``2021-01..2021-03``, for the list of runs, which hides Dagster's own tags of a range."""


def monthly_partitions(contract: Contract) -> dg.MonthlyPartitionsDefinition:
    """The partitions from the dataset's first month to the last complete one, so that each can have a file."""
    return dg.MonthlyPartitionsDefinition(start_date=contract.first_month.isoformat())


def trip_month(contract: Contract, partition_key: str) -> TripMonth:
    """The month of a partition key of that dataset."""
    return TripMonth(contract.dataset, parse_month(partition_key))


def recent_months(contract: Contract, count: int, now: datetime | None = None) -> tuple[TripMonth, ...]:
    """The newest ``count`` complete months in calendar order; fewer if the dataset does not have so many."""
    keys = monthly_partitions(contract).get_partition_keys(current_time=now)
    return tuple(trip_month(contract, key) for key in keys[-count:])


def contiguous_ranges(months: Iterable[date], longest: int | None = None) -> list[list[date]]:
    """Months in calendar order, split where one is missing and after ``longest`` months; each piece is one run."""
    ranges: list[list[date]] = []
    for month in sorted(months):
        if ranges and add_months(ranges[-1][-1], 1) == month and len(ranges[-1]) != longest:
            ranges[-1].append(month)
        else:
            ranges.append([month])
    return ranges


def run_tags(months: Sequence[date]) -> dict[str, str]:
    """The tags that tell Dagster which partitions a run covers, and people which months. Months must be contiguous."""
    named = {MONTHS_TAG: month_label(months[0])}
    if len(months) == 1:
        return {**named, _PARTITION: months[0].isoformat()}
    named[MONTHS_TAG] += f"..{month_label(months[-1])}"
    return {**named, _RANGE_START: months[0].isoformat(), _RANGE_END: months[-1].isoformat()}


def tag_months(context: dg.AssetExecutionContext, months: Sequence[TripMonth]) -> None:
    """Tag the run with its months if whoever launched it did not, as for a backfill over a range."""
    tags = context.run.tags
    if months and MONTHS_TAG not in tags and context.instance is not None:
        named = run_tags([months[0].first_day, months[-1].first_day][: len(months)])
        context.instance.add_run_tags(context.run.run_id, {MONTHS_TAG: named[MONTHS_TAG]})


def check_range(tags: Mapping[str, str]) -> None:
    """Check a run's range; raises `SettingsError` if it runs backwards, which Dagster takes for no months at all."""
    first, last = tags.get(_RANGE_START), tags.get(_RANGE_END)
    if first is not None and last is not None and first > last:
        raise SettingsError(f"the range {first}...{last} runs backwards: name the earlier month first")


def asked_months(contract: Contract, tags: Mapping[str, str]) -> tuple[TripMonth, ...]:
    """The months of a run; raises `SettingsError` if it names none, or a range that runs backwards."""
    check_range(tags)
    months = run_months(contract, tags)
    if not months:
        raise SettingsError(
            f"the run names no month of {contract.dataset}: choose partitions in the web interface, or on a command "
            f'--partition 2021-07-01, --partition-range 2021-07-01...2021-08-01 or --tags \'{{"{_PARTITION}": '
            f'"2021-07-01"}}\''
        )
    return months


def run_months(contract: Contract, tags: Mapping[str, str]) -> tuple[TripMonth, ...] | None:
    """The months that a run covers, by its tags; None for a run without partitions."""
    first = tags.get(_RANGE_START, tags.get(_PARTITION))
    last = tags.get(_RANGE_END, first)
    if first is None or last is None:
        return None
    return tuple(contract.month(month) for month in parse_month_range(f"{first}..{last}"))
