"""Marts as declared: their SELECTs in every dialect, what suits a dataset, what a change of definition changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.marts import MARTS, VIEWS, marts_of
from taxi_platform.marts.dictionary import render_marts
from taxi_platform.marts.features import FEATURE_TRIP, FEATURE_ZONE_HOUR
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import DIALECTS, SQL, Naming, definition, measured_sql, select
from taxi_platform.marts.zones import ZONE_HOUR
from taxi_platform.stores.arrow_tables import check_own_name
from tools.marts import origins, read, translations

FEATURES = (FEATURE_ZONE_HOUR, FEATURE_TRIP)
GREEN, FHV = CONTRACTS["green"], CONTRACTS["fhv"]


@pytest.mark.long
def test_the_selects_of_other_dialects_are_current() -> None:
    """Otherwise: make docs."""
    wanted = translations()
    assert {path: path.read_text() for path in wanted} == wanted
    assert (SQL / "origins.json").read_text() == origins()
    assert (SQL / "read.json").read_text() == read()
    assert {path for dialect in DIALECTS[1:] for path in (SQL / dialect).iterdir()} == wanted.keys()


def test_every_select_is_of_a_declaration() -> None:
    written = {path.stem for path in (SQL / DIALECTS[0]).glob("*.sql")}
    assert written == {"measured", *(mart.name for mart in MARTS), *(view.name for view in VIEWS)}


@pytest.mark.parametrize("declared", [*MARTS, *VIEWS], ids=lambda declared: declared.name)
def test_a_declaration_says_everything(declared: Mart | MartView) -> None:
    assert declared.name.startswith("feature_" if declared in FEATURES else "mart_")
    check_own_name(f"marts.{declared.name}_2020_03_new_yellow")  # with dataset and month it is a name in every store
    names = [column.name for column in declared.columns]
    assert len(set(names)) == len(names)
    assert all(column.description.endswith(".") for column in declared.columns)
    if isinstance(declared, Mart):
        assert set(declared.key) <= set(names)
        assert not declared.adds_up or "trips" in names


def test_the_page_says_all_that_is_declared() -> None:
    page = render_marts(MARTS, VIEWS, tuple(CONTRACTS.values()))
    both: list[Mart | MartView] = [*MARTS, *VIEWS]
    for declared in both:
        section = page.split(f"\n## `{declared.name}`\n")[1].split("\n## ")[0]
        assert declared.description in section
        for column in declared.columns:
            [line] = [line for line in section.splitlines() if line.startswith(f"| `{column.name}` |")]
            assert column.description in line
            assert f"| {column.unit or '-'} |" in line
    assert "One row for each `dataset`, `file_month`, `pickup_location_id`, `dropoff_location_id` and `bin`." in page
    assert "Of `fhvhv`. Made from `trips`." in page


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_what_a_mart_reads_is_made_before_it(contract: Contract) -> None:
    known = {"trips", "quarantine", "zones"}
    for mart in marts_of(contract):
        assert set(mart.reads) <= known, mart.name
        known.add(mart.name)


def test_a_mart_suits_a_dataset_that_has_its_columns() -> None:
    money = replace(ZONE_HOUR, needs=("fare_amount",))
    assert [money.suits(CONTRACTS[name]) for name in ("yellow", "green", "fhv", "fhvhv")] == [True, True, False, True]
    company = replace(ZONE_HOUR, datasets=("fhvhv",))
    assert [company.suits(contract) for contract in CONTRACTS.values()] == [False, False, False, True]


def test_a_label_names_a_column_of_the_key_and_no_select_gives_it() -> None:
    labelled = {mart.name: mart.labels for mart in MARTS if mart.labels}
    assert labelled == {
        "mart_tips_month": {"payment_type_name": "payment_type"},
        "mart_company_day": {"company": "vendor"},
    }
    for mart in MARTS:
        assert set(mart.labels.values()) <= set(mart.key)
        assert not any(label in select(mart.name, DIALECTS[0]) for label in mart.labels)


def test_a_store_that_keeps_what_marts_read_keeps_the_columns_of_narrow_marts_first() -> None:
    """And no column of trips beside those that marts name, or that columns of trips are derived from."""
    marts = [mart for mart in marts_of(GREEN) if mart.reads == ("trips",)]
    sql = measured_sql(marts, GREEN, GREEN.first_month, Naming("postgres", str))
    kept = sql.rpartition("SELECT ")[2].partition(" FROM")[0].split(", ")
    assert len(set(kept)) == len(kept) == 17
    assert set(kept[:7]) == {
        *("distance_hundredths", "dropoff_location_id", "duration_seconds", "fare_cents", "pickup_location_id"),
        *("payment_type", "tip_cents"),
    }
    assert "fare_amount" not in kept


def test_a_definition_changes_with_what_the_rows_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from taxi_platform.marts import queries

    above = replace(ZONE_HOUR, name="mart_zone_hour_grid", reads=(ZONE_HOUR.name,))
    marts = (ZONE_HOUR, above)
    before = definition(above, GREEN, marts)
    assert len(before) == 12
    assert definition(replace(above, description="In other words."), GREEN, marts) == before
    assert definition(above, FHV, marts) != before
    assert definition(replace(above, columns=above.columns[:3]), GREEN, marts) != before
    assert definition(above, GREEN, (replace(ZONE_HOUR, columns=ZONE_HOUR.columns[:3]), above)) != before
    assert definition(above, replace(GREEN, unified={"vendor": "trip_type"}), marts) != before
    select = queries.select
    monkeypatch.setattr(queries, "select", lambda name, dialect: select(name, dialect).replace("passenger", "person"))
    assert definition(above, GREEN, marts) != before
