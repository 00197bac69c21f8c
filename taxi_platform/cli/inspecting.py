"""``taxi status``: what every store holds of every month, and what is behind.

Belongs here: the options and the exit code. Does not: looking (``inspection.status``) and the table (``report``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import click

from taxi_platform.cli.instance import has_instance, opened_instance
from taxi_platform.cli.report import print_statuses
from taxi_platform.cli.running import named_contracts
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError
from taxi_platform.inspection.status import MonthStatus, month_statuses, strangers
from taxi_platform.months import TripMonth, month_label, parse_month_range
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.settings import Settings

__all__ = ["all_or_named", "show_status", "with_runs"]


def show_status(settings: Settings, datasets: str | None, months: str | None, *, as_json: bool) -> int:
    """Print the status of the chosen months; returns the exit code."""
    contracts, only = all_or_named(datasets, months)
    problems = [f"the views stay as they were: {problem}" for problem in (refreshed_views(settings),) if problem]
    statuses = with_runs(settings, contracts, month_statuses(settings, contracts, only))
    if months is not None:
        statuses = [s for s in statuses if s.raw_version or s.behind.keys() - {"raw"} or s.refused or s.is_withdrawn]
    if as_json:
        click.echo(json.dumps([s.to_json() for s in statuses], indent=2))
    else:
        print_statuses(statuses, settings)
    problems += strangers(settings) if statuses else []
    for problem in problems:
        click.echo(problem, err=True)
    return 1 if problems or any(s.state in ("behind", "refused") for s in statuses) else 0


def all_or_named(
    datasets: str | None, months: str | None
) -> tuple[list[Contract], Mapping[str, Sequence[date]] | None]:
    """The chosen datasets and months; without a choice, all of them."""
    contracts = list(CONTRACTS.values()) if datasets is None else named_contracts(datasets)
    if months is None:
        return contracts, None
    asked = parse_month_range(months)
    only = {c.dataset: [month for month in asked if month >= c.first_month] for c in contracts}
    if not any(only.values()):
        first = ", ".join(f"{c.dataset} begins with {month_label(c.first_month)}" for c in contracts)
        raise SettingsError(f"no dataset has {months}: {first}")
    return contracts, only


def with_runs(
    settings: Settings, contracts: Collection[Contract], statuses: Sequence[MonthStatus]
) -> list[MonthStatus]:
    """The months, with those marked that a run will bring; without an instance nothing is known of runs."""
    if all(status.is_whole or status.is_gone for status in statuses) or not has_instance(settings):
        return list(statuses)
    from taxi_platform.orchestration.automation.run_history import months_under_way
    from taxi_platform.orchestration.keys import LAYERS, asset_key

    with opened_instance(settings) as instance:
        under_way = {
            month
            for contract in contracts
            for month in months_under_way(instance, contract, [asset_key(layer, contract.dataset) for layer in LAYERS])
        }
    return [replace(s, is_under_way=TripMonth(s.dataset, s.file_month) in under_way) for s in statuses]
