from __future__ import annotations

import dagster as dg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.keys import (
    LAYERS,
    LOOKUP,
    OF_ALL,
    QUARANTINE,
    REPORT,
    SHAPES,
    VIEWS,
    Place,
    asset_key,
    place,
)
from taxi_platform.settings import Settings

PLACES = [
    *(Place(layer, dataset) for dataset in CONTRACTS for layer in (*LAYERS, QUARANTINE, REPORT)),
    *(Place(layer, name) for name in (LOOKUP, SHAPES, *DIMENSIONS) for layer in (name, "warehouse", "postgres")),
    *(Place(layer, name) for name in OF_ALL for layer in ("warehouse", "postgres")),
    Place(VIEWS, VIEWS),
]


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_a_key_has_one_part_and_says_layer_and_dataset(at: Place) -> None:
    key = asset_key(*at)
    assert len(key.path) == 1
    assert place(key) == at


def test_the_platform_has_these_assets_and_no_others() -> None:
    repository = build_definitions(Settings.from_environment({})).get_repository_def()
    assert {place(key) for key in repository.assets_defs_by_key} == set(PLACES)


@pytest.mark.parametrize("key", [["raw", "green"], ["marts", "revenue"], ["green"], ["green_marts"], ["_raw"]], ids=str)
def test_a_key_of_another_form_is_none_of_ours(key: list[str]) -> None:
    assert place(dg.AssetKey(key)) is None
