"""What a run would fetch, store and take, before anything is started for it.

Belongs here: the estimate, and refusing a run that the disks would not hold. Does not: asking upstream, lake and record
(``cli.planning``), and printing.

Rows are estimated by upstream's sizes: by the months of the dataset that the lake has, or else by what a row took in
upstream's files. What a row takes in each store was measured on generated months, real stores and their files:
``benchmarks.footprint``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taxi_platform.errors import StoreError
from taxi_platform.inspection.comparison import is_new
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth
from taxi_platform.settings import Settings
from taxi_platform.sources.looking import Look
from taxi_platform.sources.model import GENERATED, Version
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["FOOTPRINTS", "Disk", "Footprint", "Plan", "Rates", "check_room", "disks", "may_fill", "plan_months", "size"]


@dataclass(frozen=True)
class Footprint:
    """Bytes a row of one dataset takes."""

    csv: float
    """In upstream's csv.gz."""
    parquet: float
    """In upstream's Parquet."""
    lake: float
    """In the lake: raw, trips and quarantine."""
    tables: Mapping[str, float]
    """Kind of a store of tables → trips and quarantine there, indexes included."""
    marts: Mapping[str, float]
    """The same for marts."""
    largest_month: int
    """More rows than any month has that TLC has published."""

    def of_upstream(self, url: str) -> float:
        """In a file at that address."""
        return self.parquet if url.endswith(".parquet") else self.csv


FOOTPRINTS: Mapping[str, Footprint] = {
    # python -m benchmarks.footprint --rows 500000; upstream of yellow and green: the same with --published.
    "yellow": Footprint(
        21.7,
        22.5,
        36.3,
        {"duckdb": 37.7, "postgresql": 159.5, "bigquery": 146.1},
        {"duckdb": 0.0, "postgresql": 49.0},
        17_000_000,
    ),
    "green": Footprint(
        18.0,
        20.0,
        39.7,
        {"duckdb": 38.3, "postgresql": 153.4, "bigquery": 131.6},
        {"duckdb": 7.3, "postgresql": 102.2},
        2_000_000,
    ),
    "fhv": Footprint(
        16.7,
        16.7,
        26.5,
        {"duckdb": 24.1, "postgresql": 69.1, "bigquery": 40.6},
        {"duckdb": 0.0, "postgresql": 34.4},
        25_000_000,
    ),
    "fhvhv": Footprint(
        18.2,
        18.2,
        27.0,
        {"duckdb": 24.1, "postgresql": 85.7, "bigquery": 56.6},
        {"duckdb": 4.2, "postgresql": 78.2},
        30_000_000,
    ),
}

_LARGEST = "yellow"
"""Whose rows take most: the measure for a dataset that nobody has measured."""
_STAGED_AT_ONCE = 2
"""Months of a run that are on their way into the lake at a time."""
_STAGED = 3
"""What one of them takes meanwhile, as a multiple of its bytes in the lake: download, raw file and clean pair."""
_LOG_OF_CHANGES = 1 << 30
"""What PostgreSQL's log of changes grows to at most, unless somebody has set ``max_wal_size``."""
_EMBEDDED = "embedded"


@dataclass(frozen=True)
class Rates:
    """Seconds that a byte of upstream took last, by layer, over so many months of the dataset."""

    seconds_a_byte: Mapping[str, float]
    months: int


@dataclass
class Plan:
    """What a run over some months of one dataset would do."""

    dataset: str
    asked: int
    """Months that are asked for."""
    unpublished: int
    """Of these, how many upstream does not have."""
    unknown: str
    """Why upstream did not answer for some; empty if it did for all."""
    fetched: list[TripMonth] = field(default_factory=list)
    """Months to fetch: new, or published again."""
    fetched_bytes: int = 0
    rows: int = 0
    """Rows of the months that are fetched, about."""
    bytes_in: dict[str, float] = field(default_factory=dict)
    """``lake``, each store of tables, and ``staging`` for what only lies there while the run works → bytes."""
    seconds: float | None = None
    """About how long it takes; None where no month of the dataset was brought here yet."""
    by_months: int = 0
    """How many months that the lake has told how many rows a byte of upstream has; 0 for generated ones."""


@dataclass(frozen=True)
class Disk:
    """A disk that the run writes on."""

    path: Path
    free: int
    needs: Mapping[str, float]
    """What it is needed for → bytes."""

    @property
    def need(self) -> float:
        """Bytes in all."""
        return sum(self.needs.values())


