"""What is cut: a month brought, brought again, withdrawn, selected, kept and restored, through the stores themselves.

Belongs here: the walks as plain calls of lake, DuckDB and the file of views, and the generated months that they bring.
Does not: servers (``postgres``), and what must hold (``judge``).
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
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform_tests.torture.knife import FILES, Kind

__all__ = [
    "GREEN",
    "MONTH",
    "NOTHING",
    "WALKS",
    "Material",
    "Place",
    "Step",
    "Walk",
    "after",
    "bring",
    "delete",
    "first",
    "load",
    "make_marts",
    "material",
    "nothing",
    "second",
    "views",
    "withdraw",
]

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
    """A lake elsewhere than in the folder."""
    postgres: str = ""
    """The address of a PostgreSQL, whose tables are looked at in place of DuckDB's."""
    schema: str = "taxi"

    def lake(self, grace: timedelta = timedelta(hours=24)) -> Lake:
        return Lake(self.lake_url or str(self.data / "lake"), wait_seconds=20, grace=grace)

    def warehouse(self) -> StoreOfMarts:
        if self.postgres:
            return PostgresStore(self.postgres, schema=self.schema, wait_seconds=20)
        return DuckDBStore(self.data / "warehouse.duckdb", wait_seconds=20)

    def forget(self) -> None:
        """Remove what is not in the folder."""
        if self.postgres:
            import psycopg

            with psycopg.connect(self.postgres, autocommit=True) as connection:
                connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())

    def views(self) -> ViewsFile:
        return ViewsFile(self.data / "views.duckdb", self.lake(), wait_seconds=20)


Step = Callable[[Place, Material], object]


@dataclass(frozen=True)
class Walk:
    """What is done to a month, and from which state. Done again after a fault it ends what it began."""

    name: str
    prepare: Step
    """Once, into a folder that is copied for every trial."""
    do: Step
    ready: Step = lambda *_: None
    """On every copy: what cannot be copied with a folder."""
    where: Callable[[Path], Place] = Place
    """The place of a trial, from its folder."""
    kinds: Kind = FILES
    """Calls that are cut."""


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


def load(place: Place, _: Material) -> None:
    lake = place.lake()
    clean = lake.current_clean(MONTH)
    assert clean is not None
    place.warehouse().replace_month(GREEN, clean, lake)


def make_marts(place: Place, _: Material) -> None:
    place.warehouse().make_marts(GREEN, marts_of(GREEN), MONTH.first_day)


def views(place: Place, _: Material) -> None:
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


def first(place: Place, things: Material) -> None:
    _zones(place, things)
    bring(place, things, 0)


def second(place: Place, things: Material) -> None:
    bring(place, things, 1)


def withdraw(place: Place, _: Material) -> None:
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


def delete(place: Place, _: Material) -> None:
    place.warehouse().delete_month(GREEN, MONTH.first_day)


def nothing(place: Place, _: Material) -> None:
    place.data.mkdir(parents=True, exist_ok=True)


def after(*steps: Step) -> Step:
    def all_of_them(place: Place, things: Material) -> None:
        for step in steps:
            step(place, things)

    return all_of_them


WALKS: Mapping[str, Walk] = {
    walk.name: walk
    for walk in (
        Walk("lake: the first month", nothing, first),
        Walk("lake: published again", first, second),
        Walk("lake: withdrawn", first, withdraw),
        Walk("lake: an earlier version selected", after(first, second), _select),
        Walk("lake: a snapshot made", first, _keep),
        Walk("lake: a snapshot restored", after(first, _keep, second), _restore),
        Walk("lake: pruned", after(first, second), _prune),
        Walk("DuckDB: the first month", first, load),
        Walk("DuckDB: loaded again", after(first, load, second), load),
        Walk("DuckDB: marts made again", after(first, load, make_marts, second, load), make_marts),
        Walk("DuckDB: withdrawn", after(first, load, make_marts), delete),
        Walk("views: made again", after(first, views, second), views),
    )
}
"""Each is done on what its preparation left. Done twice it is done once."""
