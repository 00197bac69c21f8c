"""``taxi run --plan``: what a run would do, and the look at the disks before ``taxi run`` begins.

Belongs here: asking upstream, the lake's manifests and the instance's record, and printing. Does not: the estimate
(``inspection.planning``). No store of tables is opened and no server started; what they have is told by the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from taxi_platform.cli.instance import dagster_home, has_instance, opened_instance
from taxi_platform.cli.record import Record, read_record
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import DamagedError
from taxi_platform.inspection.at_once import each
from taxi_platform.inspection.planning import Disk, Plan, Rates, check_room, disks, may_fill, plan_months, size
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["ensure_room", "show_plan"]

_LOOK_SECONDS = 120.0
_MEASURED = 24
"""How many of a dataset's newest months in the lake are taken as a measure."""


def show_plan(
    settings: Settings, contracts: Sequence[Contract], wanted: Mapping[str, Sequence[date]], *, force: bool
) -> None:
    """Print what the run would do; raises `StoreError` if a disk would not hold it."""
    plans = _plans(settings, contracts, wanted, force=force, timed=True)
    found = disks(settings, plans)
    _print(settings, plans, found)
    check_room(found)


def ensure_room(
    settings: Settings, contracts: Sequence[Contract], wanted: Mapping[str, Sequence[date]], *, force: bool
) -> None:
    """Raise `StoreError` if a disk would not hold the run.

    Upstream is asked only where so many months of the largest size there is would be too much.
    """
    if may_fill(settings, {dataset: len(months) for dataset, months in wanted.items()}):
        check_room(disks(settings, _plans(settings, contracts, wanted, force=force, timed=False)))


def _plans(
    settings: Settings, contracts: Sequence[Contract], wanted: Mapping[str, Sequence[date]], *, force: bool, timed: bool
) -> list[Plan]:
    from taxi_platform.sources import open_source
    from taxi_platform.sources.looking import look_at

    source = open_source(
        settings.source, settings.source_url, sample_rows=settings.sample_rows, sample_format=settings.sample_format
    )
    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    plans = []
    for contract in contracts:
        months = [contract.month(day) for day in wanted[contract.dataset]]
        look = look_at(source, months, _LOOK_SECONDS)
        held = lake.months(contract.dataset)
        stored = {month for month in (*months, *held[-_MEASURED:]) if month in held}
        manifests = {**{month: Manifest(month) for month in months}, **each(lambda m: _manifest(lake, m), stored)}
        record = _record(settings, contract, [*months, *held])
        plans.append(
            plan_months(
                settings,
                contract.dataset,
                months,
                look,
                manifests,
                partial(_is_recorded, record),
                _rates(settings, contract, record) if timed else None,
                force=force,
            )
        )
    return plans


def _is_recorded(record: Record, layer: str, month: TripMonth) -> bool:
    return month.partition_key in record[asset_name(layer, month.dataset)]


def _manifest(lake: Lake, month: TripMonth) -> Manifest:
    try:
        return lake.manifest(month)
    except DamagedError:
        return Manifest(month)  # the run makes it again


def _layers(settings: Settings) -> tuple[str, ...]:
    return ("raw", "trips", *settings.tables, *settings.marts_in)


def _record(settings: Settings, contract: Contract, months: Sequence[TripMonth]) -> Record:
    """What the instance has on record of the dataset; empty without an instance."""
    names = [asset_name(layer, contract.dataset) for layer in _layers(settings)]
    if not has_instance(settings):
        return {name: {} for name in names}
    partitions = {month.partition_key for month in months}
    record = read_record(dagster_home(settings), names, partitions)
    return _asked(settings, names) if record is None else record


def _asked(settings: Settings, names: Sequence[str]) -> Record:
    """The same through Dagster, of an instance whose record is no SQLite file."""
    import dagster as dg

    found: dict[str, dict[str | None, Mapping[str, Any]]] = {name: {} for name in names}
    with opened_instance(settings) as instance:
        for name in names:
            newest = instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(name)), limit=1_000)
            for entry in newest.records:  # the newest first
                materialization = entry.asset_materialization
                if materialization is not None and materialization.partition not in found[name]:
                    metadata = {label: value.value for label, value in materialization.metadata.items()}
                    found[name][materialization.partition] = metadata
    return found


def _rates(settings: Settings, contract: Contract, record: Record) -> Rates | None:
    """Seconds a byte of upstream, by layer, of the newest months that a run brought."""
    raw = {
        key: metadata["source_bytes"]
        for key, metadata in record[asset_name("raw", contract.dataset)].items()
        if metadata.get("changed") and metadata.get("source_bytes")
    }
    newest = sorted(raw, key=str)[-_MEASURED:]
    found: dict[str, float] = {}
    for layer in _layers(settings):
        told = record[asset_name(layer, contract.dataset)]
        timed = {key: told[key]["seconds"] for key in newest if told.get(key, {}).get("changed")}
        if timed:
            found[layer] = sum(timed.values()) / sum(raw[key] for key in timed)
    return Rates(found, len(newest)) if newest else None


def _print(settings: Settings, plans: Sequence[Plan], found: Sequence[Disk]) -> None:
    console = Console(highlight=False)
    table = Table("dataset", box=None, header_style="bold", pad_edge=False)
    for title in ("months", "unpublished", "to fetch", "upstream", "rows about", "time about"):
        table.add_column(title, justify="right")
    for plan in plans:
        taken = [str(plan.asked), str(plan.unpublished), str(len(plan.fetched)), size(plan.fetched_bytes)]
        table.add_row(plan.dataset, *taken, f"{plan.rows:,}", _duration(plan.seconds))
    console.print(table, "")
    stores = Table("place", box=None, header_style="bold", pad_edge=False)
    stores.add_column("takes about", justify="right")
    for name in ("lake", *settings.tables):
        stores.add_row(name, size(sum(plan.bytes_in[name] for plan in plans)))
    stores.add_row("while it works", size(sum(disk.needs.get("staging", 0) for disk in found)))
    console.print(stores, "")
    for disk in found:
        said = f"disk of {disk.path}: {size(disk.free)} free, {size(disk.need)} needed"
        console.print(said, soft_wrap=True, markup=False)
    for plan in plans:
        console.print(f"{plan.dataset}: {_basis(plan)}", soft_wrap=True, markup=False)


def _basis(plan: Plan) -> str:
    """By what the estimate was made, and what it does not know."""
    rows = f"rows by {plan.by_months} months in the lake" if plan.by_months else "rows by the files that were measured"
    time = "no month was brought here yet that would tell the time" if plan.seconds is None else "time by the last runs"
    unknown = f"; upstream did not answer for some ({plan.unknown})" if plan.unknown else ""
    return f"{rows}; {time}{unknown}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
