"""``taxi postgres-url --export``: the address as the variables of libpq, in a shell."""

from __future__ import annotations

import os
import subprocess

import psycopg
import pytest

from taxi_platform.cli.postgres_address import libpq_exports, postgres_address
from taxi_platform.errors import SettingsError
from taxi_platform.settings import Settings

_BEFORE = {"PGHOST": "other", "PGPASSWORD": "old", "PGPORT": "1"}


def _evaluated(address: str) -> dict[str, str]:
    """The PG… variables of a shell that had others before."""
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{libpq_exports(address)}\nenv -0"], env=_BEFORE, capture_output=True, check=True
    )
    told = dict(entry.split("=", 1) for entry in os.fsdecode(shell.stdout).split("\0") if entry)
    return {name: value for name, value in told.items() if name.startswith("PG")}


@pytest.mark.parametrize(
    ("address", "variables"),
    [
        (
            "postgresql://anna:it%27s%20%24a@db.example:5433/trips?sslmode=require",
            {"PGHOST": "db.example", "PGPORT": "5433", "PGUSER": "anna", "PGPASSWORD": "it's $a", "PGDATABASE": "trips"}
            | {"PGSSLMODE": "require"},
        ),
        (
            "postgresql://taxi@/taxi?host=%2Ftmp%2Fa%20socket",
            {"PGHOST": "/tmp/a socket", "PGUSER": "taxi", "PGDATABASE": "taxi"},
        ),
    ],
)
def test_a_shell_has_each_part_and_nothing_of_before(address: str, variables: dict[str, str]) -> None:
    assert _evaluated(address) == variables


def test_a_client_without_an_address_comes_to_the_server(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _evaluated(postgres_server).items():
        monkeypatch.setenv(name, value)
    with psycopg.connect() as connection, psycopg.connect(postgres_server) as expected:
        asked = "SELECT current_user, current_database(), pg_postmaster_start_time()"
        assert connection.execute(asked).fetchone() == expected.execute(asked).fetchone()


def test_there_is_no_address_where_postgres_is_off() -> None:
    with pytest.raises(SettingsError, match="PostgreSQL is off"):
        postgres_address(Settings.from_environment({"TAXI_POSTGRES": "off"}), 1.0)
