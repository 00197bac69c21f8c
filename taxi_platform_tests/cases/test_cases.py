"""Every case comes out as it says, in every store: those that stand beside the repository, and its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.sources.sample.zones import lookup_csv
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


@pytest.mark.parametrize("source", ["dtc", "tlc"])
@pytest.mark.parametrize(
    "origin", [pytest.param(_shared, id="shared"), pytest.param(write_cases, id="own", marks=pytest.mark.long)]
)
def test_every_case_comes_out_as_it_says(origin: Any, source: str, postgres_server: str, tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    cases = [case for case in origin(folder) if case["source"] == source]
    outcomes = _run(cases, source, postgres_server, folder, tmp_path)
    assert len(cases) >= 6
    problems = {case["name"]: [*_problems(case, outcomes[case["name"]])] for case in cases}
    assert {name: found for name, found in problems.items() if found} == {}


def _run(cases: list[dict[str, Any]], source: str, server: str, folder: Path, tmp_path: Path) -> dict[str, Any]:
    """All of one source in one process, on stores of their own."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS taxi CASCADE")
    upstream = tmp_path / "upstream"
    (upstream / "misc").mkdir(parents=True)
    (upstream / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    (folder / "chosen.json").write_text(json.dumps(cases))
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    settings = {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": source, "TAXI_SOURCE_URL": str(upstream)}
    done = subprocess.run(
        [sys.executable, "-m", "taxi_platform_tests.cases.driver", folder / "chosen.json", tmp_path / "outcomes.json"],
        env={**outside, **settings, "TAXI_POSTGRES": server, "PYTHONPATH": str(_REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, Any] = json.loads((tmp_path / "outcomes.json").read_text())
    return outcomes


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
