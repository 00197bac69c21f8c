"""``taxi run --behind``: brings every month that is behind up to date in every store.

Belongs here: the command. Does not: what is behind (``inspection.behind``) and what to run for it
(``orchestration.automation.repairs``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from taxi_platform.cli.inspecting import all_or_named
from taxi_platform.cli.report import MonthWork, print_run
from taxi_platform.cli.runs import interruptible, run_range, show_progress
from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from taxi_platform.orchestration.automation.repairs import Repair

__all__ = ["run_behind"]

_LOOK_SECONDS = 600.0


def run_behind(settings: Settings, datasets: str | None, months: str | None) -> int:
    """Repair and report; returns the exit code, which is 0 if nothing is behind any more."""
    from taxi_platform.orchestration.automation.repairs import repairs

    contracts, only = all_or_named(datasets, months)
    statuses = month_statuses(settings, contracts, only)
    planned: dict[str, list[Repair]] = {}
    sentences: list[str] = []
    for contract in contracts:
        own = [status for status in statuses if status.dataset == contract.dataset]
        planned[contract.dataset], said = repairs(contract, own, lambda m: _gone(settings, m), at_most=len(own))
        sentences += said
    work = {c.month(day): MonthWork() for c in contracts for r in planned[c.dataset] for day in r.months}
    after = []
    if work:
        _run(settings, contracts, planned, work)
        after = month_statuses(settings, contracts, _days(work))
        print_run(after, work, settings)
    else:
        click.echo("Nothing is behind that can be repaired.")
    sentences += [f"the views stay as they were: {problem}" for problem in (refreshed_views(settings),) if problem]
    for sentence in sentences:
        click.echo(sentence, err=True)
    return 1 if sentences or not all(status.is_whole or status.is_gone for status in after) else 0


def _run(
    settings: Settings,
    contracts: Sequence[Contract],
    planned: Mapping[str, Sequence[Repair]],
    work: dict[TripMonth, MonthWork],
) -> None:
    show_progress()
    with interruptible(settings, work) as session:
        for contract in contracts:
            for repair in planned[contract.dataset]:
                config = repair.config(contract.dataset)
                run_range(session, contract, repair.months, config, work, repair.layers)


def _days(work: Mapping[TripMonth, MonthWork]) -> dict[str, list[date]]:
    days: dict[str, list[date]] = {}
    for month in work:
        days.setdefault(month.dataset, []).append(month.first_day)
    return days


def _gone(settings: Settings, months: Sequence[TripMonth]) -> frozenset[TripMonth]:
    """The months among those that upstream denies."""
    from taxi_platform.orchestration.resources import SourceResource, resources
    from taxi_platform.sources.looking import look_at

    source = resources(settings)["source"]
    assert isinstance(source, SourceResource)
    return frozenset(look_at(source.open(), months, _LOOK_SECONDS).unpublished)
