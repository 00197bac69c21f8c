"""What the instance has recorded of each month: the versions in its newest materialization.

Belongs here: reading them, at a cost that does not grow with the number of runs. Does not: what the stores really hold
(``inspection.status``), and what follows from a difference (``conditions``).

Versions are in the metadata of materializations and not in Dagster's data versions: for a run over a range of months,
Dagster 1.13 records one data version for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from taxi_platform.orchestration.metadata import VERSION_NAMES, WITHDRAWN

__all__ = ["Versions", "recorded_versions"]

Versions = Mapping[str, str]
"""A version's name in metadata, such as ``data_version`` → the version; a withdrawn month has ``withdrawn`` for all."""

_AT_ONCE = 500
"""Records to read with one query."""

_known: dict[tuple[str, dg.AssetKey], dict[int, Versions]] = {}
"""Instance and asset → id of a materialization → its versions. A materialization never changes, so a process reads each
only once. Only the newest one of each month is kept."""


def recorded_versions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str | None, Versions]:
    """Partition → the versions in its newest materialization; the partition of an asset without partitions is None.

    One query finds the newest materializations. Only those that this process has not read yet are read.
    """
    identity = _identity(instance)
    seen = _known.get((identity, asset), {}) if identity else {}
    newest = _newest(instance, asset)
    found = {event: seen[event] for event in newest.values() if event in seen}
    found.update(_read(instance, asset, sorted(set(newest.values()) - found.keys())))
    if identity:
        _known[identity, asset] = found
    return {partition: found[event] for partition, event in newest.items() if event in found}


def _identity(instance: dg.DagsterInstance) -> str | None:
    """The id of the instance's storage. It stays the same, although a code server opens the instance for each tick."""
    from dagster._core.storage.runs import SqlRunStorage

    storage = instance.run_storage
    return storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else None


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str | None, int]:
    """Partition → id of its newest materialization."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    if newest := instance.get_latest_storage_id_by_partition(asset, kind):
        return dict(newest.items())
    return {record.partition_key: record.storage_id for record in instance.fetch_materializations(asset, 1).records}


def _read(instance: dg.DagsterInstance, asset: dg.AssetKey, events: list[int]) -> Iterable[tuple[int, Versions]]:
    for start in range(0, len(events), _AT_ONCE):
        some = dg.AssetRecordsFilter(asset, storage_ids=events[start : start + _AT_ONCE])
        for record in instance.fetch_materializations(some, _AT_ONCE).records:
            if materialization := record.asset_materialization:
                yield record.storage_id, _versions(materialization.metadata)


def _versions(metadata: Mapping[str, dg.MetadataValue]) -> Versions:
    values = {name: value.value for name, value in metadata.items() if name in VERSION_NAMES or name == WITHDRAWN}
    if values.get(WITHDRAWN):
        return dict.fromkeys(VERSION_NAMES, WITHDRAWN)
    return {name: value for name, value in values.items() if isinstance(value, str)}
