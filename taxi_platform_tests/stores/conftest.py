"""A real PostgreSQL for the tests of stores: embedded, private, one per session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taxi_platform.stores.embedded_postgres import EmbeddedPostgres
from taxi_platform.stores.lake import Lake

if TYPE_CHECKING:
    from psycopg import Connection


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that is up until the session ends."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg") / "postgres").running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of that server, with no schema ``taxi`` in its database."""
    with connected(postgres_server) as connection:
        connection.execute("DROP SCHEMA IF EXISTS taxi CASCADE")
    return postgres_server


def connected(url: str) -> Connection:
    import psycopg

    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))
