"""Snapshots of a lake: nothing deletes what they name, and months come back as they were."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import DamagedError, SettingsError, StoreError
from taxi_platform.inspection.behind import lake_gaps
from taxi_platform.references import CleanMonth
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw

NOTHING = timedelta(0)


def bring(lake: Lake, folder: Path, version: str, clean: str, trips: int = 4) -> CleanMonth:
    """March at that raw version and with that pair."""
    lake.store_raw(staged_raw(folder, version, rows=trips + 1, token=version))
    return lake.store_clean(staged_clean(folder, clean, trips=trips, raw_version=version))


def files(pair: CleanMonth, lake: Lake) -> list[Path]:
    return [Path(lake.uri(path)) for path in (pair.trips_path, pair.quarantine_path)]


def objects(lake: Lake, pair: CleanMonth) -> list[bool]:
    return [lake._objects.size(path) is not None for path in (pair.trips_path, pair.quarantine_path)]


def test_a_snapshot_keeps_its_pair_and_its_version_through_every_writer(lake_url: str, tmp_path: Path) -> None:
    lake = Lake(lake_url, grace=NOTHING)
    first = bring(lake, tmp_path, "v1", "c1")
    made = lake.snapshots.create("first", [MARCH], "the lake's id", "of a test")
    lake.snapshots.create("second", [MARCH], "the lake's id")
    bring(lake, tmp_path, "v2", "c2", trips=7)
    third = bring(lake, tmp_path, "v3", "c3", trips=8)
    assert [old.name for old in lake.pruning.remove(MARCH, NOTHING)] == ["v2"]
    assert [raw.version for raw in lake.raw_versions(MARCH)] == ["v1", "v3"]
    assert objects(lake, first) == [True, True]
    assert list(lake.snapshots.problems(made)) == []

    lake.snapshots.delete("second")
    bring(lake, tmp_path, "v3", "c4", trips=8)
    assert objects(lake, first) == [True, True]
    assert objects(lake, third) == [False, False]
    lake.snapshots.delete("first")
    assert lake.snapshots.all() == []
    Lake(lake_url, grace=NOTHING).store_clean(staged_clean(tmp_path, "c5", raw_version="v3"))
    assert [old.name for old in lake.pruning.remove(MARCH, NOTHING)] == ["v1"]


def test_nothing_keeps_the_objects_of_a_forgotten_snapshot(lake: Lake, tmp_path: Path) -> None:
    strict = Lake(lake.url, grace=NOTHING)
    first = bring(strict, tmp_path, "v1", "c1")
    strict.snapshots.create("first", [MARCH], "id")
    bring(strict, tmp_path, "v1", "c2")
    assert objects(lake, first) == [True, True]
    strict.snapshots.delete("first")
    bring(strict, tmp_path, "v1", "c3")
    assert objects(lake, first) == [False, False]


def test_a_restored_month_is_whole_until_upstream_has_another_version(lake: Lake, tmp_path: Path) -> None:
    """Its pair was cleaned by rules that this release does not have, and stays."""
    contract = CONTRACTS["green"]
    first = bring(lake, tmp_path, "v1", "rules of an earlier release")
    assert "trips" in lake_gaps(contract, lake.look(MARCH))
    lake.snapshots.create("first", [MARCH], "id")
    bring(lake, tmp_path, "v2", "c2", trips=7)

    assert lake.restore(lake.snapshots.restorable("first", MARCH)).version == "v1"
    manifest = lake.manifest(MARCH)
    assert (manifest.current, manifest.upstream, manifest.restored_from) == ("v1", "v2", "first")
    assert manifest.clean == first
    assert first.trips_path not in {pair.trips_path for pair in manifest.superseded}
    assert lake_gaps(contract, lake.look(MARCH)) == {}
    lake.store_raw(staged_raw(tmp_path, "v2", rows=8, token="another token of equal bytes"))
    assert lake.manifest(MARCH).restored_from == "first"

    lake.store_raw(staged_raw(tmp_path, "v3", rows=5, token="v3"))
    manifest = lake.manifest(MARCH)
    assert (manifest.current, manifest.restored_from) == ("v3", None)
    lake.store_clean(staged_clean(tmp_path, "c3", raw_version="v3"))
    assert lake.manifest(MARCH).selection is None


def test_a_restored_pair_of_upstreams_own_version_ends_when_it_is_cleaned_anew(lake: Lake, tmp_path: Path) -> None:
    bring(lake, tmp_path, "v1", "c1")
    lake.snapshots.create("first", [MARCH], "id")
    lake.store_clean(staged_clean(tmp_path, "c2", raw_version="v1"))
    lake.restore(lake.snapshots.restorable("first", MARCH))
    assert (lake.manifest(MARCH).restored_from, lake.look(MARCH).data_version) == ("first", "c1")
    lake.store_clean(staged_clean(tmp_path, "c2", raw_version="v1"))
    assert (lake.manifest(MARCH).restored_from, lake.manifest(MARCH).selection) == (None, None)


def test_a_version_that_the_manifest_has_lost_comes_back(lake: Lake, tmp_path: Path) -> None:
    bring(lake, tmp_path, "v1", "c1")
    lake.snapshots.create("first", [MARCH], "id")
    bring(lake, tmp_path, "v2", "c2", trips=7)
    manifest = Path(lake.uri("raw/green/month=2020-03/manifest.json"))
    document = json.loads(manifest.read_text())
    document["versions"] = [entry for entry in document["versions"] if entry["version"] == "v2"]
    manifest.write_text(json.dumps(document))
    lake.restore(lake.snapshots.restorable("first", MARCH))
    assert [raw.version for raw in lake.raw_versions(MARCH)] == ["v1", "v2"]
    assert lake.current_raw(MARCH) == lake.raw_version(MARCH, "v1")


def test_a_withdrawn_month_can_be_restored(lake: Lake, tmp_path: Path) -> None:
    bring(lake, tmp_path, "v1", "c1")
    lake.snapshots.create("first", [MARCH], "id")
    lake.withdraw_raw(MARCH)
    lake.remove_clean(MARCH)
    lake.restore(lake.snapshots.restorable("first", MARCH))
    manifest = lake.manifest(MARCH)
    assert (manifest.current, manifest.is_withdrawn, manifest.restored_from) == ("v1", False, "first")


def test_other_bytes_and_missing_objects_are_named(lake: Lake, tmp_path: Path) -> None:
    pair = bring(lake, tmp_path, "v1", "c1")
    made = lake.snapshots.create("first", [MARCH], "id")
    trips, quarantine = files(pair, lake)
    content = bytearray(trips.read_bytes())
    content[100] ^= 1
    trips.write_bytes(content)
    quarantine.unlink()
    assert list(lake.snapshots.problems(made)) == [
        f"{trips} has other bytes than when the snapshot first was made",
        f"there is no {quarantine}: taxi status says what of the lake is damaged",
    ]
    with pytest.raises(DamagedError, match="the snapshot first of green 2020-03 cannot be restored"):
        lake.restore(lake.snapshots.restorable("first", MARCH))
    assert lake.manifest(MARCH).selection is None


def test_a_snapshot_of_damaged_objects_is_not_made(lake: Lake, tmp_path: Path) -> None:
    pair = bring(lake, tmp_path, "v1", "c1")
    trips, _ = files(pair, lake)
    trips.write_bytes(trips.read_bytes()[:-1])
    with pytest.raises(DamagedError, match="bytes, where"):
        lake.snapshots.create("first", [MARCH], "id")
    assert lake.snapshots.names() == []


def test_only_whole_months_can_be_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is nothing to name"):
        lake.snapshots.create("first", [MARCH], "id")
    bring(lake, tmp_path, "v1", "c1")
    lake.store_raw(staged_raw(tmp_path, "v2", token="v2"))
    with pytest.raises(StoreError, match="green 2020-03 has no trips of its current raw version"):
        lake.snapshots.create("first", [MARCH], "id")
    assert lake.snapshots.names() == []


def test_a_name_is_taken_once(lake: Lake, tmp_path: Path) -> None:
    bring(lake, tmp_path, "v1", "c1")
    first = lake.snapshots.create("first", [MARCH], "id")
    with pytest.raises(StoreError, match=r"has a snapshot first of .*: choose another name"):
        lake.snapshots.create("first", [MARCH], "id")
    assert lake.snapshots.read("first") == first
    for name in ("", ".hidden", "a/b", "../manifest", "a b", "x" * 65):
        with pytest.raises(SettingsError, match="cannot name a snapshot"):
            lake.snapshots.create(name, [MARCH], "id")
    with pytest.raises(StoreError, match="has no snapshot other: it has first"):
        lake.snapshots.read("other")
    with pytest.raises(StoreError, match="has no green 2020-04"):
        lake.snapshots.restorable("first", APRIL)


def test_an_unfinished_snapshot_keeps_its_objects_and_can_be_made_again(lake: Lake, tmp_path: Path) -> None:
    strict = Lake(lake.url, grace=NOTHING)
    first = bring(strict, tmp_path, "v1", "c1")
    strict.snapshots.create("first", [MARCH], "id")
    document = Path(lake.uri("snapshots/first.json"))
    content = json.loads(document.read_text())
    document.write_text(json.dumps({**content, "sha256": {}}))  # as a killed command leaves it
    bring(strict, tmp_path, "v1", "c2")
    assert objects(lake, first) == [True, True]
    with pytest.raises(StoreError, match="is unfinished"):
        strict.snapshots.restorable("first", MARCH)
    again = strict.snapshots.create("first", [MARCH], "id")
    assert again.is_finished
    assert [kept.clean.facts.version for kept in again.months] == ["c2"]


def test_nothing_is_removed_while_a_snapshot_cannot_be_read(
    lake: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strict = Lake(lake.url, grace=NOTHING)
    first = bring(strict, tmp_path, "v1", "c1")
    strict.snapshots.create("first", [MARCH], "id")
    document = Path(lake.uri("snapshots/first.json"))
    document.write_text("{")
    bring(strict, tmp_path, "v2", "c2")
    assert "is not a readable snapshot" in caplog.text
    with pytest.raises(DamagedError, match="is not a readable snapshot"):
        strict.pruning.remove(MARCH, NOTHING)
    assert [raw.version for raw in strict.raw_versions(MARCH)] == ["v1", "v2"]
    assert objects(lake, first) == [True, True]
    document.write_text(json.dumps({"schema_version": 9}))
    with pytest.raises(StoreError, match="has schema version 9"):
        strict.snapshots.all()


def is_made(lake: Lake, name: str) -> bool:
    try:
        lake.snapshots.create(name, [MARCH], "id")
    except StoreError:
        return False
    return True


def test_a_pair_that_goes_while_its_snapshot_is_made_is_not_promised(lake: Lake, tmp_path: Path) -> None:
    """A writer without a grace period replaces the month again and again."""
    strict = Lake(lake.url, grace=NOTHING)
    bring(strict, tmp_path, "v1", "c0")
    staged = [staged_clean(tmp_path, f"c{number}", trips=number + 1) for number in range(4)]
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            strict.store_clean(staged[number % 4])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [is_made(lake, f"s{number}") for number in range(25)]
    finally:
        done.set()
        writer.join()
    assert len(lake.snapshots.names()) == sum(made)
    for snapshot in lake.snapshots.all():
        assert list(lake.snapshots.problems(snapshot)) == []
