"""A machine without a clone: the wheel in an environment of its own, run from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from taxi_platform import __version__
from taxi_platform_tests.support.distributions import ROOT, built
from tools.web import web_interface

pytestmark = [pytest.mark.long, pytest.mark.soak]

_PATIENCE = 300.0
_ASKED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel and what it needs, and nothing of this tree."""

    environment: Path

    @property
    def taxi_script(self) -> Path:
        return self.environment / "bin" / "taxi"

    def variables(self) -> dict[str, str]:
        ours = ("TAXI_", "DAGSTER_", "PYTHONPATH", "VIRTUAL_ENV")
        outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**outside, "COLUMNS": "80", "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"}

    def taxi(self, folder: Path, *arguments: str) -> str:
        command = [str(self.taxi_script), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=self.variables(), capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    wheel, _ = built(folder / "built")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-compile", "--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    done = subprocess.run([*pip, *install], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Installed(environment)


def test_every_command_runs_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    assert __version__ in installed.taxi(tmp_path, "--version")
    ran = installed.taxi(tmp_path, "run", "--datasets", "green", "--months", "2021-01..2021-02")
    shown = re.findall(r"^green +2021-0[12] +1,000 +(\d+) +(\d+) +\1 +\1 ", ran, re.MULTILINE)
    assert [int(trips) + int(kept_out) for trips, kept_out in shown] == [1000, 1000]
    assert "2 whole" in installed.taxi(tmp_path, "status")
    asked = installed.taxi(tmp_path, "query", "--format", "csv", "SELECT count(*) AS trips FROM taxi.trips")
    assert asked.split() == ['"trips"', str(sum(int(trips) for trips, _ in shown))]
    for command in ("report", "catalog"):
        pages = [Path(line) for line in installed.taxi(tmp_path, command).split()]
        assert pages
        assert all(page.is_relative_to(tmp_path) and page.stat().st_size > 10_000 for page in pages if page.is_file())
        assert pages[-1].name == "index.html"
    workspace = re.search(r"TAXI_WORKSPACE=(\S+)", installed.taxi(tmp_path, "env"))
    assert workspace
    assert Path(workspace[1]).is_relative_to(installed.environment)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_web_interface_and_its_daemon_run_too(installed: Installed, tmp_path: Path) -> None:
    with web_interface(tmp_path, installed.variables(), [str(installed.taxi_script)]) as address:
        asked = requests.post(f"{address}/graphql", json={"query": _ASKED}, timeout=_PATIENCE).json()["data"]
        (repository,) = asked["repositoriesOrError"]["nodes"]
        assert {"green_months", "taxi_retention"} <= {job["name"] for job in repository["jobs"]}
    home = tmp_path / "data" / "sample" / "dagster"
    assert (home / "dagster.yaml").resolve().is_relative_to(installed.environment)
    assert "Traceback" not in (tmp_path / "taxi-dev.log").read_text()


def test_an_environment_in_another_place_takes_the_folder_up(installed: Installed, tmp_path: Path) -> None:
    """As after ``pipx reinstall``: the instance's configuration is a link into the package, which has moved."""
    installed.taxi(tmp_path, "run", "--months", "2021-01")
    link = tmp_path / "data" / "sample" / "dagster" / "dagster.yaml"
    link.unlink()
    link.symlink_to(tmp_path / "gone" / "taxi_platform" / "dagster.yaml")
    assert "unchanged" in installed.taxi(tmp_path, "run", "--months", "2021-01")
    installed.taxi(tmp_path, "env")
    assert link.resolve().is_relative_to(installed.environment)
