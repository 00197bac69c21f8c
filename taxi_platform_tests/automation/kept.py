"""A deployment as all tests of a module find it: brought there by the first of them, put back for the others.

Belongs here: keeping and putting back files, a database and Dagster's records, at the same addresses. Does not: what
is brought there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from taxi_platform_tests.automation.conftest import Deployment
from taxi_platform_tests.support.postgres import new_database

__all__ = ["Kept", "keeping"]


class Kept:
    """One module's.

    Args:
        folder: an empty one; tests have ``place`` below it as their own.
        server: the address of the PostgreSQL that gets the database.
        records: an instance of nobody else's.
    """

    def __init__(self, folder: Path, server: str, records: dg.DagsterInstance) -> None:
        self.place = folder / "place"
        self.database = new_database(server)
        self._saved = folder / "saved"
        self._server = server
        self._records = records
        self._cursor: Any = None

    def emptied(self) -> Path:
        """The place, with nothing in it."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        return self.place

    def bring(self, deployment: Deployment, there: Callable[[], object]) -> None:
        """Carry out ``there`` once; afterwards put its outcome in the place of what the deployment has."""
        name = self.database.partition("?")[0].rpartition("/")[2]
        if not self._saved.exists():
            there()
            shutil.copytree(self.place, self._saved)
            self._as_administrator(f"CREATE DATABASE {name}_kept OWNER taxi TEMPLATE {name}")
            self._cursor = deployment._cursor
            _copy_records(deployment.instance, self._records)
            return
        shutil.rmtree(self.place)
        shutil.copytree(self._saved, self.place)
        self._as_administrator(f"DROP DATABASE {name}", f"CREATE DATABASE {name} OWNER taxi TEMPLATE {name}_kept")
        deployment._cursor = self._cursor
        _copy_records(self._records, deployment.instance)

    def _as_administrator(self, *statements: str) -> None:
        with psycopg.connect(self._server.replace("taxi@", "postgres@"), autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement.encode())


@contextmanager
def keeping(folder: Path, server: str) -> Iterator[Kept]:
    with dg.DagsterInstance.ephemeral() as records:
        yield Kept(folder, server, records)


def _copy_records(one: dg.DagsterInstance, other: dg.DagsterInstance) -> None:
    """All runs and events of an instance in memory; what the other has is replaced."""
    for storage in ("run_storage", "event_log_storage"):
        source, target = getattr(one, storage), getattr(other, storage)
        source._held_conn.connection.driver_connection.backup(target._held_conn.connection.driver_connection)
    other.event_log_storage._storage_id = one.event_log_storage._storage_id  # type: ignore[attr-defined]
