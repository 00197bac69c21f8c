"""A copy of deploy/docker with secrets made by its own script, and the project of it as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.deploy.tools import COMPOSE_FOLDER
from tools.graphql import Webserver


@pytest.fixture(scope="session")
def compose_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``./stack up`` was said, with an engine that does nothing: the secrets are there."""
    folder = tmp_path_factory.mktemp("compose") / "docker"
    shutil.copytree(COMPOSE_FOLDER, folder, ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run(["./stack", "up"], cwd=folder, env={**os.environ, "COMPOSE": "true"}, check=True)
    return folder


@pytest.fixture(scope="module")
def stack(compose_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The whole stack, on generated months."""
    state = tmp_path_factory.mktemp("stack")
    variables = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "2000"}
    with Composed(compose_folder, state, variables).up() as composed:
        yield composed


@pytest.fixture(scope="module")
def webserver(stack: Composed) -> Webserver:
    return Webserver(f"http://{stack['webserver'].address}:3000")
