"""Which lake a lake is, and whether its months are published or generated."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from taxi_platform.errors import StoreError
from taxi_platform.references import StagedRaw
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_raw


def made(folder: Path, *, generated: bool = False) -> Lake:
    """A lake with a raw month."""
    lake = Lake(str(folder / "lake"))
    staged = staged_raw(folder)
    lake.store_raw(as_generated(staged) if generated else staged)
    return lake


def as_generated(staged: StagedRaw) -> StagedRaw:
    return replace(staged, raw=replace(staged.raw, source_url="sample:green/green_tripdata_2020-03.csv.gz"))


def test_an_identity_travels_with_its_lake(tmp_path: Path) -> None:
    lake = made(tmp_path)
    first = lake.identify()
    assert (first.holds, lake.identity()) == ("published", first)
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    shutil.move(tmp_path / "lake", tmp_path / "moved")
    assert Lake(str(tmp_path / "copy")).identify() == first
    assert Lake(str(tmp_path / "moved")).identify() == first
    anew = made(tmp_path)
    assert anew.identify().id != first.id


@pytest.mark.parametrize("generated", [True, False])
def test_a_lake_refuses_months_of_the_other_kind(tmp_path: Path, generated: bool) -> None:
    lake = made(tmp_path, generated=generated)
    kinds = ("generated", "published")
    holds, other = kinds if generated else kinds[::-1]
    assert lake.identify().holds == holds
    staged = staged_raw(tmp_path, "v2", month=APRIL)
    with pytest.raises(StoreError, match=f"holds {holds} months, and .* is {other}: give {other} months a lake"):
        lake.store_raw(staged if generated else as_generated(staged))
    assert not lake.manifest(APRIL).versions
    assert lake.manifest(MARCH).current == "v1"


@pytest.mark.parametrize("generated", [True, False])
def test_a_lake_of_before_is_known_by_its_months(tmp_path: Path, generated: bool) -> None:
    made(tmp_path, generated=generated)
    (tmp_path / "lake" / "lake.json").unlink()
    lake = Lake(str(tmp_path / "lake"))
    assert lake.identity() is None
    with pytest.raises(StoreError, match=r"give .* months a lake of their own"):
        lake.store_raw(staged_raw(tmp_path, "v2") if generated else as_generated(staged_raw(tmp_path, "v2")))
    assert lake.identify().holds == ("generated" if generated else "published")


def test_many_who_come_at_once_make_one_identity(lake_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has no month yet: bring one with taxi run first"):
        Lake(lake_url).identify()
    assert Lake(lake_url).identity() is None

    def store(number: int) -> str:
        lake = Lake(lake_url)
        lake.store_raw(staged_raw(tmp_path / str(number)))
        return lake.identify().id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(store, range(4)))) == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"id": "", "holds": "published", "made_at": ""}'])
def test_a_damaged_identity_is_one_sentence(tmp_path: Path, content: str) -> None:
    made(tmp_path)
    (tmp_path / "lake" / "lake.json").write_text(content)
    with pytest.raises(StoreError, match="does not say which lake this is: restore it from a backup"):
        Lake(str(tmp_path / "lake")).identify()


def test_a_manifest_that_was_made_again_does_not_say_what_a_lake_of_before_holds(tmp_path: Path) -> None:
    lake = made(tmp_path, generated=True)
    (tmp_path / "lake/lake.json").unlink()
    (tmp_path / "lake/raw/green/month=2020-03/manifest.json").write_text("damaged")
    before = Lake(lake.url)
    assert before.repair(MARCH).versions
    before.store_raw(as_generated(staged_raw(tmp_path, "v2", month=APRIL)))
    assert before.identify().holds == "generated"
