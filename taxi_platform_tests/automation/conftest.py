"""A deployment in this process: a folder as upstream, real stores below a temporary folder, an instance of its own."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import parse_month, parse_month_range
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.partitions import run_tags
from taxi_platform.settings import Settings
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv

GREEN = CONTRACTS["green"]
ALL = ("raw", "trips", "warehouse", "postgres")


@dataclass(frozen=True)
class Publisher:
    """A folder in the dtc layout, whose months come and go."""

    folder: Path
    cache: Path

    def publish(self, months: str, rows: int = 1_000) -> None:
        """Put generated files there; another number of rows is another version."""
        for month in parse_month_range(months):
            made = self.cache / f"green_{month:%Y-%m}_{rows}.csv.gz"
            if not made.exists():
                part = made.with_suffix(f".{os.getpid()}")
                write_month("green", month, rows, part, "csv.gz")
                part.replace(made)
            self._put(month, made)

    def publish_broken(self, month: str) -> None:
        """A file that is no gzip."""
        place = self.path(parse_month(month))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"<html>we are sorry</html>")

    def withdraw(self, month: str) -> None:
        self.path(parse_month(month)).unlink()

    def path(self, month: date) -> Path:
        return self.folder / f"green/green_tripdata_{month:%Y-%m}.csv.gz"

    def _put(self, month: date, made: Path) -> None:
        place = self.path(month)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        shutil.copyfile(made, part)
        part.replace(place)


@dataclass
class Deployment:
    """Definitions of green over real stores, run and evaluated in this process."""

    settings: Settings
    instance: dg.DagsterInstance
    upstream: Publisher
    _cursor: Any = field(default=None)

    @functools.cached_property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings, [GREEN])

    def run(
        self, months: str, layers: Sequence[str] = ALL, config: Any = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """The job over one contiguous range; a failure is returned, not raised."""
        job = self.definitions.resolve_job_def(job_name("green"))
        return job.execute_in_process(
            instance=self.instance,
            tags={**run_tags(parse_month_range(months)), **(tags or {})},
            asset_selection=[asset_key(layer, "green") for layer in layers],
            run_config={"ops": config or {}},
            raise_on_error=False,
        )

    def recorded(self, layer: str) -> set[str]:
        """Months that Dagster holds for materialized."""
        keys = self.instance.get_materialized_partitions(asset_key(layer, "green"))
        return {key[:7] for key in keys}

    def evaluate(self, at: str = "2021-09-20") -> dict[str, set[str]]:
        """One tick of automation on that day: layer → months it asks for."""
        result = self.evaluate_all(at)
        asked = {
            layer: {key[:7] for key in result.get_requested_partitions(asset_key(layer, "green")) if key}
            for layer in ALL[1:]
        }
        return {layer: months for layer, months in asked.items() if months}

    def evaluate_all(self, at: str = "2021-09-20") -> dg.EvaluateAutomationConditionsResult:
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            evaluation_time=datetime.fromisoformat(at).replace(tzinfo=timezone.utc),
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        return result


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of months that are generated once, for every process of these tests."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return tmp_path_factory.mktemp("generated")
    folder = tmp_path_factory.getbasetemp().parent / "generated"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def upstream(tmp_path: Path, generated: Path) -> Publisher:
    publisher = Publisher(tmp_path / "upstream", generated)
    zones = publisher.folder / "misc" / "taxi_zone_lookup.csv"
    zones.parent.mkdir(parents=True)
    zones.write_bytes(lookup_csv())
    return publisher


@pytest.fixture
def variables(tmp_path: Path, upstream: Publisher, postgres_url: str) -> dict[str, str]:
    return {
        "TAXI_DATA": str(tmp_path / "data"),
        "TAXI_SOURCE": "dtc",
        "TAXI_SOURCE_URL": str(upstream.folder),
        "TAXI_POSTGRES": postgres_url,
        "TAXI_POLL_SECONDS": "10",
        "TAXI_MARTS": "off",  # they have tests of their own
    }


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def deployment(
    variables: dict[str, str], upstream: Publisher, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Deployment(Settings.from_environment(), instance, upstream)
