"""The suite of the running platform, on the compose file's stack: PostgreSQL storage, every service its own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import generated, upstream
from taxi_platform_tests.automation.test_running import (
    server,
    test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing,
    test_the_stores_become_what_upstream_has_whatever_upstream_does,
)
from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.support.running import RunningPlatform
from taxi_platform_tests.support.upstream import Upstream

__all__ = [
    "generated",
    "server",
    "test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing",
    "test_the_stores_become_what_upstream_has_whatever_upstream_does",
    "upstream",
]


def variables_of(server: Upstream) -> dict[str, str]:
    return {
        "TAXI_SOURCE": "dtc",
        # By its name: an address of this machine would be taken for the service's own.
        "TAXI_SOURCE_URL": server.url.replace("127.0.0.1", "localhost"),
        "TAXI_AUTOMATION": "on",
        "TAXI_DATASETS": "green",
        "TAXI_LOOKBACK_MONTHS": "6",
        "TAXI_POLL_SECONDS": "2",
        "TAXI_WITHDRAWN": "remove",
    }


@pytest.fixture
def composed(compose_folder: Path, tmp_path: Path, server: Upstream) -> Iterator[Composed]:
    with Composed(compose_folder, tmp_path / "state", variables_of(server)).up() as composed:
        yield composed


@pytest.fixture
def settings(composed: Composed) -> Settings:
    return Settings.from_environment(composed["code-location"].environment)


@pytest.fixture
def platform(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningPlatform]:
    code_location = composed["code-location"]
    for name in ("DAGSTER_POSTGRES_URL", "PGPASSFILE"):
        monkeypatch.setenv(name, code_location.environment[name])
    home = Path(code_location.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield RunningPlatform(f"http://{composed['webserver'].address}:3000", home, instance, code_location.log)
