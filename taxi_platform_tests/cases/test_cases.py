"""Every case comes out as it says, in every store: those that stand beside the repository, and its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.settings import Settings
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.cases.driver import by_job, outcomes
from taxi_platform_tests.cases.own import write_cases

_REPOSITORY = Path(__file__).resolve().parents[2]
_DEFAULT_CASES = _REPOSITORY.parent / "shared" / "cases"
_STORES = ("lake", "duckdb", "postgres")


def _shared(folder: Path) -> list[dict[str, Any]]:
    """``TAXI_CASES_DIR`` says where the program lies that writes them."""
    program = Path(os.environ.get("TAXI_CASES_DIR", _DEFAULT_CASES)) / "make_cases.py"
    if not program.is_file():
        pytest.skip(f"no program {program}: set TAXI_CASES_DIR to the folder that has it")
    subprocess.run([sys.executable, program, folder], check=True, capture_output=True)
    cases: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())
    return cases


@pytest.fixture(params=["dtc", "tlc"])
def variables(request: pytest.FixtureRequest, postgres_database: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a platform with one upstream of that layout, which has the zones."""
    upstream = tmp_path / "upstream"
    (upstream / "misc").mkdir(parents=True)
    (upstream / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    source = {"TAXI_SOURCE": request.param, "TAXI_SOURCE_URL": str(upstream)}
    return {**source, "TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": postgres_database}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    return folder


def test_every_case_comes_out_as_it_says(variables: dict[str, str], folder: Path) -> None:
    """By the job that ``taxi run`` runs."""
    cases = _of_the_source(_shared(folder), variables)
    settings = Settings.from_environment(variables)
    with by_job(settings) as bring:
        _assert_they_come_out_as_they_say(cases, outcomes(cases, folder, settings, bring))


@pytest.mark.long
@pytest.mark.parametrize("origin", [pytest.param(_shared, id="shared"), pytest.param(write_cases, id="own")])
def test_every_case_comes_out_as_it_says_by_the_command(
    origin: Callable[[Path], list[dict[str, Any]]], variables: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    cases = _of_the_source(origin(folder), variables)
    (folder / "chosen.json").write_text(json.dumps(cases))
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-m", "taxi_platform_tests.cases.driver", folder / "chosen.json", tmp_path / "outcomes.json"],
        env={**outside, **variables, "PYTHONPATH": str(_REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_they_come_out_as_they_say(cases, json.loads((tmp_path / "outcomes.json").read_text()))


def _of_the_source(cases: list[dict[str, Any]], variables: dict[str, str]) -> list[dict[str, Any]]:
    return [case for case in cases if case["source"] == variables["TAXI_SOURCE"]]


def _assert_they_come_out_as_they_say(cases: list[dict[str, Any]], found: dict[str, Any]) -> None:
    assert len(cases) >= 6
    problems = {case["name"]: [*_problems(case, found[case["name"]])] for case in cases}
    assert {name: problem for name, problem in problems.items() if problem} == {}


def _problems(case: dict[str, Any], outcome: dict[str, Any]) -> Iterator[str]:
    expect, text = case["expect"], outcome["text"]
    if outcome["exit"] != expect["exit"]:
        yield f"exit {outcome['exit']}: {text}"
    if "Traceback" in text:
        yield text
    for word in expect.get("sentence", ()):
        if word not in text:
            yield f"no {word!r} in {text}"
    if expect.get("keeps_before"):
        before = outcome["before"]
        if before["exit"] or any(before[name] != outcome[name] for name in before if " " in name):
            yield f"what stood before does not stand: {before} {outcome}"
    if expect["exit"] == 0 and outcome["exit"] == 0:
        yield from _differences(case, outcome)


def _differences(case: dict[str, Any], outcome: dict[str, Any]) -> Iterator[str]:
    """Between what was expected and each store, and between the stores."""
    contract, expect = CONTRACTS[case["dataset"]], case["expect"]
    rows = expect["trips"] + expect["quarantined"]
    if (outcome["raw_rows"], outcome["raw view"]) != (rows, rows):
        yield f"{outcome['raw_rows']} raw rows, {outcome['raw view']} in the view"
    for table, count in ((contract.trips.name, expect["trips"]), (contract.quarantine.name, expect["quarantined"])):
        stores = {store: outcome[f"{store} {table}"] for store in _STORES}
        if any(len(found) != count for found in stores.values()):
            yield f"{table}: { {store: len(found) for store, found in stores.items()} }"
        if any(found != stores["lake"] for found in stores.values()):
            yield f"the stores differ over {table}: {stores}"
    trips = sorted(outcome[f"lake {contract.trips.name}"], key=lambda row: str(row["pickup_datetime"]))
    for column, wanted in expect.get("values", {}).items():
        if (values := [row[column] for row in trips]) != wanted:
            yield f"{column} is {values}, not {wanted}"
