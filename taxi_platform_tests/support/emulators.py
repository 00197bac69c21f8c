"""Fixtures that start emulators once per test process and hand out a lake URL of its own to every test.

An emulator that is missing skips its tests and says what is missing; with ``CI`` set it fails them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tools.emulators import azure, bigquery, gcs, s3
from tools.emulators.process import EmulatorMissingError

Emulator = Callable[[Path], AbstractContextManager[str]]


@contextmanager
def _started(emulator: Emulator, name: str, factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with emulator(factory.mktemp(name) / "log") as url:
            yield url
    except EmulatorMissingError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"no emulator of {name}: {error}")
        pytest.skip(f"no emulator of {name}: {error}")


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulated Cloud Storage."""
    with _started(gcs.emulated_gcs, "gcs", tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulated S3."""
    with _started(s3.emulated_s3, "s3", tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulated Azure Blob Storage account."""
    with _started(azure.emulated_azure, "azure", tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="session")
def bigquery_server(gcs_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulated BigQuery, which reads ``gs://`` from the emulated Cloud Storage."""

    def emulator(log: Path) -> AbstractContextManager[str]:
        return bigquery.emulated_bigquery(log.parent, gcs_server)

    with _started(emulator, "bigquery", tmp_path_factory) as url:
        yield url


@pytest.fixture
def bigquery_url(bigquery_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a dataset that is not made yet; the environment points at the emulator."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server)
    dataset = f"taxi_{uuid.uuid4().hex[:12]}"
    yield f"bigquery://{bigquery.PROJECT}/{dataset}?location=US"
    bigquery.delete_dataset(bigquery_server, dataset)


@pytest.fixture
def gcs_bucket(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket in the emulated Cloud Storage, which the environment points at."""
    bucket = f"taxi-{uuid.uuid4().hex[:12]}"
    gcs.create_bucket(gcs_server, bucket)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    return bucket


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket in the emulated S3, which the environment points at."""
    bucket = f"taxi-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(s3_server, bucket)
    for name, value in {**s3.ENVIRONMENT, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    return bucket


@pytest.fixture
def azure_container(azure_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty container in the emulated account, which the environment points at."""
    container = f"taxi-{uuid.uuid4().hex[:12]}"
    azure.create_container(azure_server, container)
    for name, value in {**azure.ENVIRONMENT, "AZURE_STORAGE_ENDPOINT": azure_server}.items():
        monkeypatch.setenv(name, value)
    return container


@pytest.fixture(params=["gs", "s3", "az"])
def cloud_url(request: pytest.FixtureRequest) -> str:
    """An empty lake in each cloud; the environment lets a `Lake` reach it."""
    bucket = {"gs": "gcs_bucket", "s3": "s3_bucket", "az": "azure_container"}[request.param]
    return f"{request.param}://{request.getfixturevalue(bucket)}/some/prefix"


@pytest.fixture(params=["disk", "gs", "s3", "az"])
def lake_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty lake of each kind; the environment lets a `Lake` reach it."""
    if request.param == "disk":
        return str(tmp_path / "lake")
    bucket = {"gs": "gcs_bucket", "s3": "s3_bucket", "az": "azure_container"}[request.param]
    return f"{request.param}://{request.getfixturevalue(bucket)}/some/prefix"
