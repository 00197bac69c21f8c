"""The contracts as documents of the Open Data Contract Standard 3.1, by the standard's own schema."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.catalog.relations import relations
from taxi_platform.inspection.catalog.standard import documents, written
from taxi_platform.marts import MARTS, VIEWS

ALL = tuple(CONTRACTS.values())
DOCUMENTS = {name: yaml.safe_load(written(made)) for name, made in documents(relations(ALL), ALL).items()}


@pytest.fixture(scope="module")
def validator() -> Draft201909Validator:
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8"))
    assert "v3.1.0" in schema["properties"]["apiVersion"]["enum"]
    return Draft201909Validator(schema)


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_a_document_is_of_the_standard(validator: Draft201909Validator, name: str) -> None:
    assert DOCUMENTS[name]["apiVersion"] == "v3.1.0"
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(DOCUMENTS[name])] == []


def test_the_schema_refuses_what_is_not_of_the_standard(validator: Draft201909Validator) -> None:
    wrong = {**DOCUMENTS["green.yaml"], "schema": [{"name": "trips", "logicalType": "table"}]}
    assert not validator.is_valid(wrong)


def test_there_is_one_for_each_dataset_mart_and_view() -> None:
    names = {*CONTRACTS, "trips", *(mart.name for mart in MARTS), *(view.name for view in VIEWS)}
    assert set(DOCUMENTS) == {f"{name}.yaml" for name in names}
    assert len({made["id"] for made in DOCUMENTS.values()}) == len(DOCUMENTS)


@pytest.mark.parametrize("dataset", list(CONTRACTS))
def test_a_document_says_what_the_contract_says(dataset: str) -> None:
    contract, made = CONTRACTS[dataset], DOCUMENTS[f"{dataset}.yaml"]
    trips, quarantine = made["schema"]
    assert [each["name"] for each in trips["properties"]] == list(contract.trips.column_names)
    assert [each["name"] for each in quarantine["properties"]] == list(contract.quarantine.column_names)
    assert [rule["name"] for rule in trips["quality"]] == ["nothing_lost", *contract.reasons]
    for column, said in zip(contract.trips.columns, trips["properties"], strict=True):
        more = _more(said)
        assert said["description"] == column.description
        assert said["required"] is not column.nullable
        assert said["physicalType"] == column.type.postgres
        assert more["duckdbType"] == column.type.duckdb
        assert more.get("unit") == column.unit
        assert more.get("codes", {}) == {str(code): label for code, label in column.codes.items()}


def _more(said: dict[str, Any]) -> dict[str, Any]:
    return {each["property"]: each["value"] for each in said["customProperties"]}
