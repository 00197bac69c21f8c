"""Zones that are derived from coordinates follow the zones' shapes: those months alone, by themselves, and once."""

from __future__ import annotations

import dagster as dg
import pytest

from taxi_platform.inspection.status import month_statuses
from taxi_platform.orchestration.jobs import ZONES_JOB
from taxi_platform.sources.sample.shapes import shapes_zip
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment
from taxi_platform_tests.automation.test_conditions import BELOW_RAW, follows
from taxi_platform_tests.stores.test_zone_shapes import SQUARE, zipped

MISSING = "the lake has no shapes of the zones"
WITH_COORDINATES, WITH_ZONES = ("2016-05", "2016-06"), "2016-07"


def publish_shapes(deployment: Deployment, content: bytes) -> str:
    """Upstream has these shapes, and the lake takes them; returns their version."""
    (deployment.upstream.folder / "misc" / "taxi_zones.zip").write_bytes(content)
    job = deployment.definitions.resolve_job_def(ZONES_JOB)
    job.execute_in_process(instance=deployment.instance, asset_selection=[dg.AssetKey("zone_shapes")])
    stored = Lake(deployment.settings.lake).stored_zone_shapes()
    assert stored is not None
    return stored.version


def behind(deployment: Deployment) -> dict[str, str]:
    statuses = month_statuses(deployment.settings, [GREEN])
    return {f"{s.file_month:%Y-%m}": s.behind["trips"] for s in statuses if "trips" in s.behind}


def zones_in(deployment: Deployment) -> dict[str, tuple[str, int]]:
    """Month → the shapes that its version names, and the trips whose pickup has a zone by them."""
    lake = Lake(deployment.settings.lake)
    found = {}
    for month in lake.months("green"):
        clean = lake.current_clean(month)
        assert clean is not None
        counts = clean.facts.located.get("derived_pickup_location_id", {})
        found[month.label] = (clean.facts.version.partition("+zones-")[2], counts.get("in_zone", 0))
    return found


def test_months_with_coordinates_follow_the_shapes(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    deployment.upstream.publish("2016-05..2016-07")
    assert deployment.run("2016-05..2016-07").success
    assert caplog.text.count(MISSING) == 1, "once, though two months have coordinates"
    assert zones_in(deployment) == dict.fromkeys((*WITH_COORDINATES, WITH_ZONES), ("", 0))
    assert (deployment.evaluate(), behind(deployment)) == ({}, {})

    first = publish_shapes(deployment, shapes_zip())
    sentence = f"trips were located without the zones' shapes, and {first} are current"
    assert behind(deployment) == dict.fromkeys(WITH_COORDINATES, sentence)
    assert deployment.evaluate() == follows(*WITH_COORDINATES)
    assert deployment.run("2016-05..2016-07", BELOW_RAW).success
    located = zones_in(deployment)
    assert {month: shapes for month, (shapes, _) in located.items()} == {
        **dict.fromkeys(WITH_COORDINATES, first),
        WITH_ZONES: "",
    }
    assert all(located[month][1] > 500 for month in WITH_COORDINATES), located
    assert (deployment.evaluate(), behind(deployment)) == ({}, {})

    second = publish_shapes(deployment, zipped([(1, 1, [SQUARE])]))
    sentence = f"trips were located by the zones' shapes {first}, and {second} are current"
    assert behind(deployment) == dict.fromkeys(WITH_COORDINATES, sentence)
    assert deployment.evaluate() == follows(*WITH_COORDINATES)
    assert deployment.run("2016-05..2016-07", ["trips"]).success
    assert {shapes for shapes, _ in zones_in(deployment).values()} == {second, ""}
    assert caplog.text.count(MISSING) == 1
    assert behind(deployment) == {}

    # Shapes that the lake lost are fetched again; until then what was made by them stays.
    (deployment.settings.data / "lake/zones/shapes.json").unlink()
    before = zones_in(deployment)
    assert deployment.run("2016-05..2016-07", ["trips"]).success
    assert (zones_in(deployment), behind(deployment)) == (before, {})
