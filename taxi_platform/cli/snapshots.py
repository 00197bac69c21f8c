"""``taxi snapshot``: naming months as they are, verifying them, and going back to them.

Belongs here: the commands. Does not: what a snapshot is and how it keeps objects (``stores.lake.snapshots``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence

import click
from rich.console import Console
from rich.progress import Progress

from taxi_platform.cli.inspecting import all_or_named
from taxi_platform.cli.report import MonthWork, print_run, print_snapshot, print_snapshots
from taxi_platform.cli.runs import interruptible, run_range, show_progress
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreError
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.snapshots import Snapshot

__all__ = ["create", "delete", "restore", "show", "show_all", "verify"]


def create(settings: Settings, name: str, datasets: str | None, months: str | None, note: str | None) -> None:
    """Name the chosen months as they are, and say how to cite them."""
    lake = _lake(settings)
    contracts, only = all_or_named(datasets, months)
    there = [month for contract in contracts for month in lake.months(contract.dataset)]
    chosen = [month for month in there if only is None or month.first_day in only[month.dataset]]
    with _reading(len(chosen)) as was_read:
        snapshot = lake.snapshots.create(name, chosen, lake.identify().id, note, was_read)
    print_snapshot(snapshot)


def show_all(settings: Settings) -> None:
    """Print every snapshot."""
    found = _lake(settings).snapshots.all()
    if not found:
        click.echo(f"the lake {settings.lake} has no snapshot yet: make one with taxi snapshot create NAME")
        return
    print_snapshots(found)


def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print one snapshot."""
    snapshot = _lake(settings).snapshots.read(name)
    if as_json:
        click.echo(snapshot.to_bytes().decode())
        return
    print_snapshot(snapshot)


def verify(settings: Settings, name: str) -> int:
    """Compare every byte with the checksums; returns the exit code."""
    snapshots = _lake(settings).snapshots
    snapshot = snapshots.read(name)
    _check_finished(snapshot)
    with _reading(len(snapshot.months)) as was_read:
        problems = list(snapshots.problems(snapshot, was_read))
    for problem in problems:
        click.echo(problem, err=True)
    if not problems:
        click.echo(f"{name}: all {len(snapshot.checksums):,} objects are as they were")
    return 1 if problems else 0


def restore(settings: Settings, name: str, datasets: str | None, months: str | None) -> int:
    """Make the snapshot's months current, in every store, and report; returns the exit code."""
    from taxi_platform.orchestration.partitions import contiguous_ranges

    snapshot = _lake(settings).snapshots.read(name)
    _check_finished(snapshot)
    chosen = _chosen(snapshot, datasets, months)
    work = {month: MonthWork() for month in chosen}
    by_dataset = {dataset: [month.first_day for month in chosen if month.dataset == dataset] for dataset in CONTRACTS}
    wanted = {dataset: days for dataset, days in by_dataset.items() if days}
    contracts = [CONTRACTS[dataset] for dataset in wanted]
    show_progress()
    with interruptible(settings, work) as session:
        for contract in contracts:
            ops = {asset_name("raw", contract.dataset): {"config": {"restore_snapshot": name}}}
            for days in contiguous_ranges(wanted[contract.dataset]):
                run_range(session, contract, days, ops, work)
    views_problem = refreshed_views(settings)
    statuses = month_statuses(settings, contracts, wanted)
    print_run(statuses, work, settings)
    if views_problem or any(done.error for done in work.values()) or not all(s.is_whole for s in statuses):
        return 1
    click.echo(f"They stay as in {name} until upstream has other versions than now.")
    return 0


def delete(settings: Settings, name: str) -> None:
    """Forget a snapshot."""
    snapshots = _lake(settings).snapshots
    if name not in snapshots.names():
        snapshots.read(name)  # says which there are
    snapshots.delete(name)
    click.echo(f"{name} is forgotten; what it alone named goes when its month is written next, or with taxi prune")


def _chosen(snapshot: Snapshot, datasets: str | None, months: str | None) -> Sequence[TripMonth]:
    contracts, only = all_or_named(datasets, months)
    names: Collection[str] = [contract.dataset for contract in contracts]
    chosen = [
        kept.month
        for kept in snapshot.months
        if kept.month.dataset in names and (only is None or kept.month.first_day in only[kept.month.dataset])
    ]
    if not chosen:
        raise StoreError(
            f"the snapshot {snapshot.name} has none of these months: taxi snapshot show {snapshot.name} says which it "
            "has"
        )
    return chosen


@contextlib.contextmanager
def _reading(months: int) -> Iterator[Callable[[TripMonth], None]]:
    """A bar on a terminal's standard error, which goes on with every month that was read."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=months)
        yield lambda month: progress.update(task, advance=1, description=f"reading {month}")


def _check_finished(snapshot: Snapshot) -> None:
    if not snapshot.is_finished:
        raise StoreError(
            f"the snapshot {snapshot.name} is unfinished, because its command was killed: make it again with taxi "
            f"snapshot create {snapshot.name}, or forget it with taxi snapshot delete {snapshot.name}"
        )


def _lake(settings: Settings) -> Lake:
    return Lake(settings.lake, wait_seconds=settings.wait_seconds)
