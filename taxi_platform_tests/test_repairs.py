"""What is behind, and what is run for it, over values; over real stores in ``automation/test_behind``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.cleaning.refusals import refusal
from taxi_platform.cleaning.version import clean_version
from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.behind import kept_options, lake_gaps, table_gap
from taxi_platform.inspection.status import MonthStatus
from taxi_platform.months import TripMonth, add_months
from taxi_platform.orchestration.automation.repairs import BATCH, Repair, layers_to_repair, repairs
from taxi_platform.orchestration.keys import LAYERS, MART_LAYERS
from taxi_platform.references import CleanFacts, CleanMonth, MonthCounts, RawMonth
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.model import HeldMonth
from taxi_platform.stores.testing.months import MARCH, staged_raw

GREEN = CONTRACTS["green"]
VERSION = clean_version(GREEN, "v1")


@pytest.fixture
def raw(tmp_path: Path) -> RawMonth:
    return replace(staged_raw(tmp_path, rows=10).raw, path="raw")


def in_lake(raw: RawMonth, raw_rows: int | None, trips: int | None, quarantined: int | None) -> MonthInLake:
    facts = CleanFacts(VERSION, "v1", (trips or 0) + (quarantined or 0), trips or 0, quarantined or 0, {})
    clean = CleanMonth(MARCH, facts, "t", "q", 1, 1) if trips is not None else None
    manifest = Manifest(MARCH, (raw,) if raw_rows is not None else (), raw.version if raw_rows is not None else None)
    return MonthInLake(MARCH, replace(manifest, clean=clean), raw_rows, clean)


def held(trips: int | None, version: str = VERSION) -> HeldMonth | None:
    return None if trips is None else HeldMonth(MonthCounts(trips, 2), version)


def status(behind: dict[str, str], month: date = MARCH.first_day, **more: object) -> MonthStatus:
    made = MonthStatus("green", month, 10, 8, 2, {"warehouse": 8, "postgres": 8}, None, raw_version="v1", behind=behind)
    return replace(made, **more)  # type: ignore[arg-type]


def gaps(found: MonthInLake, warehouse: HeldMonth | None, postgres: HeldMonth | None) -> dict[str, str]:
    tables = {"warehouse": table_gap(found, warehouse), "postgres": table_gap(found, postgres)}
    return {**lake_gaps(GREEN, found), **{name: gap for name, gap in tables.items() if gap}}


@pytest.mark.parametrize(
    ("rows", "layers"),
    [
        ((10, 8, 2, 8, 8), ()),
        ((None, 8, 2, 8, 8), LAYERS),
        ((10, None, None, 8, 8), ("trips", "warehouse", "postgres", *MART_LAYERS)),
        ((10, 7, 2, 7, 7), ("trips", "warehouse", "postgres", *MART_LAYERS)),
        ((10, 8, 2, 7, 8), ("warehouse", "warehouse_marts")),
        ((10, 8, 2, 8, None), ("postgres", "postgres_marts")),
        ((10, 8, 2, None, None), ("warehouse", "postgres", *MART_LAYERS)),
    ],
)
def test_only_the_layers_that_differ_are_repaired(
    raw: RawMonth, rows: tuple[int | None, ...], layers: tuple[str, ...]
) -> None:
    found = in_lake(raw, *rows[:3])
    assert layers_to_repair(status(gaps(found, held(rows[3]), held(rows[4])))) == layers


def test_equal_counts_of_another_version_are_behind(raw: RawMonth) -> None:
    found = in_lake(raw, 10, 8, 2)
    assert gaps(found, held(8, "c1"), held(8)) == {"warehouse": f"holds version c1, the lake {VERSION}"}
    later = replace(found, manifest=replace(found.manifest, versions=(raw, replace(raw, version="v2")), upstream="v2"))
    assert gaps(later, held(8), held(8)) == {"trips": "trips were made from raw version v1, and v2 is current"}
    old = replace(found, clean=replace(found.clean, facts=replace(found.clean.facts, version="v1-old")))  # type: ignore[type-var, union-attr]
    assert layers_to_repair(status(gaps(old, held(8, "v1-old"), held(8, "v1-old")))) == LAYERS[1:]


def test_options_that_a_month_was_cleaned_with_are_no_difference_and_are_kept(raw: RawMonth) -> None:
    found = in_lake(raw, 10, 8, 2)
    assert found.clean is not None
    options = {"drop_zero_passengers": True}
    facts = replace(found.clean.facts, version=f"{VERSION}+drop_zero_passengers", options=options)
    cleaned = replace(found, clean=replace(found.clean, facts=facts))
    assert lake_gaps(GREEN, cleaned) == {}
    assert kept_options(facts) == ("drop_zero_passengers",)
    (repair,), _ = repairs(GREEN, [status({"trips": "old"}, options=kept_options(facts))], lambda months: ())
    assert repair.config("green") == {"green_trips": {"config": {"drop_zero_passengers": True}}}
    assert Repair(repair.months, ("postgres",), repair.options).config("green") == {}


def test_a_refused_version_is_not_behind_until_the_release_would_judge_it_anew(raw: RawMonth) -> None:
    found = in_lake(raw, 10, 8, 2)
    later = replace(raw, version="v2")
    refused = replace(later, refused=refusal(GREEN, later, "dates do not parse"))
    manifest = replace(found.manifest, versions=(raw, refused), upstream="v2")
    assert lake_gaps(GREEN, replace(found, manifest=manifest)) == {}
    old = replace(refused, refused=replace(refused.refused, cleaning="v2-old"))  # type: ignore[type-var]
    anew = replace(found, manifest=replace(manifest, versions=(raw, old)))
    assert list(lake_gaps(GREEN, anew)) == ["raw"]


def test_a_version_that_stands_in_for_a_refused_one_is_not_fetched_for_an_earlier_conversion(raw: RawMonth) -> None:
    """Upstream has it no longer: a run would only meet the refused one, every day."""
    earlier = replace(raw, version="v1-r1")
    found = in_lake(earlier, 10, 8, 2)
    assert found.clean is not None
    facts = replace(found.clean.facts, version=clean_version(GREEN, "v1-r1"), raw_version="v1-r1")
    found = replace(found, clean=replace(found.clean, facts=facts))
    assert list(lake_gaps(GREEN, found)) == ["raw"]
    later = replace(raw, version="v2")
    refused = replace(later, refused=refusal(GREEN, later, "dates do not parse"))
    manifest = replace(found.manifest, versions=(earlier, refused), upstream="v2")
    assert lake_gaps(GREEN, replace(found, manifest=manifest)) == {}


def test_a_new_revision_reaches_all_months_in_bounded_batches_newest_first() -> None:
    days = [add_months(date(2015, 1, 1), i) for i in range(60)]
    old = {day: status({"trips": "old"}, day) for day in days}
    done: list[date] = []
    steps = 0
    while old:
        found, _ = repairs(GREEN, old.values(), lambda months: ())
        assert sum(len(repair.months) for repair in found) <= BATCH
        done += [day for repair in found for day in repair.months]
        old = {day: status for day, status in old.items() if day not in done}
        steps += 1
    assert sorted(done) == days
    assert done[: BATCH - 1] == sorted(days)[-BATCH:][: BATCH - 1]
    assert steps == 3


def test_marts_alone_are_made_again_where_they_are_behind() -> None:
    assert layers_to_repair(status({"postgres_marts": "not made yet"})) == ("postgres_marts",)
    assert layers_to_repair(status({"warehouse": "old", "postgres_marts": "old"})) == ("warehouse", *MART_LAYERS)


def test_what_is_under_way_or_off_is_left_alone() -> None:
    assert repairs(GREEN, [status({"trips": "old"}, is_under_way=True)], lambda months: ()) == ([], [])
    assert (
        layers_to_repair(status({"trips": "old"}, off=("postgres", "postgres_marts"))) == LAYERS[1:3] + MART_LAYERS[:1]
    )


def test_a_month_whose_file_upstream_has_no_longer_stays_says_so_and_is_cleaned_again() -> None:
    def gone(months: Sequence[TripMonth]) -> Sequence[TripMonth]:
        return [month for month in months if month == MARCH]

    both = {"raw": "the raw file was converted by an earlier release", "trips": "old"}
    april = date(2020, 4, 1)
    found, sentences = repairs(GREEN, [status(both), status(both, april)], gone)
    assert sorted((r.months, r.layers) for r in found) == [
        ((MARCH.first_day,), LAYERS[1:]),
        ((april,), LAYERS),
    ]
    assert sentences == [
        (
            "green 2020-03: the raw file was converted by an earlier release, and upstream has it no longer: the month "
            "stays as it is"
        )
    ]
