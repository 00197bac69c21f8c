"""``taxi versions`` and ``taxi select``: the versions of a month that the lake keeps, and going back to one.

Belongs here: the two commands. Does not: what a version is (``stores.lake.manifest``).
"""

from __future__ import annotations

import click

from taxi_platform.cli.report import MonthWork, print_run, print_versions
from taxi_platform.cli.running import named_contracts
from taxi_platform.cli.runs import interruptible, run_range, show_progress
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth, month_label, parse_month
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["select_version", "show_versions"]


def show_versions(settings: Settings, dataset: str, month: str) -> None:
    """Print every version of the month, oldest first."""
    _, wanted = _month(dataset, month)
    print_versions(_manifest(settings, wanted))


def select_version(
    settings: Settings, dataset: str, month: str, version: str, *, accept_changed_format: bool = False
) -> int:
    """Make the version current, take it into every store and report; returns the exit code."""
    contract, wanted = _month(dataset, month)
    name = _manifest(settings, wanted).with_selected(version, accept_changed_format=accept_changed_format).current
    show_progress()
    work = {wanted: MonthWork()}
    with interruptible(settings, work) as session:
        config = {"select_version": name, "accept_changed_format": accept_changed_format}
        ops = {asset_name("raw", dataset): {"config": config}}
        run_range(session, contract, [wanted.first_day], ops, work)
    views_problem = refreshed_views(settings)
    statuses = month_statuses(settings, [contract], {dataset: [wanted.first_day]})
    print_run(statuses, work, settings)
    if work[wanted].error or views_problem or not all(status.is_whole for status in statuses):
        return 1
    click.echo(_until_when(_manifest(settings, wanted)))
    return 0


def _month(dataset: str, month: str) -> tuple[Contract, TripMonth]:
    (contract, *more) = named_contracts(dataset)
    if more:
        raise SettingsError(f"{dataset!r} names several datasets: name one")
    day = parse_month(month)
    if day < contract.first_month:
        raise SettingsError(f"{dataset} begins with {month_label(contract.first_month)}: {month} is before it")
    return contract, contract.month(day)


def _manifest(settings: Settings, month: TripMonth) -> Manifest:
    manifest = Lake(settings.lake, wait_seconds=settings.wait_seconds).manifest(month)
    if not manifest.versions:
        raise StoreError(
            f"the lake {settings.lake} has no {month}: bring it with taxi run --datasets {month.dataset} "
            f"--months {month.label}"
        )
    return manifest


def _until_when(manifest: Manifest) -> str:
    if not manifest.is_selected:
        return f"{manifest.month} follows upstream: this is the version that upstream had when it was last followed"
    return f"{manifest.month} stays at {manifest.current} until upstream has another version than it had"
