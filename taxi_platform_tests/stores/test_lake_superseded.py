"""A clean month changes in one write: what its readers see meanwhile, and what becomes of the pair before."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw


def objects(lake: Lake) -> set[str]:
    return {path for layer in ("trips", "quarantine") for path in lake._objects.paths(f"{layer}/green")}


def both(lake: Lake, *versions: str, folder: Path) -> list[set[str]]:
    """Pairs stored one after the other: their paths."""
    pairs = [lake.store_clean(staged_clean(folder, version)) for version in versions]
    return [{pair.trips_path, pair.quarantine_path} for pair in pairs]


def test_a_superseded_pair_stays_for_the_grace_period_and_goes_with_the_next_writer(
    lake_url: str, tmp_path: Path
) -> None:
    lake, strict = Lake(lake_url), Lake(lake_url, grace=timedelta(0))
    first, second = both(lake, "c1", "c2", folder=tmp_path)
    assert objects(lake) == first | second
    assert {path for pair in lake.manifest(MARCH).superseded for path in pair.paths} == first
    lake.clear_superseded(MARCH)
    assert objects(lake) == first | second
    (third,) = both(strict, "c3", folder=tmp_path)
    assert objects(lake) == third
    assert lake.manifest(MARCH).superseded == ()


def test_a_month_that_stays_as_it_is_clears_them_too_and_a_removed_one(lake: Lake, tmp_path: Path) -> None:
    strict = Lake(lake.url, grace=timedelta(0))
    _, second = both(lake, "c1", "c2", folder=tmp_path)
    strict.clear_superseded(MARCH)
    assert objects(lake) == second
    lake.remove_clean(MARCH)
    assert lake.current_clean(MARCH) is None
    assert objects(lake) == second, "its readers may still be at it"
    strict.clear_superseded(MARCH)
    assert objects(lake) == set()


def test_the_pair_that_the_manifest_names_never_goes_however_old(lake: Lake, tmp_path: Path) -> None:
    strict = Lake(lake.url, grace=timedelta(0))
    (pair,) = both(strict, "c1", folder=tmp_path)
    for path in pair:
        os.utime(lake.uri(path), (0, 0))
    strict.clear_superseded(MARCH)
    strict.store_raw(staged_raw(tmp_path))
    assert objects(lake) == pair


def test_what_a_killed_writer_never_named_goes_once_it_is_older_than_the_grace_period(
    lake: Lake, tmp_path: Path
) -> None:
    left = [Path(lake.uri(f"{layer}/green/month=2020-03/c0-0123abcd.parquet")) for layer in ("trips", "quarantine")]
    for file in left:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"put, and never named")
    both(lake, "c1", folder=tmp_path)
    assert all(file.exists() for file in left)
    a_day_ago = time.time() - 25 * 3600
    for file in left:
        os.utime(file, (a_day_ago, a_day_ago))
    both(lake, "c2", folder=tmp_path)
    assert not any(file.exists() for file in left)


@pytest.mark.parametrize("times", [40, pytest.param(200, marks=pytest.mark.long)])
def test_readers_in_a_loop_see_one_version_while_the_month_is_replaced(lake: Lake, tmp_path: Path, times: int) -> None:
    """Each version has its own number of trips, and as many quarantined rows."""
    stageds = [staged_clean(tmp_path, f"c{number}", trips=number, quarantined=number) for number in range(1, 5)]
    lake.store_clean(stageds[0])
    seen: dict[str, list[tuple[int, int]]] = {"manifest": [], "duckdb": [], "lake": []}
    done = threading.Event()

    def read(way: str) -> None:
        while not done.wait(0.01):  # the writer has to get on as well
            seen[way].append({"manifest": by_manifest, "duckdb": by_duckdb, "lake": by_lake}[way](lake))

    readers = [threading.Thread(target=read, args=[way]) for way in seen]
    for reader in readers:
        reader.start()
    for number in range(times):
        lake.store_clean(stageds[number % 4])
    done.set()
    for reader in readers:
        reader.join()
    assert all(seen.values())
    assert {pair for pairs in seen.values() for pair in pairs} <= {(number, number) for number in range(1, 5)}


def by_lake(lake: Lake) -> tuple[int, int]:
    clean = lake.look(MARCH).clean
    assert clean is not None
    with lake.open_parquet(clean.trips_path) as trips, lake.open_parquet(clean.quarantine_path) as quarantine:
        return trips.read().num_rows, quarantine.read().num_rows


def by_manifest(lake: Lake) -> tuple[int, int]:
    clean = json.loads(Path(lake.uri("raw/green/month=2020-03/manifest.json")).read_text())["clean"]
    trips, quarantine = (pq.read_table(lake.uri(clean[f"{name}_path"])) for name in ("trips", "quarantine"))
    return trips.num_rows, quarantine.num_rows


def by_duckdb(lake: Lake) -> tuple[int, int]:
    """As docs/architecture.md has it."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            f"SET VARIABLE months = (SELECT {{'trips': list('{lake.url}/' || clean.trips_path), "
            f"'quarantine': list('{lake.url}/' || clean.quarantine_path)}} "
            f"FROM read_json('{lake.url}/raw/green/*/manifest.json') WHERE clean IS NOT NULL)"
        )
        found = connection.execute(
            "SELECT (SELECT count(*) FROM read_parquet(getvariable('months').trips)), "
            "(SELECT count(*) FROM read_parquet(getvariable('months').quarantine))"
        ).fetchone()
    assert found is not None
    return found