def plan_months(
    settings: Settings,
    dataset: str,
    asked: Sequence[TripMonth],
    look: Look,
    manifests: Mapping[TripMonth, Manifest],
    has: Callable[[str, TripMonth], bool],
    rates: Rates | None = None,
    *,
    force: bool = False,
) -> Plan:
    """What a run over those months of a dataset would do.

    Args:
        settings: where the stores are.
        dataset: the dataset.
        asked: the months.
        look: upstream's answers about them.
        manifests: those of the months, and of others of the dataset, whose rows and sizes are taken as a measure.
        has: whether a layer has a month on record, in any version.
        rates: how long the dataset's last months took.
        force: whether months are fetched although they have not changed.
    """
    footprint = _of_dataset(dataset)
    known = [m.current_version for m in manifests.values() if m.current_version is not None]
    plan = Plan(dataset, len(asked), sum(m in look.unpublished for m in asked), look.reasons, by_months=len(known))
    added = {"lake": 0.0, **dict.fromkeys(settings.tables, 0.0)}
    largest, seconds = 0.0, 0.0
    for month in asked:
        version, held = look.published.get(month), manifests[month].current_version
        fetches = version is not None and (force or is_new(version, manifests[month]))
        if not fetches and held is None:
            continue
        rows = _rows(version, known, footprint, settings) if fetches and version else _held_rows(held)
        if fetches and version is not None:
            upstream = version.size or rows * footprint.of_upstream(version.url)
            plan.fetched.append(month)
            plan.fetched_bytes += round(upstream)
            plan.rows += round(rows)
            added["lake"] += rows * footprint.lake
            largest = max(largest, rows * footprint.lake)
        else:
            upstream = held.source_size if held else 0
        late = {name for name in (*settings.tables, *settings.marts_in) if fetches or not has(name, month)}
        for name, store in settings.tables.items():
            if name in late:
                added[name] += rows * _of_kind(footprint.tables, store.kind)
            if store.layer.marts in late & settings.marts_in.keys():
                added[name] += rows * _of_kind(footprint.marts, store.kind)
        if rates is not None:
            seconds += upstream * _seconds_a_byte(rates, settings, late, fetches=fetches)
    staging = _STAGED * largest * min(_STAGED_AT_ONCE, len(plan.fetched))
    plan.bytes_in = {**added, "staging": staging}
    plan.seconds = seconds if rates is not None else None
    return plan


def _rows(version: Version, known: Sequence[RawMonth], footprint: Footprint, settings: Settings) -> float:
    if version.url.startswith(GENERATED):
        return settings.sample_rows
    alike = [raw for raw in known if raw.source_url.endswith(".parquet") == version.url.endswith(".parquet")]
    rows, taken = sum(raw.rows for raw in alike), sum(raw.source_size for raw in alike)
    a_row = taken / rows if rows and taken else footprint.of_upstream(version.url)
    return (version.size or 0) / a_row


def _held_rows(held: RawMonth | None) -> float:
    return 0 if held is None else held.rows


def _of_dataset(dataset: str) -> Footprint:
    return FOOTPRINTS.get(dataset, FOOTPRINTS[_LARGEST])


def _of_kind(by_kind: Mapping[str, float], kind: str) -> float:
    """A row in a store of that kind; of one that nobody has measured, as much as in the largest."""
    return by_kind.get(kind, max(by_kind.values()))


def _seconds_a_byte(rates: Rates, settings: Settings, late: set[str], *, fetches: bool) -> float:
    """The lake's layers come one after the other, the stores of tables beside each other."""
    of = rates.seconds_a_byte
    lake = (of.get("raw", 0) + of.get("trips", 0)) if fetches else 0.0
    beside = [
        sum(of.get(layer, 0) for layer in (name, store.layer.marts) if layer in late)
        for name, store in settings.tables.items()
    ]
    return lake + max(beside, default=0.0)


def disks(settings: Settings, plans: Iterable[Plan]) -> list[Disk]:
    """The disks of this machine that the run writes on, with what it would need on each."""
    need: dict[str, float] = {}
    for plan in plans:
        for name, taken in plan.bytes_in.items():
            need[name] = need.get(name, 0.0) + taken
    places = {"staging": settings.data}
    if "://" not in settings.lake:
        places["lake"] = Path(settings.lake)
    for name, store in settings.tables.items():
        if store.address.startswith(_EMBEDDED):
            places[name] = settings.data
            need["staging"] = need.get("staging", 0.0) + min(need.get(name, 0.0), _LOG_OF_CHANGES)
        elif "://" not in store.address:
            places[name] = Path(store.address)
    found: dict[int, Disk] = {}
    for name, place in places.items():
        there = next(path for path in (place, *place.parents) if path.exists())
        device = os.stat(there).st_dev  # noqa: PTH116 - of a path that may be a file
        before = found.get(device) or Disk(there, shutil.disk_usage(there).free, {})
        found[device] = Disk(before.path, before.free, {**before.needs, name: need.get(name, 0.0)})
    return list(found.values())


def check_room(found: Iterable[Disk]) -> None:
    """Raise `StoreError` if a disk has less free than is needed on it."""
    for disk in found:
        if disk.need > disk.free:
            parts = ", ".join(f"{name} {size(taken)}" for name, taken in disk.needs.items() if taken)
            raise StoreError(
                f"the disk of {disk.path} has {size(disk.free)} free, and these months take about {size(disk.need)} "
                f"there ({parts}): free space, set TAXI_DATA to a folder on another disk, or name fewer months"
            )


def may_fill(settings: Settings, months: Mapping[str, int]) -> bool:
    """Whether so many months of each dataset might fill a disk if each were as large as the largest: cheap to tell."""
    plans = []
    for dataset, count in months.items():
        footprint = _of_dataset(dataset)
        each = settings.sample_rows if settings.source == "sample" else footprint.largest_month
        added = {"lake": count * each * footprint.lake}
        for name, store in settings.tables.items():
            a_row = _of_kind(footprint.tables, store.kind) + _of_kind(footprint.marts, store.kind)
            added[name] = count * each * a_row
        staging = _STAGED * _STAGED_AT_ONCE * each * footprint.lake
        plans.append(Plan(dataset, count, 0, "", bytes_in={**added, "staging": staging}))
    return any(disk.need > disk.free for disk in disks(settings, plans))


def size(taken: float) -> str:
    """Bytes for people: ``61 MB``, ``1.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if taken < 1000:
            return f"{taken:.0f} {unit}" if taken >= 10 or unit == "bytes" else f"{taken:.1f} {unit}"
        taken /= 1000
    return f"{taken:,.1f} TB"
