"""Damaged objects of a lake: said as a value, counted as absent, and made again by who stores the month next."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.references import RawMonth
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw

MANIFEST = "raw/green/month=2020-03/manifest.json"


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def garbled(file: Path) -> None:
    file.write_bytes(os.urandom(file.stat().st_size))


def with_a_false_footer(file: Path) -> None:
    """It ends as a Parquet file does."""
    content = file.read_bytes()
    file.write_bytes(content[:-100] + b"\xff" * 92 + content[-8:])  # no number of Thrift is so long


DAMAGE: list[Callable[[Path], object]] = [
    lambda file: file.write_bytes(b""),
    cut,
    garbled,
    lambda file: file.unlink(),
    with_a_false_footer,
]
every_damage = pytest.mark.parametrize("damage", DAMAGE, ids=["empty", "cut", "garbage", "missing", "false-footer"])


@pytest.fixture
def whole(lake: Lake, tmp_path: Path) -> Lake:
    """A lake with two versions of one raw month, the second cleaned."""
    for version in ("v1", "v2"):
        lake.store_raw(staged_raw(tmp_path, version, token=version))
    lake.store_clean(staged_clean(tmp_path, raw_version="v2"))
    assert lake.look(MARCH).problems == ()
    return lake


@every_damage
@pytest.mark.parametrize("layer", ["trips", "quarantine"])
def test_a_damaged_pair_is_absent_and_stored_again(
    whole: Lake, tmp_path: Path, layer: str, damage: Callable[[Path], object]
) -> None:
    stored = whole.current_clean(MARCH)
    assert stored is not None
    damage(Path(whole.uri(stored.trips_path if layer == "trips" else stored.quarantine_path)))
    found = whole.look(MARCH)
    assert (found.raw_rows, found.clean, found.counts, found.data_version) == (5, None, None, None)
    (problem,) = found.problems
    assert f"{layer}/green/month=2020-03" in problem or "and its quarantine" in problem
    assert whole.current_clean(MARCH) is None
    assert whole.count_clean(MARCH) is None
    again = whole.store_clean(staged_clean(tmp_path, raw_version="v2"))
    assert whole.current_clean(MARCH) == again
    assert whole.look(MARCH).problems == ()


@every_damage
def test_a_damaged_raw_object_is_absent_and_stored_again(
    whole: Lake, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    raw = whole.current_raw(MARCH)
    assert raw is not None
    damage(Path(whole.uri(raw.path)))
    found = whole.look(MARCH)
    assert (found.raw_rows, found.manifest.current) == (None, "v2")
    assert found.clean is not None
    assert found.problems == (whole.raw_problem(raw),)
    assert whole.store_raw(staged_raw(tmp_path, "v2")).version == "v2"
    assert whole.look(MARCH).problems == ()
    with whole.local_copy(raw.path) as file:
        assert file.read_bytes() == staged_raw(tmp_path, "v2").file.read_bytes()


def test_pages_that_do_not_read_are_put_again_when_the_file_is_stored_again(whole: Lake, tmp_path: Path) -> None:
    """The footer is whole, so that nothing but reading tells."""
    raw = whole.current_raw(MARCH)
    assert raw is not None
    file = Path(whole.uri(raw.path))
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    assert whole.look(MARCH).problems == ()
    whole.store_raw(staged_raw(tmp_path, "v2"))
    assert file.read_bytes() == content


def test_a_readable_copy_that_is_damaged_counts_and_is_put_again(lake: Lake, tmp_path: Path) -> None:
    staged = replace(staged_raw(tmp_path), readable_file=staged_raw(tmp_path / "copy").file)
    stored = lake.store_raw(staged)
    Path(lake.uri(stored.view_path)).write_bytes(b"")
    assert lake.raw_problem(stored)
    assert lake.readable_raw(MARCH) is None
    assert lake.store_raw(staged) == stored
    assert lake.readable_raw(MARCH) == stored
    assert not lake.raw_problem(stored)


@every_damage
def test_many_months_are_read_without_the_damaged_one(
    whole: Lake, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    april = whole.store_raw(staged_raw(tmp_path, month=APRIL))
    damage(Path(whole.uri(MANIFEST)))
    assert [whole.readable_raw(month) for month in (MARCH, APRIL)] == [None, april]
    assert whole.look(APRIL).raw_rows == 5
    assert MARCH in whole.months("green"), "its trips are there"


def test_an_object_that_is_cut_leaves_the_views_and_one_that_is_selected_says_so(whole: Lake) -> None:
    first, second = whole.raw_versions(MARCH)
    cut(Path(whole.uri(second.path)))
    cut(Path(whole.uri(first.path)))
    assert whole.readable_raw(MARCH) is None
    with pytest.raises(DamagedError, match=r"v1\.parquet is not a whole Parquet file.*choose another version"):
        whole.select_raw(MARCH, "v1")
    assert whole.manifest(MARCH).current == "v2"


def forgotten(raw: RawMonth) -> RawMonth:
    """What no object tells."""
    return replace(raw, source_url="unknown", source_token="unknown", etag=None, sha256=raw.version, source_size=0)


@every_damage
def test_a_damaged_manifest_is_made_again_from_the_objects_there_are(
    whole: Lake, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    before = whole.manifest(MARCH)
    for age, raw in enumerate(reversed(before.versions)):
        os.utime(whole.uri(raw.path), (1_000 - age, 1_000 - age))
    file = Path(whole.uri(MANIFEST))
    damage(file)
    content = file.read_bytes() if file.exists() else None
    found = whole.look(MARCH)
    assert (found.raw_rows, found.clean, found.manifest.versions) == (None, None, ())
    assert found.is_manifest_damaged == (content is not None)
    again = whole.repair(MARCH)
    assert again == whole.manifest(MARCH)
    said = [replace(raw, fetched_at="", schema_fingerprint="") for raw in again.versions]
    assert said == [replace(forgotten(raw), fetched_at="", schema_fingerprint="") for raw in before.versions]
    assert (again.current, again.upstream) == ("v2", "v2")
    assert again.clean == replace(before.clean, stored_at=None) if before.clean else False
    assert whole.look(MARCH).problems == ()
    aside = list(file.parent.glob("manifest.damaged-*.json"))
    assert [kept.read_bytes() for kept in aside] == ([] if content is None else [content])
    stored = whole.store_raw(staged_raw(tmp_path, "v2", token="v2"))
    assert stored == before.current_version
    assert whole.manifest(MARCH).current == "v2"


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [
        ("clean", "trips_path", "../../elsewhere.parquet"),
        ("clean", "quarantine_path", "/etc/passwd"),
        ("clean", "trips_size", "many"),
        ("clean", "stored_at", "yesterday"),
        ("versions", "path", "s3://elsewhere/x.parquet"),
        ("versions", "rows", 5.0),
    ],
)
def test_a_manifest_that_leads_out_of_the_lake_or_has_other_types_is_damaged(
    whole: Lake, layer: str, name: str, value: object
) -> None:
    manifest = Path(whole.uri(MANIFEST))
    document = json.loads(manifest.read_text())
    (document[layer][-1] if layer == "versions" else document[layer])[name] = value
    manifest.write_text(json.dumps(document))
    with pytest.raises(DamagedError, match="is not a readable manifest of green 2020-03"):
        whole.manifest(MARCH)


def test_storing_over_a_damaged_manifest_loses_no_version(whole: Lake, tmp_path: Path) -> None:
    Path(whole.uri(MANIFEST)).write_bytes(b'{"schema_version": 2}')
    whole.store_raw(staged_raw(tmp_path, "v3", token="v3"))
    assert {raw.version for raw in whole.raw_versions(MARCH)} == {"v1", "v2", "v3"}
    assert whole.manifest(MARCH).current == "v3"


def test_a_repair_of_what_is_whole_or_was_never_there_writes_nothing(whole: Lake) -> None:
    before = {file: file.stat().st_mtime_ns for file in Path(whole.url).rglob("*.json")}
    assert whole.repair(MARCH) == whole.manifest(MARCH)
    assert whole.repair(APRIL).versions == ()
    assert {file: file.stat().st_mtime_ns for file in Path(whole.url).rglob("*.json")} == before


def test_a_manifest_of_a_later_release_is_left_alone(whole: Lake, tmp_path: Path) -> None:
    file = Path(whole.uri(MANIFEST))
    later = json.dumps({**json.loads(file.read_text()), "schema_version": 9})
    file.write_text(later)
    for ask in (whole.look, whole.repair, lambda _: whole.store_raw(staged_raw(tmp_path, "v3"))):
        with pytest.raises(StoreError, match="has schema version 9, this release knows 2"):
            ask(MARCH)
    assert file.read_text() == later


def test_looks_are_remembered_and_a_damaged_memory_is_none(lake: Lake) -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
    assert lake.last_look("green") is None
    lake.note_look("green", now)
    lake.note_look("green", now - timedelta(days=1))
    assert Lake(lake.url).last_look("green") == now
    assert lake.last_look("yellow") is None
    Path(lake.uri("looks/green.json")).write_bytes(b"")
    assert lake.last_look("green") is None
    lake.note_look("green", now)
    assert lake.last_look("green") == now
    assert lake.months("green") == ()
