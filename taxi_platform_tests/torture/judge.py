"""What a reader finds in a data folder, and what of it may not be.

Belongs here: reading every store as its readers do, to the last page, and the rules that hold at every moment. Does
not: which of two states is expected (``trials``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from taxi_platform.errors import DamagedError
from taxi_platform.references import CleanMonth
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects.model import open_objects
from taxi_platform_tests.torture.walks import MONTH, Place

__all__ = ["State", "broken_rules", "files", "read_tables", "state_of"]

State = Mapping[str, Any]
"""Layer → what a reader finds in it; equal for equal contents, whatever the names of objects."""

_RANDOM = re.compile(r"(?<=-)[0-9a-f]{8}(?=\.parquet)|[0-9a-f]{32}|(?<=staged-)\w{8}")
_OWN_AFFAIR = re.compile(r"\.locks/|\.lock$|warehouse\.duckdb\.wal$|^\.views\.duckdb\.new")
"""Locks, the log of a database, and what the next making of views removes first."""
_SUMS = "count(*), sum(total_amount), sum(trip_distance)"


def state_of(place: Place) -> State:
    """Every layer as its readers find it; raises whatever they would meet."""
    found = dict(_of_lake(place.lake()))
    if place.postgres or (place.data / "warehouse.duckdb").exists():
        found.update(read_tables(place))
    if place.views().path.exists():
        found["views"] = _of_views(place)
    return found


def broken_rules(state: State) -> list[str]:
    """The rules that the state breaks: no row is lost, and what is named is what is there."""
    broken = []
    raw, clean = state.get("raw"), state.get("clean")
    if raw is not None and raw["rows"] != raw["read"]:
        broken.append(f"the raw month names {raw['rows']} rows and has {raw['read']}")
    if clean is not None:
        if clean["raw_rows"] != clean["trips"][0] + clean["quarantined"]:
            broken.append(f"{clean['raw_rows']} raw rows are {clean['trips'][0]} trips and {clean['quarantined']}")
        if clean["raw_rows"] != clean["rows_of_its_raw"]:
            broken.append(f"the pair was made of {clean['raw_rows']} rows, its version has {clean['rows_of_its_raw']}")
    tables = state.get("tables")
    if tables is not None and tables["recorded"] is not None and tables["recorded"][1:] != tables["counted"]:
        broken.append(f"the tables record {tables['recorded']} and have {tables['counted']}")
    for name, (version, trips) in state.get("marts", {}).items():
        recorded, counted = (tables["recorded"], tables["counted"]) if tables else (None, (0, 0))
        if recorded and version == recorded[0] and trips not in (None, counted[0]):
            broken.append(f"mart {name} says {trips} trips of {version}, which has {counted[0]}")
    return broken


def _of_lake(lake: Lake) -> Iterator[tuple[str, Any]]:
    manifest = lake.manifest(MONTH)
    raw, clean = manifest.current_version, manifest.clean
    yield "raw", raw and {"version": raw.version, "rows": raw.rows, "read": _rows(lake, raw.path)}
    yield "clean", clean and _of_pair(lake, clean)
    yield "selected", manifest.is_selected
    yield "versions", tuple(version.version for version in manifest.versions)
    yield "zones", lake.zones() is not None
    yield "snapshots", tuple(kept.name for kept in lake.snapshots.all() if kept.is_finished)
    for snapshot in lake.snapshots.all():
        if snapshot.is_finished and (problems := list(lake.snapshots.problems(snapshot))):
            raise DamagedError("; ".join(problems))


def _of_pair(lake: Lake, clean: CleanMonth) -> dict[str, Any]:
    if problem := lake.clean_problem(clean):
        raise DamagedError(problem)
    with lake.open_parquet(clean.trips_path) as file:
        table = file.read(columns=["total_amount", "trip_distance"])
    return {
        "version": clean.facts.version,
        "raw_rows": clean.facts.raw_rows,
        "rows_of_its_raw": _rows(lake, lake.raw_version(MONTH, clean.facts.raw_version).path),
        "trips": (table.num_rows, *(round(sum(filter(None, column.to_pylist())), 2) for column in table.columns)),
        "quarantined": _rows(lake, clean.quarantine_path),
    }


def _rows(lake: Lake, path: str) -> int:
    """Every page is read."""
    with lake.open_parquet(path) as file:
        return sum(batch.num_rows for batch in file.iter_batches())


def read_tables(place: Place) -> Iterator[tuple[str, Any]]:
    """Tables and marts of a store, by SQL as another program's."""
    store = place.warehouse()
    tables = {name.partition(".")[2] for name in store.tables() if name.startswith(f"{place.schema}.")}
    if place.postgres:
        yield "relations", sorted(tables)

    def rows(sql: str, needed: str) -> list[dict[str, Any]]:
        return store.query(sql).read_all().to_pylist() if needed in tables else []

    trips = rows(f"SELECT {_SUMS} FROM {place.schema}.green_trips", "green_trips")
    quarantined = rows(f"SELECT count(*) FROM {place.schema}.green_quarantine", "green_quarantine")
    recorded = rows(f"SELECT data_version, trips_rows, quarantined_rows FROM {place.schema}.months", "months")
    counted = tuple(next(iter(found[0].values())) if found else 0 for found in (trips, quarantined))
    if any(counted) or recorded:
        yield (
            "tables",
            {
                "recorded": tuple(recorded[0].values()) if recorded else None,
                "counted": counted,
                "sums": [round(float(value or 0), 2) for row in trips for value in row.values()],
            },
        )
    marts = rows(f"SELECT mart, data_version FROM {place.schema}.mart_months", "mart_months")
    days = rows(f"SELECT sum(trips) AS trips FROM {place.schema}.green_service_day", "green_service_day")
    checked = {"service_day": int(days[0]["trips"] or 0)} if days else {}
    if marts:
        yield "marts", {row["mart"]: (row["data_version"], checked.get(row["mart"])) for row in marts}


def _of_views(place: Place) -> Any:
    import duckdb

    with duckdb.connect(str(place.views().path), read_only=True) as connection:
        names = {name for (name,) in connection.execute("SELECT view_name FROM duckdb_views()").fetchall()}
        return {
            name: connection.execute(f"SELECT count(*) FROM taxi.{name}").fetchall()[0][0]
            for name in ("green_trips", "green_quarantine", "raw_green")
            if name in names
        }


def files(place: Place) -> list[str]:
    """Every file or object, without the random part of its name, sorted; locks and notes are no data.

    A bucket's temporary objects are left out: each writer of the month removes those that are a day old.
    """
    found = [path.relative_to(place.data).as_posix() for path in place.data.rglob("*") if path.is_file()]
    if place.lake_url:
        found = [path for path in open_objects(place.lake_url).paths("") if not path.startswith(".incoming/")]
    return sorted(_RANDOM.sub("*", path) for path in found if not _OWN_AFFAIR.search(path))
