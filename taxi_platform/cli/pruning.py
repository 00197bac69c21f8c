"""``taxi prune``: raw versions that nothing needs, shown or removed.

Belongs here: the command. Does not: what is needed (``stores.lake.pruning``).
"""

from __future__ import annotations

from datetime import timedelta

import click

from taxi_platform.cli.inspecting import all_or_named
from taxi_platform.cli.report import print_unneeded
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake

__all__ = ["prune_versions"]


def prune_versions(settings: Settings, datasets: str | None, months: str | None, days: int, *, remove: bool) -> None:
    """Show what nothing needs since so many days, or remove it."""
    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    contracts, only = all_or_named(datasets, months)
    there = [month for contract in contracts for month in lake.months(contract.dataset)]
    chosen = [month for month in there if only is None or month.first_day in only[month.dataset]]
    age = timedelta(days=days)
    unneeded = list(lake.pruning.unneeded(chosen, age))
    if remove:
        unneeded = [
            old for month in dict.fromkeys(old.month for old in unneeded) for old in lake.pruning.remove(month, age)
        ]
    if not unneeded:
        click.echo(f"nothing has been unneeded for {days} days in {len(chosen):,} months")
        return
    print_unneeded(unneeded)
    size = sum(old.size for old in unneeded)
    click.echo(f"{size:,} bytes are free" if remove else f"{size:,} bytes would be free: taxi prune --yes removes them")
