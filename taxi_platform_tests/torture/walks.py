"""What is cut: a month brought, brought again, withdrawn, selected, kept and restored, through the stores themselves.

Belongs here: the walks as plain calls of lake, DuckDB and the file of views, and the generated months that they bring.
Does not: the ``taxi`` command (``commands``), servers (``servers``), and what must hold (``judge``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from taxi_platform.cleaning.month import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.ingest import stage_raw
from taxi_platform.marts import marts_of
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import StagedClean, StagedRaw
from taxi_platform.sources.model import Download, Version
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.duckdb.lake_views import ViewsFile
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import StoreOfMarts

__all__ = ["GREEN", "MONTH", "WALKS", "Material", "Place", "Walk", "bring", "material"]

GREEN = CONTRACTS["green"]
MONTH = TripMonth("green", parse_month("2020-03"))
_ROWS = (1_000, 1_200, 1_100)
NOTHING = timedelta(0)


@dataclass(frozen=True)
class Material:
    """The month as upstream published it three times, fetched and cleaned; and the zone lookup."""

    raw: tuple[StagedRaw, ...]
    clean: tuple[StagedClean, ...]
    zones: Path


@dataclass(frozen=True)
class Place:
    """A data folder; everything in it is opened anew by each use."""

    data: Path
    lake_url: str = ""

    def lake(self, grace: timedelta = timedelta(hours=24)) -> Lake:
        return Lake(self.lake_url or str(self.data / "lake"), wait_seconds=20, grace=grace)

    def warehouse(self) -> StoreOfMarts:
        return DuckDBStore(self.data / "warehouse.duckdb", wait_seconds=20)

    def views(self) -> ViewsFile:
        return ViewsFile(self.data / "views.duckdb", self.lake(), wait_seconds=20)


Step = Callable[[Place, Material], object]


@dataclass(frozen=True)
class Walk:
    """What is done to a month, from which state, and how it is done again after a fault."""

    name: str
    prepare: Step
    do: Step


def material(folder: Path) -> Material:
    """Generate, fetch and clean the three versions in that folder; nothing is in any store."""
    raws, cleans = [], []
    for number, rows in enumerate(_ROWS):
        own = folder / str(number)
        own.mkdir(parents=True)
        file = own / "green_tripdata_2020-03.csv.gz"
        write_month("green", MONTH.first_day, rows, file, "csv.gz")
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        version = Version(f"https://example.org/{file.name}", token=sha256, etag=sha256[:8], size=file.stat().st_size)
        raw = stage_raw(GREEN, MONTH, Download(version, file, sha256, file.stat().st_size), own)
        raws.append(raw)
        cleans.append(clean_month(GREEN, raw.raw, raw.file, own))
    zones = folder / "zones.csv"
    zones.write_bytes(lookup_csv())
    return Material(tuple(raws), tuple(cleans), zones)


def bring(place: Place, things: Material, number: int, grace: timedelta = timedelta(hours=24)) -> None:
    """That version of the month into the lake."""
    lake = place.lake(grace)
    lake.store_raw(things.raw[number])
    lake.store_clean(things.clean[number])


def _load(place: Place, _: Material) -> None:
    lake = place.lake()
    clean = lake.current_clean(MONTH)
    assert clean is not None
    place.warehouse().replace_month(GREEN, clean, lake)


def _make_marts(place: Place, _: Material) -> None:
    place.warehouse().make_marts(GREEN, marts_of(GREEN), MONTH.first_day)


def _views(place: Place, _: Material) -> None:
    place.views().refresh([GREEN])


def _zones(place: Place, things: Material) -> None:
    sha256 = hashlib.sha256(things.zones.read_bytes()).hexdigest()
    place.lake().store_zones(
        things.zones,
        source_url="https://example.org/zones.csv",
        source_token=sha256,
        etag=None,
        sha256=sha256,
        fetched_at="2026-01-02T03:04:05+00:00",
    )


def _first(place: Place, things: Material) -> None:
    _zones(place, things)
    bring(place, things, 0)


def _second(place: Place, things: Material) -> None:
    bring(place, things, 1)


def _withdraw(place: Place, _: Material) -> None:
    place.lake().withdraw_raw(MONTH)
    place.lake().remove_clean(MONTH)


def _select(place: Place, things: Material) -> None:
    lake = place.lake()
    lake.select_raw(MONTH, things.raw[0].raw.version)
    lake.store_clean(things.clean[0])


def _keep(place: Place, _: Material) -> None:
    lake = place.lake()
    if "kept" not in lake.snapshots.names() or not lake.snapshots.read("kept").is_finished:
        lake.snapshots.create("kept", [MONTH], "id", "of the torture")


def _restore(place: Place, _: Material) -> None:
    lake = place.lake()
    lake.restore(lake.snapshots.restorable("kept", MONTH))


def _prune(place: Place, _: Material) -> None:
    place.lake().pruning.remove(MONTH, NOTHING)
    place.lake(NOTHING).clear_superseded(MONTH)


def _delete(place: Place, _: Material) -> None:
    place.warehouse().delete_month(GREEN, MONTH.first_day)


def _nothing(place: Place, _: Material) -> None:
    place.data.mkdir(parents=True, exist_ok=True)


def _after(*steps: Step) -> Step:
    def all_of_them(place: Place, things: Material) -> None:
        for step in steps:
            step(place, things)

    return all_of_them


WALKS: Mapping[str, Walk] = {
    walk.name: walk
    for walk in (
        Walk("lake: the first month", _nothing, _first),
        Walk("lake: published again", _first, _second),
        Walk("lake: withdrawn", _first, _withdraw),
        Walk("lake: an earlier version selected", _after(_first, _second), _select),
        Walk("lake: a snapshot made", _first, _keep),
        Walk("lake: a snapshot restored", _after(_first, _keep, _second), _restore),
        Walk("lake: pruned", _after(_first, _second), _prune),
        Walk("DuckDB: the first month", _first, _load),
        Walk("DuckDB: loaded again", _after(_first, _load, _second), _load),
        Walk("DuckDB: marts made again", _after(_first, _load, _make_marts, _second, _load), _make_marts),
        Walk("DuckDB: withdrawn", _after(_first, _load, _make_marts), _delete),
        Walk("views: made again", _after(_first, _views, _second), _views),
    )
}
"""Each is done on what its preparation left. Done twice it is done once."""
