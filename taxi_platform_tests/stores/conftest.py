"""A lake on disk, and connections to the session's PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taxi_platform.stores.lake.lake import Lake

if TYPE_CHECKING:
    from psycopg import Connection


def connected(url: str) -> Connection:
    import psycopg

    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))
