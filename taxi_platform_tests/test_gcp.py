"""Dagster's own Google Cloud resources, for users' assets, where the platform's stores are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dagster_gcp import BigQueryResource, GCSResource

from taxi_platform.orchestration.gcp import gcp_resources
from taxi_platform.settings import Settings


def test_they_point_at_the_warehouses_project_and_location(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"TAXI_DATA": str(tmp_path), "TAXI_WAREHOUSE": "bigquery://some-project/taxi?location=EU"}
    )
    given = gcp_resources(settings)
    bigquery, gcs = given["bigquery"], given["gcs"]
    assert isinstance(bigquery, BigQueryResource)
    assert isinstance(gcs, GCSResource)
    assert (bigquery.project, bigquery.location, gcs.project) == ("some-project", "EU", "some-project")


def test_without_bigquery_credentials_say_which_project(tmp_path: Path) -> None:
    given = gcp_resources(Settings.from_environment({"TAXI_DATA": str(tmp_path)}))
    assert {name: resource.project for name, resource in given.items()} == {"bigquery": None, "gcs": None}


def test_the_package_is_imported_only_when_asked_for() -> None:
    program = "import sys, taxi_platform.orchestration.gcp; print('dagster_gcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
