"""Stores and sources of the road matrix: real servers and emulators, made once, and a platform over a row of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.roads.rows import SHORT, Row
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import Server, new_database
from taxi_platform_tests.support.upstream import serve
from tools.emulators import azure, bigquery, gcs, s3
from tools.emulators.process import free_port

MONTHS = (date(2021, 6, 1), date(2021, 7, 1))
ROWS_OF_A_MONTH = 1_000
PLAIN, AWKWARD = "s3cret", "p@ss:w/o#rd? 100%"


@pytest.fixture(scope="session")
def upstream_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two generated green months and the zones, as one upstream lays them out."""
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "green").mkdir()
    (folder / "misc").mkdir()
    for month in MONTHS:
        write_month("green", month, ROWS_OF_A_MONTH, folder / f"green/green_tripdata_{month:%Y-%m}.csv.gz", "csv.gz")
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    return folder


@pytest.fixture(scope="session")
def upstream_url(upstream_folder: Path) -> Iterator[str]:
    with serve(upstream_folder) as upstream:
        yield upstream.url


@dataclass(frozen=True)
class OwnServer:
    """A server that its operator runs on TCP: every login has a password."""

    address: str

    def database(self, password: str) -> str:
        """An address into a new database, of a new login that owns it and has this password."""
        name = _new_name("road_")
        with psycopg.connect(f"postgresql://postgres:{PLAIN}@{self.address}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
            admin.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        return f"postgresql://{name}:{quote(password, safe='')}@{self.address}/{name}"


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    port = free_port()
    server = Server(tmp_path_factory.mktemp("own") / "server", PLAIN)
    server.start("127.0.0.1", port)
    try:
        yield OwnServer(f"127.0.0.1:{port}")
    finally:
        server.stop()


@dataclass(frozen=True)
class Road:
    """A platform over one row of the matrix."""

    row: Row
    platform: Platform

    @property
    def stores(self) -> dict[str, bool]:
        """Store of tables → whether it is on."""
        return {"warehouse": self.row.warehouse != "off", "postgres": self.row.postgres != "off"}


class Builder:
    """Makes the platform of a row, with stores that nobody has used; servers are started when a row asks for them."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder

    def __call__(self, row: Row) -> Road:
        variables = {
            "TAXI_DATA": str(self._folder / "data"),
            "TAXI_SOURCE": "dtc",
            # As they are where nobody says anything; a job for each mart makes BigQuery's rows long.
            "TAXI_MARTS": "off" if row in SHORT and row.warehouse == "BigQuery" else "on",
            "TAXI_SOURCE_URL": self._get("upstream_url" if row.source == "http" else "upstream_folder"),
            "TAXI_POSTGRES": self._postgres(row.postgres),
            **self._lake(row.lake),
            **self._warehouse(row.warehouse),
        }
        return Road(row, Platform(self._folder, variables))

    def _get(self, name: str) -> str:
        return str(self._request.getfixturevalue(name))

    def _postgres(self, kind: str) -> str:
        if kind in ("embedded", "off"):
            return kind
        if kind != "own":
            server: OwnServer = self._request.getfixturevalue("own_server")
            return server.database(AWKWARD if kind == "own percent-encoded" else PLAIN)
        return new_database(self._get("postgres_server"))  # on a private socket: its logins need no password

    def _lake(self, kind: str) -> dict[str, str]:
        bucket = _new_name("road-")
        if kind == "disk":
            return {"TAXI_LAKE": str(self._folder / "lake of one's own")}
        if kind == "GCS":
            gcs.create_bucket(self._get("gcs_server"), bucket)
            return {"TAXI_LAKE": f"gs://{bucket}", "STORAGE_EMULATOR_HOST": self._get("gcs_server")}
        if kind == "S3":
            s3.create_bucket(self._get("s3_server"), bucket)
            return {"TAXI_LAKE": f"s3://{bucket}/a/b", **s3.ENVIRONMENT, "AWS_ENDPOINT_URL": self._get("s3_server")}
        azure.create_container(self._get("azure_server"), bucket)
        account = {**azure.ENVIRONMENT, "AZURE_STORAGE_ENDPOINT": self._get("azure_server")}
        return {"TAXI_LAKE": f"az://{bucket}", **account}

    def _warehouse(self, kind: str) -> dict[str, str]:
        if kind == "BigQuery":
            url = f"bigquery://{bigquery.PROJECT}/{_new_name('road_')}?location=US"
            return {"TAXI_WAREHOUSE": url, "BIGQUERY_EMULATOR_HOST": self._get("bigquery_server")}
        return {"TAXI_WAREHOUSE": "off" if kind == "off" else str(self._folder / "my.duckdb")}


def _new_name(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex[:10]}"


@pytest.fixture
def build_road(request: pytest.FixtureRequest, tmp_path: Path) -> Builder:
    return Builder(request, tmp_path)
