"""Stores that only one machine has are refused where runs are on others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from taxi_platform.cli import main
from taxi_platform.errors import SettingsError
from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import Deployment

ELSEWHERE = {"module": "dagster_k8s", "class": "K8sRunLauncher"}
SHARED = {
    "TAXI_HOSTS": "many",
    "TAXI_LAKE": "gs://bucket",
    "TAXI_WAREHOUSE": "bigquery://project/taxi",
    "TAXI_POSTGRES": "postgresql://taxi@server/taxi",
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """One that launches its runs in Kubernetes."""
    with dg.instance_for_test(overrides={"run_launcher": ELSEWHERE}) as instance:
        yield instance


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"TAXI_LAKE": "/somewhere"}, "TAXI_LAKE is on"),
        ({"TAXI_LAKE": "", "TAXI_WAREHOUSE": ""}, "TAXI_LAKE and TAXI_WAREHOUSE are on"),
        ({"TAXI_WAREHOUSE": "", "TAXI_POSTGRES": "embedded:5433"}, "TAXI_WAREHOUSE and TAXI_POSTGRES are on"),
    ],
)
def test_many_hosts_refuse_the_stores_of_one(given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=f"{named} the disk of one machine, and TAXI_HOSTS=many"):
        Settings.from_environment({**SHARED, **given})


@pytest.mark.parametrize("off", [{}, {"TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}])
def test_many_hosts_take_what_every_machine_reaches(off: dict[str, str]) -> None:
    assert Settings.from_environment({**SHARED, **off}).of_one_host == ()


def test_a_run_on_an_instance_that_launches_elsewhere_fails_with_a_sentence(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    result = deployment.run("2020-01", ["raw"])
    assert not result.success
    said = "".join(str(event.event_specific_data) for event in result.all_events)
    assert "TAXI_LAKE, TAXI_WAREHOUSE and TAXI_POSTGRES are" not in said
    assert "TAXI_LAKE and TAXI_WAREHOUSE are on the disk of one machine, and K8sRunLauncher launches runs on" in said
    assert not (deployment.settings.data / "lake").exists()
    deployment.settings = deployment.settings.model_copy(update={"hosts": "one"})
    del deployment.definitions
    assert deployment.run("2020-01", ["raw"]).success


def test_so_does_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").write_text(f"run_launcher: {{ module: {ELSEWHERE['module']}, class: K8sRunLauncher }}")
    for name, value in {"TAXI_SOURCE": "sample", "TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": "off"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["run", "--datasets", "green", "--months", "2021-01"])
    assert done.exit_code == 1
    assert "TAXI_LAKE and TAXI_WAREHOUSE are on the disk of one machine, and K8sRunLauncher launches" in done.output
    assert "TAXI_HOSTS=one" in done.output
    assert not (tmp_path / "data" / "lake").exists()
