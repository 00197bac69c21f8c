"""The dbt project of ``examples/dbt`` beside the contracts, without dbt: names, columns, versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.zones import MAPPED_ZONES
from tools.constraints import PYTHONS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "examples" / "dbt"
FILES = sorted(file for folder in ("models", "macros", "analyses", "tests") for file in (PROJECT / folder).rglob("*"))
SQL = "\n".join(file.read_text() for file in FILES if file.suffix == ".sql")


def _sources() -> dict[str, dict[str, Any]]:
    (source,) = yaml.safe_load((PROJECT / "models/sources.yml").read_text())["sources"]
    return {table["name"]: table for table in source["tables"]}


def _tests(column: dict[str, Any]) -> dict[str, Any]:
    """Name → arguments of a column's tests."""
    named = [{test: {}} if isinstance(test, str) else test for test in column.get("data_tests", [])]
    return {name: test[name].get("arguments", {}) for test in named for name in test}


def _pins(file: Path, python: str) -> dict[str, str]:
    """What an installer on that Python reads from a file of versions."""
    lines = [Requirement(line) for line in file.read_text().splitlines() if not line.startswith(("#", "--"))]
    told = [line for line in lines if line.marker is None or line.marker.evaluate({"python_version": python})]
    return {line.name.lower(): str(line.specifier).removeprefix("==") for line in told}


@pytest.mark.parametrize(
    "file",
    [*sorted(PROJECT.glob("*.y*ml")), *(file for file in FILES if file.suffix == ".yml")],
    ids=lambda file: file.name,
)
def test_every_file_of_properties_can_be_read(file: Path) -> None:
    assert isinstance(yaml.safe_load(file.read_text()), dict)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.dataset)
def test_a_source_says_of_a_dataset_what_its_contract_does(contract: Any) -> None:
    table = _sources()[contract.trips.name]
    columns = {column["name"]: column for column in table["columns"]}

    assert table["description"] == contract.description
    assert tuple(columns) == contract.trips.column_names
    for column in contract.trips.columns:
        told, tests = columns[column.name], _tests(columns[column.name])
        assert column.description in told["description"]
        assert ("not_null" in tests) is not column.nullable
        assert tests.get("accepted_values", {}).get("values", []) == [*column.codes]
    zones = _tests(columns["pickup_location_id"])["relationships"]
    assert zones == {"to": f"source('taxi', '{MAPPED_ZONES.name}')", "field": "location_id"}
    assert table["config"]["freshness"]
    assert f"'{contract.dataset}_trips'" in table["config"]["meta"]["dagster"]["asset_key"][0]


def test_every_source_and_model_that_is_named_is_there() -> None:
    tables, models = _sources(), {file.stem for file in FILES if file.suffix == ".sql" and "models" in file.parts}
    named = set(re.findall(r"source\('taxi', '(\w+)'\)", SQL))

    assert {"months", "zones", "codes"} <= named <= tables.keys()
    assert {"stg_green_tripdata", "fct_trips"} <= set(re.findall(r"ref\('(\w+)'\)", SQL)) <= models


def test_staging_selects_columns_that_the_contracts_have() -> None:
    calls = re.findall(r"trips_of\('(\w+)', \[(.*?)\]\)", SQL, re.DOTALL)

    assert {dataset for dataset, _ in calls} == {"green", "yellow", "fhv"}
    for dataset, columns in calls:
        assert set(re.findall(r"'(\w+)'", columns)) <= {*CONTRACTS[dataset].trips.column_names}


@pytest.mark.parametrize("python", PYTHONS)
def test_every_version_is_pinned_and_dagster_is_the_platform_s(python: str) -> None:
    pinned = _pins(PROJECT / "constraints.txt", python)

    for name, version in _pins(PROJECT / "requirements.txt", python).items():
        assert pinned[name] == version, "run make constraints"
    assert pinned["dagster"] == _pins(ROOT / "constraints.txt", python)["dagster"]
    assert pinned["duckdb"].split(".")[0] == _pins(ROOT / "constraints.txt", python)["duckdb"].split(".")[0]
    assert "://" not in (PROJECT / "constraints.txt").read_text()
