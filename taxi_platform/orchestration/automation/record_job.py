"""The job that records in the instance what the stores hold, without fetching, cleaning or loading anything.

Belongs here: the job, and whether it is needed. Does not: what a run records of its own work (``io_managers``).

An instance that is new, restored or older than its lake does not know some months, or records versions that no longer
exist. Whatever follows from its record is then wrong. One run of this job repairs that.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import DamagedError
from taxi_platform.inspection.behind import marts_gap, table_gap
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.automation.recorded import recorded_versions
from taxi_platform.orchestration.keys import LAYERS, QUARANTINE, asset_key, asset_name
from taxi_platform.orchestration.metadata import (
    DATA_VERSION,
    VERSION,
    WITHDRAWN,
    clean_metadata,
    loaded_metadata,
    made_metadata,
    quarantine_metadata,
    raw_metadata,
    withdrawn_metadata,
)
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.layer import StoreAt
from taxi_platform.stores.model import HeldMart, HeldMonth, LoadedMonth, MadeMarts

__all__ = ["RECORD_JOB", "build_record_job", "record_config", "unrecorded_months"]

RECORD_JOB = "taxi_record"
_OP = "record_what_is_there"


class RecordConfig(dg.Config):
    """The datasets whose months are recorded."""

    datasets: list[str]


def record_config(datasets: Sequence[str]) -> dict[str, Any]:
    """The configuration of the job's ops for those datasets."""
    return {_OP: {"config": {"datasets": list(datasets)}}}


def unrecorded_months(instance: dg.DagsterInstance, lake: Lake, dataset: str) -> list[str]:
    """Months of the lake that the instance does not know; costs one listing, one query, and a read for each of them."""
    known = instance.get_materialized_partitions(asset_key(LAYERS[0], dataset))
    return [
        month.label
        for month in lake.months(dataset)
        if month.partition_key not in known and _can_be_recorded(lake, month)
    ]


def _can_be_recorded(lake: Lake, month: TripMonth) -> bool:
    """Whether there is anything to record; not if every version of the month was refused."""
    with contextlib.suppress(DamagedError):
        manifest = lake.manifest(month)
        return manifest.current is not None or manifest.is_withdrawn
    return False


def build_record_job(
    contracts: Sequence[Contract], tables: Sequence[str], with_marts: Sequence[StoreAt]
) -> dg.JobDefinition:
    """The job that records what the stores hold.

    Args:
        contracts: the platform's datasets.
        tables: the stores of tables that are not off.
        with_marts: those of them that make marts.
    """
    by_name = {contract.dataset: contract for contract in contracts}

    @dg.op(name=_OP, required_resource_keys={"lake", *tables})
    def record_what_is_there(context: dg.OpExecutionContext, config: RecordConfig) -> None:
        lake = context.resources.lake.open()
        for dataset in config.datasets:
            contract = by_name[dataset]
            held = {name: getattr(context.resources, name).open().held_months(contract) for name in tables}
            found = [lake.look(month) for month in lake.months(dataset)]
            there = {
                layer: list(_there(layer, lake, contract, found, held.get(layer, {})))
                for layer in ("raw", "trips", *tables)
            }
            there[QUARANTINE] = [(month, quarantine_metadata(trips)) for month, trips in there["trips"]]
            for store in with_marts:
                marts = getattr(context.resources, store.layer.name).open().held_marts(contract)
                there[store.layer.marts] = list(_marts_there(contract, found, held[store.layer.name], marts))
            for layer, months in there.items():
                recorded = _recorded(context, layer, dataset, months)
                context.log.info(f"{asset_name(layer, dataset)}: {recorded} of {len(found)} months recorded")

    @dg.job(
        name=RECORD_JOB,
        executor_def=dg.in_process_executor,
        description="What the stores hold already, into the instance's record; nothing is moved.",
    )
    def record() -> None:
        record_what_is_there()

    return record


def _recorded(
    context: dg.OpExecutionContext, layer: str, dataset: str, months: Iterable[tuple[str, Mapping[str, Any]]]
) -> int:
    """Record the months of which the instance knows another version, or none; returns how many."""
    key, name, recorded = asset_key(layer, dataset), VERSION if layer == "raw" else DATA_VERSION, 0
    known = recorded_versions(context.instance, key)
    for month, metadata in months:
        wanted = WITHDRAWN if metadata.get(WITHDRAWN) else metadata[name]
        if known.get(month, {}).get(name) != wanted:
            context.log_event(dg.AssetMaterialization(key, partition=month, metadata=metadata))
            recorded += 1
    return recorded


def _marts_there(
    contract: Contract,
    months: Iterable[MonthInLake],
    held: Mapping[date, HeldMonth],
    marts: Mapping[date, Mapping[str, HeldMart]],
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Partition key and metadata of each month whose marts are those of the store's tables."""
    for found in months:
        tables, made = held.get(found.month.first_day), marts.get(found.month.first_day, {})
        if tables is None and found.manifest.is_withdrawn:
            yield found.month.partition_key, withdrawn_metadata(changed=False)
        elif tables is not None and tables.data_version is not None and marts_gap(contract, tables, made) is None:
            rows = {name: mart.rows for name, mart in made.items()}
            there = MadeMarts(tables.data_version, rows, changed=False)
            yield found.month.partition_key, made_metadata(contract, there)


def _there(
    layer: str, lake: Lake, contract: Contract, months: Iterable[MonthInLake], held: Mapping[Any, HeldMonth]
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Partition key and metadata of each month that the layer holds, in the version that the lake has now."""
    for found in months:
        metadata = _metadata(layer, lake, contract, found, held.get(found.month.first_day))
        if metadata is not None:
            yield found.month.partition_key, metadata


def _metadata(
    layer: str, lake: Lake, contract: Contract, found: MonthInLake, held: HeldMonth | None
) -> Mapping[str, Any] | None:
    raw, clean = found.manifest.current_version, found.clean
    if found.manifest.is_withdrawn and held is None and (layer != "trips" or clean is None):
        return withdrawn_metadata(changed=False)
    if layer == "raw":
        return None if raw is None or found.raw_rows is None else raw_metadata(raw, lake.uri(raw.path), changed=False)
    if clean is None:
        return None
    if layer == "trips":
        return clean_metadata(clean, lake.uri, changed=False)
    if held is None or table_gap(found, held) is not None:
        return None
    loaded = LoadedMonth(held.counts, changed=False, table=contract.trips.qualified_name)
    return loaded_metadata(clean, loaded)
