"""``taxi dev --read-only``: whoever reaches it sees everything and changes nothing."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import requests

from taxi_platform_tests.support.platform import Platform
from tools.web import web_interface

pytestmark = pytest.mark.long

SEEN = "{ runsOrError { ... on Runs { results { status } } } permissions { permission value } }"
START = """mutation { launchPartitionBackfill(backfillParams: {
  assetSelection: [{path: ["green_raw"]}], partitionNames: ["2021-07-01"]
}) { __typename } }"""
WIPE = """mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["green_raw"]}}]) { __typename } }"""
SWITCH = """mutation { startSensor(sensorSelector: {
  sensorName: "green_published", repositoryName: "__repository__", repositoryLocationName: "taxi_platform"
}) { __typename } }"""


def test_it_shows_and_does_not_change(made: Platform, tmp_path: Path) -> None:
    platform = made.copied(tmp_path)
    with web_interface(platform.folder, platform.environment, options=["--read-only"]) as address:

        def ask(query: str) -> dict[str, object]:
            answer: dict[str, object] = requests.post(f"{address}/graphql", json={"query": query}, timeout=60).json()
            return answer

        seen = ask(SEEN)["data"]
        assert isinstance(seen, dict)
        assert [run["status"] for run in seen["runsOrError"]["results"]]
        assert not [p["permission"] for p in seen["permissions"] if p["value"]]
        for mutation in (START, WIPE, SWITCH):
            answer = ask(mutation)
            assert "UnauthorizedError" in str(answer) or answer.get("errors"), answer
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        assert not instance.get_backfills()
        assert instance.get_materialized_partitions(dg.AssetKey("green_raw"))
        assert not instance.all_instigator_state()
