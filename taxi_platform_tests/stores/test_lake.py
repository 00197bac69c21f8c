"""What every lake promises, on disk and in each cloud."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects.model import Objects
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw


@pytest.fixture
def lake(lake_url: str) -> Lake:
    return Lake(lake_url)


@pytest.fixture
def objects(lake: Lake) -> Objects:
    return lake._objects


def put(objects: Objects, path: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(content)
    with objects.exclusive(str(Path(path).parent)):
        objects.replace(path, tmp_path / "object", {})


def test_a_month_never_stored_is_none(lake: Lake) -> None:
    assert lake.current_raw(MARCH) is None
    assert lake.raw_versions(MARCH) == ()
    assert lake.current_clean(MARCH) is None
    assert lake.count_raw(MARCH) is None
    assert lake.count_clean(MARCH) is None
    assert lake.months("green") == ()
    assert lake.zones() is None
    assert lake.stored_zones() is None


def test_a_stored_raw_month_is_current_with_its_provenance(lake: Lake, tmp_path: Path) -> None:
    staged = staged_raw(tmp_path)
    stored = lake.store_raw(staged)
    assert stored == replace(staged.raw, path="raw/green/month=2020-03/v1.parquet")
    assert Lake(lake.url).current_raw(MARCH) == stored
    assert lake.count_raw(MARCH) == 5
    with lake.local_copy(stored.path) as file:
        assert file.read_bytes() == staged.file.read_bytes()


def test_a_readable_copy_stands_beside_its_version_and_is_what_views_read(lake: Lake, tmp_path: Path) -> None:
    staged, copy = staged_raw(tmp_path), tmp_path / "copy.parquet"
    pq.write_table(pq.read_table(staged.file).set_column(1, "version", pa.array(["readable"] * 5)), copy)
    plain = lake.store_raw(staged)
    assert (plain.readable_path, plain.view_path) == (None, plain.path)
    stored = lake.store_raw(replace(staged, readable_file=copy))
    assert stored == replace(plain, readable_path="raw/green/month=2020-03/v1.readable.parquet")
    assert lake.current_raw(MARCH) == stored
    with lake.local_copy(stored.path) as kept, lake.local_copy(stored.view_path) as read:
        assert kept.read_bytes() == staged.file.read_bytes()
        assert read.read_bytes() == copy.read_bytes()
    # The same version stored again, by whoever had no need of a copy, keeps it.
    assert lake.store_raw(staged) == stored


def test_a_new_version_is_current_and_the_earlier_one_still_there(lake: Lake, tmp_path: Path) -> None:
    first = lake.store_raw(staged_raw(tmp_path, "v1", rows=5))
    second = lake.store_raw(staged_raw(tmp_path, "v2", rows=7))
    assert lake.current_raw(MARCH) == second
    assert lake.raw_versions(MARCH) == (first, second)
    assert lake.raw_version(MARCH, "v1") == first
    with lake.open_parquet(first.path) as parquet:
        assert parquet.read(["version"])["version"].to_pylist() == ["v1"] * 5


def test_equal_bytes_under_a_new_token_change_provenance_and_nothing_else(lake: Lake, tmp_path: Path) -> None:
    first = lake.store_raw(staged_raw(tmp_path, token="t1"))
    again = staged_raw(tmp_path, token="t2")
    later = replace(again.raw, fetched_at="2027-01-01T00:00:00+00:00", source_url="https://mirror.example/x.csv.gz")
    stored = lake.store_raw(replace(again, raw=later))
    assert stored == replace(
        first, source_token="t2", etag='"t2"', fetched_at=later.fetched_at, source_url=later.source_url
    )
    assert lake.raw_versions(MARCH) == (stored,)


def test_an_earlier_version_can_be_made_current_again(lake: Lake, tmp_path: Path) -> None:
    first = lake.store_raw(staged_raw(tmp_path, "v1"))
    second = lake.store_raw(staged_raw(tmp_path, "v2"))
    assert lake.select_raw(MARCH, "v1") == first
    assert lake.current_raw(MARCH) == first
    assert lake.raw_versions(MARCH) == (first, second)


def test_a_selected_version_stays_current_while_upstream_has_what_it_had(lake: Lake, tmp_path: Path) -> None:
    first = lake.store_raw(staged_raw(tmp_path, "v1", token="t1"))
    lake.store_raw(staged_raw(tmp_path, "v2", token="t2"))
    lake.select_raw(MARCH, "v1")
    assert lake.store_raw(staged_raw(tmp_path, "v2", token="t3")) == first
    manifest = Lake(lake.url).manifest(MARCH)
    assert (manifest.current, manifest.upstream, manifest.is_selected) == ("v1", "v2", True)
    assert manifest.upstream_version is not None
    assert manifest.upstream_version.source_token == "t3"
    third = lake.store_raw(staged_raw(tmp_path, "v3", token="t4"))
    assert lake.current_raw(MARCH) == third
    assert not lake.manifest(MARCH).is_selected


def test_selecting_upstreams_own_version_follows_upstream_again(lake: Lake, tmp_path: Path) -> None:
    lake.store_raw(staged_raw(tmp_path, "v1"))
    lake.store_raw(staged_raw(tmp_path, "v2"))
    lake.select_raw(MARCH, "v1")
    lake.select_raw(MARCH, "v2")
    assert not lake.manifest(MARCH).is_selected


def test_a_withdrawn_month_keeps_its_versions_and_has_no_current_one(lake: Lake, tmp_path: Path) -> None:
    stored = lake.store_raw(staged_raw(tmp_path))
    assert lake.withdraw_raw(MARCH)
    assert not lake.withdraw_raw(MARCH)
    assert lake.current_raw(MARCH) is None
    assert lake.count_raw(MARCH) is None
    assert lake.raw_versions(MARCH) == (stored,)
    assert lake.manifest(MARCH).is_withdrawn
    assert lake.count_raw(MARCH, "v1") == 5
    assert lake.months("green") == (MARCH,)


def test_a_withdrawn_month_comes_back_by_upstream_or_by_selection(lake: Lake, tmp_path: Path) -> None:
    stored = lake.store_raw(staged_raw(tmp_path))
    lake.withdraw_raw(MARCH)
    assert lake.select_raw(MARCH, "v1") == stored
    assert lake.manifest(MARCH).is_selected
    assert lake.withdraw_raw(MARCH)
    assert lake.store_raw(staged_raw(tmp_path)) == stored
    assert not lake.manifest(MARCH).is_selected


def test_withdrawing_a_month_never_stored_makes_nothing(lake: Lake) -> None:
    assert not lake.withdraw_raw(MARCH)
    assert not lake.remove_clean(MARCH)
    assert lake.months("green") == ()


def test_a_manifest_without_word_of_upstream_follows_it(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    """As earlier releases wrote them."""
    lake.store_raw(staged_raw(tmp_path))
    content = objects.read("raw/green/month=2020-03/manifest.json")
    assert content is not None
    document = {**json.loads(content), "schema_version": 1}
    del document["upstream"]
    put(objects, "raw/green/month=2020-03/manifest.json", json.dumps(document).encode(), tmp_path)
    assert lake.manifest(MARCH).upstream == "v1"
    assert not lake.manifest(MARCH).is_selected


def test_an_unknown_version_is_refused_naming_those_there_are(lake: Lake, tmp_path: Path) -> None:
    lake.store_raw(staged_raw(tmp_path, "v1"))
    lake.store_raw(staged_raw(tmp_path, "v2"))
    for ask in (lake.raw_version, lake.select_raw):
        with pytest.raises(StoreError, match="no version v9: there are v1, v2"):
            ask(MARCH, "v9")


def test_a_version_of_a_month_never_stored_is_refused(lake: Lake) -> None:
    with pytest.raises(StoreError, match="has no raw green 2020-03: materialize its raw asset first"):
        lake.select_raw(MARCH, "v1")


def test_an_object_that_stands_there_is_never_changed(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    """A killed run left the object of this version, written by another release of the Parquet writer."""
    staged = staged_raw(tmp_path)
    table = pq.read_table(staged.file)
    other = tmp_path / "other.parquet"
    pq.write_table(table, other, compression="none", use_dictionary=False)
    assert other.stat().st_size != staged.file.stat().st_size
    put(objects, "raw/green/month=2020-03/v1.parquet", other.read_bytes(), tmp_path)
    stored = lake.store_raw(staged)
    assert stored.size == other.stat().st_size
    with lake.local_copy(stored.path) as file:
        assert file.read_bytes() == other.read_bytes()


def test_an_object_with_other_rows_stops_the_month(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    put(objects, "raw/green/month=2020-03/v1.parquet", staged_raw(tmp_path / "a", rows=900).file.read_bytes(), tmp_path)
    with pytest.raises(StoreError, match="has 900 rows, but this version of raw green 2020-03 has 5: move"):
        lake.store_raw(staged_raw(tmp_path / "b", rows=5))
    assert lake.current_raw(MARCH) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version": 1}', b"\xff\xfe"])
def test_an_unreadable_manifest_is_one_sentence(lake: Lake, objects: Objects, tmp_path: Path, content: bytes) -> None:
    staged = staged_raw(tmp_path)
    lake.store_raw(staged)
    put(objects, "raw/green/month=2020-03/manifest.json", content, tmp_path)
    for ask in (lake.current_raw, lake.count_raw, lake.manifest):
        with pytest.raises(DamagedError, match=r"manifest\.json is not a readable manifest of green 2020-03: run the"):
            ask(MARCH)


def test_a_manifest_of_another_month_or_a_later_release_is_refused(
    lake: Lake, objects: Objects, tmp_path: Path
) -> None:
    lake.store_raw(staged_raw(tmp_path))
    content = objects.read("raw/green/month=2020-03/manifest.json")
    assert content is not None
    put(objects, "raw/green/month=2020-04/manifest.json", content, tmp_path)
    with pytest.raises(StoreError, match="belongs to green 2020-03-01, not to green 2020-04"):
        lake.current_raw(APRIL)
    later = json.dumps({**json.loads(content), "schema_version": 9}).encode()
    put(objects, "raw/green/month=2020-03/manifest.json", later, tmp_path)
    with pytest.raises(StoreError, match="has schema version 9, this release knows 2"):
        lake.current_raw(MARCH)


def test_a_stored_clean_month_is_read_from_its_footers(lake: Lake, tmp_path: Path) -> None:
    staged = staged_clean(tmp_path)
    stored = lake.store_clean(staged)
    assert stored == Lake(lake.url).current_clean(MARCH)
    assert stored.facts == staged.facts
    assert stored.trips_size == staged.trips_file.stat().st_size
    assert lake.count_clean(MARCH) == MonthCounts(trips=4, quarantined=1)
    with lake.open_parquet(stored.trips_path) as parquet:
        assert parquet.read(["file_month"])["file_month"].to_pylist() == [date(2020, 3, 1)] * 4


def test_storing_a_clean_month_again_replaces_it(lake: Lake, tmp_path: Path) -> None:
    lake.store_clean(staged_clean(tmp_path, "c1", trips=4))
    second = lake.store_clean(staged_clean(tmp_path, "c2", trips=6))
    assert lake.current_clean(MARCH) == second
    assert lake.count_clean(MARCH) == MonthCounts(trips=6, quarantined=1)


def test_a_torn_pair_is_no_month_and_storing_repairs_it(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    stored = lake.store_clean(staged_clean(tmp_path, "c1"))
    newer = staged_clean(tmp_path, "c2")
    put(objects, stored.quarantine_path, newer.quarantine_file.read_bytes(), tmp_path)
    assert lake.current_clean(MARCH) is None
    assert lake.look(MARCH).problems
    lake.store_clean(newer)
    found = lake.current_clean(MARCH)
    assert found is not None
    assert found.facts.version == "c2"


def test_half_a_pair_is_no_month(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    stored = lake.store_clean(staged_clean(tmp_path))
    with objects.exclusive("quarantine/green/month=2020-03"):
        objects.remove(stored.quarantine_path)
    assert lake.current_clean(MARCH) is None
    assert lake.count_clean(MARCH) is None


def test_a_clean_month_is_removed_whole_torn_or_broken(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    staged = staged_clean(tmp_path)
    stored = lake.store_clean(staged)
    assert lake.remove_clean(MARCH)
    assert not lake.remove_clean(MARCH)
    assert (lake.current_clean(MARCH), lake.count_clean(MARCH)) == (None, None)
    for broken in (staged.trips_file.read_bytes(), b"<html>403</html>" * 10, b""):
        stored = lake.store_clean(staged)
        put(objects, stored.quarantine_path, broken, tmp_path)
        assert lake.current_clean(MARCH) is None
        assert lake.remove_clean(MARCH)
        assert not lake.look(MARCH).problems
    assert lake.store_clean(staged) == lake.current_clean(MARCH)


def test_clean_files_that_lie_about_their_rows_are_not_stored(lake: Lake, tmp_path: Path) -> None:
    staged = staged_clean(tmp_path)
    wrong = replace(staged, facts=replace(staged.facts, version="other"))
    with pytest.raises(StoreError, match="cleaned files of green 2020-03 do not carry their facts: nothing was stored"):
        lake.store_clean(wrong)
    assert lake.current_clean(MARCH) is None


def test_months_are_those_with_a_manifest_or_trips(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    lake.store_raw(staged_raw(tmp_path, month=APRIL))
    lake.store_clean(staged_clean(tmp_path))
    put(objects, "raw/green/month=2020-05/v1.parquet", b"left by a killed run", tmp_path)
    lake.store_raw(staged_raw(tmp_path, month=TripMonth("yellow", date(2019, 1, 1))))
    assert lake.months("green") == (MARCH, APRIL)
    assert lake.months("yellow") == (TripMonth("yellow", date(2019, 1, 1)),)


def test_what_is_no_parquet_file_is_one_sentence(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    stored = lake.store_clean(staged_clean(tmp_path))
    put(objects, stored.trips_path, b"<html>403</html>" * 10, tmp_path)
    with pytest.raises(StoreError, match=r"trips/.*\.parquet is not a Parquet file"):
        lake.open_parquet(stored.trips_path)
    (problem,) = lake.look(MARCH).problems
    assert re.search(r"trips/.*\.parquet is not a whole Parquet file", problem)


def test_a_missing_object_is_one_sentence(lake: Lake) -> None:
    with pytest.raises(StoreError, match=r"there is no .*trips/x\.parquet"):
        lake.open_parquet("trips/x.parquet")
    with pytest.raises(StoreError, match=r"there is no .*trips/x\.parquet"), lake.local_copy("trips/x.parquet"):
        pass


def test_a_file_of_many_row_groups_reads_back_whole_and_in_part(lake: Lake, objects: Objects, tmp_path: Path) -> None:
    """Larger than a part of an upload and than a window of a ranged read."""
    import numpy as np

    random = np.random.default_rng(1)
    table = pa.table({name: random.integers(0, 1 << 62, 400_000) for name in "abcd"})
    pq.write_table(table, tmp_path / "big.parquet", row_group_size=50_000, compression="none", use_dictionary=False)
    put(objects, "raw/green/month=2020-03/big.parquet", (tmp_path / "big.parquet").read_bytes(), tmp_path)
    with lake.open_parquet("raw/green/month=2020-03/big.parquet") as parquet:
        assert parquet.read().equals(table)
        assert parquet.read_row_group(5, ["c"])["c"].equals(table["c"][250_000:300_000])
        batches = pa.Table.from_batches(parquet.iter_batches(30_000, columns=["b", "d"]))
        assert batches.equals(table.select(["b", "d"]))
    with lake.local_copy("raw/green/month=2020-03/big.parquet") as file:
        assert file.read_bytes() == (tmp_path / "big.parquet").read_bytes()
