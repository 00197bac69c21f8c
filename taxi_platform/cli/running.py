"""``taxi run``: runs the shipped job of each dataset in this process, over the chosen months.

Belongs here: turning options into runs, and runs into the report. Does not: any work on a month
(``orchestration.assets``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import click

from taxi_platform.cli.instance import remember_run
from taxi_platform.cli.planning import ensure_room, show_plan
from taxi_platform.cli.report import MonthWork, print_run
from taxi_platform.cli.runs import interruptible, run_range, run_record, run_zones, show_progress
from taxi_platform.cli.unchanged import unchanged_statuses, zones_are_unchanged
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError, TaxiError
from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import TripMonth, add_months, month_label, parse_month, parse_month_range
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.settings import Settings

__all__ = ["named_contracts", "run_months"]

_DEFAULT_DATASETS = "green"
_DEFAULT_MONTHS = "2021-07"


def run_months(
    datasets: str | None,
    months: str | None,
    options: Mapping[str, bool],
    environment: Mapping[str, str],
    *,
    plan: bool = False,
) -> int:
    """Run and report; returns the exit code, which is 0 if every month is complete in every store.

    With ``plan`` only what the run would do is printed.
    """
    chosen = named_contracts(_DEFAULT_DATASETS if datasets is None else datasets)
    wanted = {c.dataset: _months(c, parse_month_range(_DEFAULT_MONTHS if months is None else months)) for c in chosen}
    settings = _reachable(environment, chosen[0], nothing_asked=datasets is None and months is None)
    force = options.get("force", False)
    if plan:
        show_plan(settings, chosen, wanted, force=force)
        return 0
    remember_run(settings)
    show_progress()
    work = {c.month(m): MonthWork() for c in chosen for m in wanted[c.dataset]}
    zones_problem, statuses = None, None if any(options.values()) else unchanged_statuses(settings, chosen, wanted)
    if statuses is None:
        ensure_room(settings, chosen, wanted, force=force)
        zones_problem, statuses = _run(settings, chosen, wanted, options, work)
    views_problem = refreshed_views(settings)
    print_run(statuses, work, settings)
    if zones_problem:
        click.echo(f"The taxi zones are as they were: {zones_problem}", err=True)
    problems = [zones_problem, views_problem, *(done.error for done in work.values())]
    failed = any(problems) or not all(status.is_whole for status in statuses)
    return 1 if failed else 0


def named_contracts(names: str) -> list[Contract]:
    """The datasets of a comma-separated list; raises `SettingsError` for an unknown name."""
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if unknown := [name for name in chosen if name not in CONTRACTS]:
        raise SettingsError(f"there is no dataset {', '.join(unknown)}: choose from {', '.join(CONTRACTS)}")
    if not chosen:
        raise SettingsError(f"no dataset is named: choose from {', '.join(CONTRACTS)}")
    return [CONTRACTS[name] for name in chosen]


def _months(contract: Contract, months: Sequence[date]) -> tuple[date, ...]:
    last = add_months(date.today().replace(day=1), -1)  # noqa: DTZ011 - a day more or less changes no published month
    for month in months:
        if month < contract.first_month:
            raise SettingsError(
                f"{contract.dataset} begins with {month_label(contract.first_month)}: {month_label(month)} is before it"
            )
        if month > last:
            raise SettingsError(f"{month_label(month)} is not over yet: the last whole month is {month_label(last)}")
    return tuple(months)


def _reachable(environment: Mapping[str, str], contract: Contract, *, nothing_asked: bool) -> Settings:
    """The settings.

    If nothing was asked for and the public source is out of reach, those of generated data, announced.
    """
    from taxi_platform.sources import RetryPolicy, open_source

    settings = Settings.from_environment(environment)
    if not nothing_asked or "source" in settings.model_fields_set or settings.names_a_store:
        return settings
    quickly = RetryPolicy(attempts=2, connect_timeout=5, read_timeout=10)
    try:
        open_source("auto", retry=quickly).stat(contract.month(parse_month(_DEFAULT_MONTHS)))
    except TaxiError as error:
        apart = {"TAXI_SOURCE": "sample", "TAXI_DATA": str(settings.data / "sample")}
        generated = Settings.from_environment({**environment, **apart})
        click.echo(f"The public source cannot be reached: {error}.", err=True)
        click.echo(f"Running on generated months instead, apart from real ones, in {generated.data}.", err=True)
        return generated
    return settings


def _run(
    settings: Settings,
    contracts: Sequence[Contract],
    wanted: Mapping[str, Sequence[date]],
    options: Mapping[str, bool],
    work: dict[TripMonth, MonthWork],
) -> tuple[str | None, list[MonthStatus]]:
    """Run the zones and the months and note what happened; returns what is wrong with the zones, and the statuses.

    Months can be stored without the zones. Statuses are counted inside the session, while an embedded PostgreSQL runs.
    """
    with interruptible(settings, work) as session:
        from taxi_platform.orchestration.partitions import contiguous_ranges

        zones_problem = None if zones_are_unchanged(settings) else run_zones(session)
        for contract in contracts:
            for months in contiguous_ranges(wanted[contract.dataset]):
                run_range(session, contract, months, _op_config(contract.dataset, options), work)
        run_record(session, settings, [contract.dataset for contract in contracts])
        return zones_problem, month_statuses(settings, contracts, wanted)


def _op_config(dataset: str, options: Mapping[str, bool]) -> dict[str, Any]:
    chosen = {name: True for name, is_on in options.items() if is_on}
    fetching = {name: chosen.pop(name) for name in ("force", "accept_changed_format") if name in chosen}
    configs = {asset_name("raw", dataset): fetching, asset_name("trips", dataset): chosen}
    return {op: {"config": config} for op, config in configs.items() if config}
