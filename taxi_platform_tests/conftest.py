"""What every test may use: where the real data is, a clean environment, a PostgreSQL. And the order of files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform_tests.support.postgres import new_database

pytest_plugins = ["taxi_platform_tests.support.emulators"]

_DEFAULT_TLC = Path(__file__).resolve().parents[2] / "shared" / "tlc"

_LONG_FIRST = (
    *("deploy", "end_to_end", "browser", "docs", "cases", "roads"),  # files of a minute and more
    *("automation", "io_managers", "stores", "ingest", "cleaning"),
)


def pytest_configure() -> None:
    """Let Ctrl-C through to what tests start: a job in a shell's background ignores it, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: what the workers take last is short, so that they end together."""
    order = {name: place for place, name in enumerate(_LONG_FIRST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees none of the developer's own ``TAXI_…`` variables or Dagster instance."""
    for name in [n for n in os.environ if n.startswith(("TAXI_", "DAGSTER_")) and n != "TAXI_TLC_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tlc() -> Path:
    """Real TLC files in upstream's two layouts; ``TAXI_TLC_DIR`` says where they are."""
    folder = Path(os.environ.get("TAXI_TLC_DIR", _DEFAULT_TLC))
    if not folder.is_dir():
        pytest.skip(f"no real TLC files in {folder}: set TAXI_TLC_DIR to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded, private server that is up until the session ends."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg") / "postgres").running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of that server, with no schema ``taxi`` in its database."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS taxi CASCADE")
    return postgres_server


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """The address of a database of that server which nobody has used: a platform on it starts no server of its own."""
    return new_database(postgres_server)
