"""A version that cleaning refused, in runs of this process: what each layer holds, and a revision that takes it."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.cleaning import version
from taxi_platform.contracts import bounds
from taxi_platform.months import parse_month
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.metadata import VERSION
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment
from taxi_platform_tests.automation.kept import Kept, keeping
from taxi_platform_tests.automation.test_withdrawn import failed_checks, last_metadata

FEBRUARY = GREEN.month(parse_month("2020-02"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Kept]:
    with keeping(tmp_path_factory.mktemp("kept"), postgres_server) as kept:
        yield kept


@pytest.fixture
def tmp_path(kept: Kept) -> Path:
    return kept.emptied()


@pytest.fixture
def variables(variables: dict[str, str], kept: Kept) -> dict[str, str]:
    return {**variables, "TAXI_POSTGRES": kept.database}


@pytest.fixture
def refused(deployment: Deployment, kept: Kept) -> Deployment:
    """Two months everywhere; of the second, upstream has since a file whose pickups lie in another month."""

    def refused() -> None:
        deployment.upstream.publish("2020-01..2020-02")
        assert deployment.run("2020-01..2020-02").success
        shifted(deployment)

    kept.bring(deployment, refused)
    return deployment


def shifted(deployment: Deployment) -> None:
    """Two thirds of the pickups lie in the month after."""
    deployment.upstream.publish("2020-02", rows=1_100)
    file = deployment.upstream.path(FEBRUARY.first_day)
    text = gzip.decompress(file.read_bytes()).decode()
    file.write_bytes(gzip.compress(re.sub("2020-02-([01])", r"2020-03-\1", text).encode()))


def not_to_be_fetched(deployment: Deployment) -> None:
    """A look finds the file as it was; whoever fetches it fails."""
    file = deployment.upstream.path(FEBRUARY.first_day)
    was = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"gone")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def failures(result: dg.ExecuteInProcessResult) -> list[tuple[str, str]]:
    """Step and what failed in it."""
    return [
        (event.step_key or "", event.step_failure_data.error_display_string)
        for event in result.all_events
        if event.is_step_failure
    ]


def test_cleaning_refuses_and_the_next_run_refuses_before_it_fetches(refused: Deployment) -> None:
    lake = Lake(refused.settings.lake)
    (first,) = lake.raw_versions(FEBRUARY)
    clean = lake.current_clean(FEBRUARY)
    (step, said) = failures(refused.run("2020-02"))[0]
    manifest = lake.manifest(FEBRUARY)
    assert manifest.refusal is not None
    assert (step, manifest.current) == ("green_trips", first.version)
    assert manifest.refusal in said
    assert last_metadata(refused, "raw", FEBRUARY)[VERSION] == first.version
    not_to_be_fetched(refused)
    (step, said) = failures(refused.run("2020-02"))[0]
    assert step == "green_raw"
    assert manifest.refusal in said
    assert lake.manifest(FEBRUARY) == manifest
    assert lake.current_clean(FEBRUARY) == clean


def test_a_month_that_has_nothing_but_a_refused_version_says_so_and_sends_nobody_to_fetch_it(
    deployment: Deployment,
) -> None:
    shifted(deployment)
    assert not deployment.run("2020-02").success
    manifest = Lake(deployment.settings.lake).manifest(FEBRUARY)
    assert manifest.refusal is not None
    assert manifest.current is None
    (step, said) = failures(deployment.run("2020-02", ["trips"]))[0]
    assert step == "green_trips"
    assert manifest.refusal in said
    assert "materialize" not in said


def test_the_other_months_of_its_run_are_stored_and_checks_pass_with_the_version_before(refused: Deployment) -> None:
    refused.upstream.publish("2020-01", rows=1_200)
    assert not refused.run("2020-01..2020-02", ["raw", "trips"]).success
    lake = Lake(refused.settings.lake)
    january = lake.look(GREEN.month(parse_month("2020-01")))
    assert (january.raw_rows, january.counts is not None) == (1_200, True)
    job = refused.definitions.resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(asset_key("trips", "green"), "nothing_lost")
    checks = job.get_subset(asset_selection=frozenset(), asset_check_selection=frozenset({key}))
    assert failed_checks(checks.execute_in_process(instance=refused.instance)) == []


def test_another_revision_takes_it_without_a_fetch(refused: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not refused.run("2020-02").success
    lake = Lake(refused.settings.lake)
    before = lake.manifest(FEBRUARY)
    not_to_be_fetched(refused)
    monkeypatch.setattr(bounds, "OUTSIDE_PERCENT", 100)
    assert not refused.run("2020-02").success, "nothing says that cleaning is another"
    monkeypatch.setattr(version, "CLEANING_REVISION", version.CLEANING_REVISION + 1)
    assert refused.run("2020-02").success
    after = lake.manifest(FEBRUARY)
    assert (after.current, after.refusal) == (before.upstream, None)
    assert not after.version(before.upstream or "").accepts_changed_format
    assert lake.look(FEBRUARY).raw_rows == 1_100
