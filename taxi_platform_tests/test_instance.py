"""Where the Dagster instance is, and what a command may touch there."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from taxi_platform.cli import instance, main
from taxi_platform.cli.instance import dagster_home
from taxi_platform.errors import StoreError
from taxi_platform.settings import Settings

SHIPPED = Path(instance.__file__).parents[1] / "dagster.yaml"
OWN = "telemetry: { enabled: false }\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("TAXI_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "dagster"
    folder.mkdir(parents=True)
    return folder


def env() -> Result:
    return CliRunner().invoke(main, ["env"])


def test_an_instance_gets_the_shipped_configuration(home: Path) -> None:
    assert env().exit_code == 0
    assert (home / "dagster.yaml").read_text() == SHIPPED.read_text()


def test_every_tick_goes_in_the_end(home: Path) -> None:
    """Dagster keeps those that asked for a run, and those that a kill cut off, for ever unless it is told."""
    shutil.copyfile(SHIPPED, home / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(home)) as shipped:
        days = {kind: shipped.get_tick_retention_settings(kind) for kind in InstigatorType}
    assert [kind for kind, told in days.items() if set(told) != set(TickStatus) or min(told.values()) < 1] == []


@pytest.mark.parametrize("as_link", [False, True])
def test_a_configuration_of_the_users_own_is_never_touched(home: Path, tmp_path: Path, as_link: bool) -> None:
    if as_link:
        (tmp_path / "dagster.yaml").write_text(OWN)
        (home / "dagster.yaml").symlink_to(tmp_path / "dagster.yaml")
    else:
        (home / "dagster.yaml").write_text(OWN)
    assert env().exit_code == 0
    assert (home / "dagster.yaml").is_symlink() == as_link
    assert (home / "dagster.yaml").read_text() == OWN


def test_a_link_that_an_installation_elsewhere_left_is_renewed(home: Path, tmp_path: Path) -> None:
    (home / "dagster.yaml").symlink_to(tmp_path / "gone" / "taxi_platform" / "dagster.yaml")
    assert env().exit_code == 0
    assert (home / "dagster.yaml").read_text() == SHIPPED.read_text()
    checkout = tmp_path / "checkout"
    (checkout / "taxi_platform").mkdir(parents=True)
    (checkout / "taxi_platform" / "definitions.py").touch()
    shutil.copyfile(SHIPPED, checkout / "dagster.yaml")
    (home / "dagster.yaml").unlink()
    (home / "dagster.yaml").symlink_to(checkout / "dagster.yaml")
    assert env().exit_code == 0
    assert (home / "dagster.yaml").readlink() == SHIPPED


def test_a_link_of_the_users_own_that_leads_nowhere_is_a_sentence(home: Path, tmp_path: Path) -> None:
    (home / "dagster.yaml").symlink_to(tmp_path / "unmounted" / "dagster.yaml")
    done = env()
    assert done.exit_code == 1
    assert f"leads to {tmp_path}/unmounted/dagster.yaml, which is not there: put it back" in done.output
    assert (home / "dagster.yaml").is_symlink()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("instance", "DAGSTER_HOME=instance is not a whole path, and dagster commands take no other: begin it with /"),
        ("/nowhere/instance", "DAGSTER_HOME=/nowhere/instance is no folder: make it with a copy of "),
    ],
)
def test_a_dagster_home_that_dagster_would_not_take_is_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", value)
    done = env()
    assert (done.exit_code, done.output.startswith(f"Error: {sentence}")) == (1, True), done.output
    assert not Path(value).exists()


def test_a_dagster_home_without_configuration_is_said_and_left_as_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with caplog.at_level(logging.WARNING, "taxi_platform"):
        assert dagster_home(Settings.from_environment()) == home
    assert f"DAGSTER_HOME={home} has no dagster.yaml: Dagster goes without pools and retries there" in caplog.text
    assert list(home.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreError, match=r"the Dagster instance cannot be kept in .*set TAXI_DATA"):
        dagster_home(Settings.from_environment({"TAXI_DATA": str(tmp_path / "data")}))
