"""Versions of a raw month that cleaning has refused: what is current then, and until when."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform.errors import RefusedMonthError
from taxi_platform.references import RawMonth, Refusal
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw

REFUSAL = Refusal("dates read in no record, such as '4/1/2020 0:30'", "v-1")


def stored(lake: Lake, folder: Path, *versions: str) -> list[RawMonth]:
    return [lake.store_raw(staged_raw(folder, version, token=version)) for version in versions]


def test_a_refused_version_is_kept_with_its_sentence_and_never_current(lake: Lake, tmp_path: Path) -> None:
    first, second = stored(lake, tmp_path, "v1", "v2")
    lake.refuse_raw(MARCH, "v2", REFUSAL)
    manifest = Lake(lake.url).manifest(MARCH)
    assert manifest.current_version == lake.current_raw(MARCH) == first
    assert (manifest.upstream, manifest.refusal, manifest.is_selected) == ("v2", REFUSAL.sentence, False)
    assert manifest.version("v2").refused == REFUSAL
    assert lake.count_raw(MARCH, "v2") == second.rows
    # The same bytes again, under another name of upstream's, are no reason to take them.
    assert lake.store_raw(staged_raw(tmp_path, "v2", token="renamed")) == first
    assert lake.manifest(MARCH).upstream_version is not None
    assert lake.manifest(MARCH).version("v2").source_token == "renamed"


def test_a_month_whose_only_version_is_refused_has_none_current_and_is_not_withdrawn(
    lake: Lake, tmp_path: Path
) -> None:
    stored(lake, tmp_path, "v1")
    lake.refuse_raw(MARCH, "v1", REFUSAL)
    manifest = lake.manifest(MARCH)
    assert (manifest.current, manifest.is_withdrawn, manifest.refusal) == (None, False, REFUSAL.sentence)
    assert lake.look(MARCH).raw_rows is None
    assert not lake.withdraw_raw(MARCH)
    assert lake.manifest(MARCH).is_withdrawn
    assert lake.manifest(MARCH).refusal is None


def test_current_is_what_upstream_had_last_and_cleaning_took(lake: Lake, tmp_path: Path) -> None:
    """Upstream went back to the first file before it published the refused one."""
    stored(lake, tmp_path, "v1", "v2", "v1", "v3")
    lake.refuse_raw(MARCH, "v3", REFUSAL)
    assert lake.manifest(MARCH).current == "v1"


def test_an_accepted_version_is_current_and_its_consent_stays(lake: Lake, tmp_path: Path) -> None:
    stored(lake, tmp_path, "v1", "v2")
    lake.refuse_raw(MARCH, "v2", REFUSAL)
    assert not lake.accept_raw(MARCH, "v2").accepts_changed_format
    assert lake.manifest(MARCH).current == "v2"
    lake.refuse_raw(MARCH, "v2", REFUSAL)
    assert lake.accept_raw(MARCH, "v2", accept_changed_format=True).accepts_changed_format
    assert lake.manifest(MARCH).refusal is None
    again = lake.store_raw(staged_raw(tmp_path, "v2", token="t3"))
    assert (again.accepts_changed_format, again.source_token) == (True, "t3")
    assert not lake.store_raw(staged_raw(tmp_path, "v3")).accepts_changed_format


def test_a_refused_version_is_selected_with_consent_only(lake: Lake, tmp_path: Path) -> None:
    stored(lake, tmp_path, "v1", "v2", "v3")
    lake.refuse_raw(MARCH, "v2", REFUSAL)
    with pytest.raises(RefusedMonthError, match=r"version v2 of green 2020-03 was refused, .*only: dates read in no"):
        lake.select_raw(MARCH, "v2")
    assert lake.manifest(MARCH).current == "v3"
    assert lake.select_raw(MARCH, "v2", accept_changed_format=True).accepts_changed_format
    assert (lake.manifest(MARCH).current, lake.manifest(MARCH).is_selected) == ("v2", True)


def test_a_selected_version_stays_where_what_upstream_has_since_is_refused(lake: Lake, tmp_path: Path) -> None:
    stored(lake, tmp_path, "v1", "v2")
    lake.select_raw(MARCH, "v1")
    stored(lake, tmp_path, "v3")
    assert lake.manifest(MARCH).current == "v3"
    lake.refuse_raw(MARCH, "v3", REFUSAL)
    manifest = lake.manifest(MARCH)
    assert (manifest.current, manifest.is_selected, manifest.refusal) == ("v1", True, REFUSAL.sentence)
    # Selected since, it is an answer to the refusal.
    lake.select_raw(MARCH, "v1")
    assert lake.manifest(MARCH).refusal is None
    stored(lake, tmp_path, "v4")
    lake.store_clean(staged_clean(tmp_path, raw_version="v4"))
    lake.refuse_raw(MARCH, "v4", REFUSAL)
    assert lake.manifest(MARCH).current == "v2", "a selection that has ended does not come back"
