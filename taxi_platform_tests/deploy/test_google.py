"""What compose.google.yaml adds to the instance, against an emulated Cloud Storage."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform_tests.deploy.tools import COMPOSE_FOLDER


@dg.op
def says() -> None:
    sys.stdout.write("printed by a run\n")


@dg.job(executor_def=dg.in_process_executor)
def says_job() -> None:
    says()


def test_what_a_run_prints_is_in_the_bucket(
    gcs_server: str, gcs_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text((COMPOSE_FOLDER / "instance" / "google.yaml").read_text())
    monkeypatch.setenv("TAXI_LOGS_BUCKET", gcs_bucket)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        assert dg.execute_job(dg.reconstructable(says_job), instance).success
    with urllib.request.urlopen(f"{gcs_server}/storage/v1/b/{gcs_bucket}/o?prefix=dagster/") as response:
        objects = [item["mediaLink"] for item in json.load(response)["items"] if item["name"].endswith(".out")]
    contents = [urllib.request.urlopen(f"{gcs_server}/{link.split('/', 3)[3]}").read() for link in objects]
    assert b"printed by a run" in b"".join(contents)
