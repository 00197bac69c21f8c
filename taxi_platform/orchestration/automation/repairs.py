"""What has to run so that months which are behind are complete again: in limited batches, layer by layer.

Belongs here: turning statuses into work. Does not: what is behind (``inspection.behind``) and running anything
(``cli``, ``schedules``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.status import MonthStatus
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.keys import MART_LAYERS, TABLE_LAYERS, asset_name
from taxi_platform.orchestration.partitions import contiguous_ranges

__all__ = ["BATCH", "Repair", "layers_to_repair", "repairs"]

BATCH = 24
"""Months of a dataset that are repaired at a time. A new revision reaches all months, in as many steps as it takes."""


@dataclass(frozen=True)
class Repair:
    """One run: contiguous months of a dataset, and the layers to materialize."""

    months: tuple[date, ...]
    layers: tuple[str, ...]
    """Empty: all layers, which is the whole job."""
    options: tuple[str, ...] = ()
    """The cleaning options that the months were made with, and keep."""

    def config(self, dataset: str) -> dict[str, object]:
        """The configuration of the run's ops."""
        if not self.options or "trips" not in self.layers:
            return {}
        return {asset_name("trips", dataset): {"config": dict.fromkeys(self.options, True)}}


def layers_to_repair(status: MonthStatus) -> tuple[str, ...]:
    """The layers to materialize so that every store holds the month, or none does; empty if that is already so.

    Layers that follow a layer of the lake which is behind are repaired by automation.
    """
    below = tuple(layer for layer in (*TABLE_LAYERS, *MART_LAYERS) if layer not in status.off)
    if "raw" in status.behind:
        return ("raw", "trips", *below)
    if "trips" in status.behind:
        return ("trips", *below)
    wanted = {*status.behind, *(f"{layer}_marts" for layer in status.behind)}
    return tuple(layer for layer in below if layer in wanted)


def repairs(
    contract: Contract,
    statuses: Iterable[MonthStatus],
    gone: Callable[[Sequence[TripMonth]], Iterable[TripMonth]],
    at_most: int = BATCH,
) -> tuple[list[Repair], list[str]]:
    """What to run for at most so many months, newest first, and a sentence for each that cannot be fully repaired.

    Args:
        contract: the dataset.
        statuses: the dataset's months; those that a run will bring, and those that need nothing, are left alone.
        gone: says which months upstream no longer has, among those whose raw file is to be fetched again.
        at_most: the largest number of months.
    """
    behind = [s for s in statuses if not s.is_under_way and layers_to_repair(s)]
    newest = sorted(behind, key=lambda status: status.file_month, reverse=True)
    refetched = [contract.month(s.file_month) for s in newest if "raw" in s.behind and s.raw_version is not None]
    lost = set(gone(refetched)) if refetched else set()
    wanted: dict[tuple[tuple[str, ...], tuple[str, ...]], list[date]] = defaultdict(list)
    sentences: list[str] = []
    taken = 0
    for status in newest:
        layers, month = layers_to_repair(status), contract.month(status.file_month)
        if month in lost:
            sentences.append(
                f"{month}: {status.behind['raw']}, and upstream has it no longer: the month stays as it is"
            )
            layers = layers_to_repair(_without_raw(status))
        if layers and taken < at_most:
            taken += 1
            wanted[layers, status.options if "trips" in layers else ()].append(status.file_month)
    found = [
        Repair(tuple(days), layers, options)
        for (layers, options), months in wanted.items()
        for days in contiguous_ranges(months, BATCH)
    ]
    return found, sentences


def _without_raw(status: MonthStatus) -> MonthStatus:
    gaps = {layer: gap for layer, gap in status.behind.items() if layer != "raw"}
    return replace(status, behind=gaps)
