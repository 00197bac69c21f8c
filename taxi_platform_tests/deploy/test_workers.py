"""deploy/workers: what `install` lays out, judged by systemd, and compared with what the server says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]
from dagster._core.instance.config import dagster_instance_config

from taxi_platform.settings import Settings
from taxi_platform_tests.deploy.test_files import GOOGLE, WORKERS
from taxi_platform_tests.deploy.tools import REPOSITORY, resolved

FOLDER = REPOSITORY / "deploy" / "workers"
UNIT = "taxi-worker.service"
ADDRESSES = {"run-queue": "TAXI_BROKER", "dagster-db": "DAGSTER_POSTGRES_URL", "trips-db": "TAXI_POSTGRES"}
"""Service of the stack → the variable in which a worker is told where it is."""


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host")
    subprocess.run([str(FOLDER / "install")], env={**os.environ, "DESTDIR": str(folder)}, check=True)
    return folder


def variables(laid: Path) -> dict[str, str]:
    lines = (laid / "etc/taxi/worker.env").read_text().splitlines()
    return dict(line.lstrip("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))


def test_systemd_takes_the_unit(laid: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        missing = "systemd-analyze is not installed: apt-get install systemd"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    # It looks whether the program is there.
    unit = tmp_path / UNIT
    unit.write_text((laid / "etc/systemd/system" / UNIT).read_text().replace("/opt/taxi/bin/taxi", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_host_has_the_instance_and_the_settings_of_its_server(laid: Path, compose_folder: Path) -> None:
    config, _ = dagster_instance_config(str(laid / "var/lib/taxi/dagster"))
    assert config["run_launcher"]["class"] == "WorkersLauncher"
    assert config["storage"]["postgres"] == {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}
    given = variables(laid)
    assert config["run_launcher"]["config"]["broker"]["env"] in given
    Settings.from_environment({name: value for name, value in given.items() if name.startswith("TAXI_")})
    services = resolved(compose_folder, "compose.yaml", "compose.workers.yaml", **GOOGLE, **WORKERS)["services"]
    server = services["code-location"]["environment"]
    own = {"TAXI_CONCURRENCY"}
    assert given.keys() - own <= server.keys()
    # The addresses that the example gives are those at which the server is to be reached.
    for service, variable in ADDRESSES.items():
        (port,) = [port for port in services[service]["ports"] if port["host_ip"] == WORKERS["TAXI_PRIVATE_ADDRESS"]]
        assert f"{port['host_ip']}:{port['published']}/" in given[variable]


def test_laid_out_again_keeps_what_was_filled_in(laid: Path) -> None:
    file = laid / "etc/taxi/worker.env"
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_text()
    file.write_text(f"{before}TAXI_DATASETS=fhv\n")
    subprocess.run([str(FOLDER / "install")], env={**os.environ, "DESTDIR": str(laid)}, check=True)
    assert file.read_text().endswith("TAXI_DATASETS=fhv\n")


def test_a_server_with_workers_and_a_store_of_its_own_machine_is_refused(compose_folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"set TAXI_LAKE in \.env to a bucket"):
        resolved(compose_folder, "compose.yaml", "compose.workers.yaml", **WORKERS)


def test_the_image_has_what_every_launcher_needs() -> None:
    document = yaml.safe_load((REPOSITORY / "deploy/docker/instance/workers.yaml").read_text())
    assert document["run_launcher"]["module"] == "taxi_platform.orchestration.workers"
    assert "p['optional-dependencies'].values()" in (REPOSITORY / "deploy/docker/Dockerfile").read_text()
