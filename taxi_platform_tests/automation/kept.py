"""Deployments as tests of a module find them: brought there by the first of them, put back for the others.

Belongs here: keeping and putting back files, a database and Dagster's records, at the same addresses. Does not: what
is brought there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from taxi_platform_tests.automation.conftest import Deployment
from taxi_platform_tests.support.postgres import new_database

__all__ = ["Kept", "keeping"]


@dataclass(frozen=True)
class _Saved:
    """What is put back: copies of files and database under other names, and records."""

    folder: Path
    database: str
    records: dg.DagsterInstance
    cursor: Any


class Kept:
    """One module's.

    Args:
        folder: an empty one; tests have ``place`` below it as their own.
        server: the address of the PostgreSQL that gets the databases.
        opened: what is closed in the end.
    """

    def __init__(self, folder: Path, server: str, opened: ExitStack) -> None:
        self.place = folder / "place"
        self.database = new_database(server)
        self._folder = folder
        self._server = server
        self._opened = opened
        self._saved: dict[str, _Saved] = {}

    def emptied(self) -> Path:
        """The place, with nothing in it; nor is there anything in the database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS taxi CASCADE")
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        return self.place

    def bring(self, deployment: Deployment, there: Callable[[], object]) -> None:
        """Carry out ``there`` once; afterwards put its outcome in the place of what the deployment has.

        Functions of different names bring deployments to different places.
        """
        saved = self._saved.get(there.__name__)
        if saved is None:
            there()
            self._saved[there.__name__] = self._save(deployment, there.__name__)
            return
        shutil.rmtree(self.place)
        shutil.copytree(saved.folder, self.place)
        self._as_administrator(
            f"DROP DATABASE {self._database_name}",
            f"CREATE DATABASE {self._database_name} OWNER taxi TEMPLATE {saved.database}",
        )
        deployment._cursor = saved.cursor
        _copy_records(saved.records, deployment.instance)

    def _save(self, deployment: Deployment, name: str) -> _Saved:
        saved = _Saved(
            folder=self._folder / name,
            database=f"{self._database_name}_{name}",
            records=self._opened.enter_context(dg.DagsterInstance.ephemeral()),
            cursor=deployment._cursor,
        )
        shutil.copytree(self.place, saved.folder)
        self._as_administrator(f"CREATE DATABASE {saved.database} OWNER taxi TEMPLATE {self._database_name}")
        _copy_records(deployment.instance, saved.records)
        return saved

    @property
    def _database_name(self) -> str:
        return self.database.partition("?")[0].rpartition("/")[2]

    def _as_administrator(self, *statements: str) -> None:
        with psycopg.connect(self._server.replace("taxi@", "postgres@"), autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement.encode())


@contextmanager
def keeping(folder: Path, server: str) -> Iterator[Kept]:
    with ExitStack() as opened:
        yield Kept(folder, server, opened)


def _copy_records(one: dg.DagsterInstance, other: dg.DagsterInstance) -> None:
    """All runs and events of an instance in memory; what the other has is replaced."""
    for storage in ("run_storage", "event_log_storage"):
        source, target = getattr(one, storage), getattr(other, storage)
        source._held_conn.connection.driver_connection.backup(target._held_conn.connection.driver_connection)
    other.event_log_storage._storage_id = one.event_log_storage._storage_id  # type: ignore[attr-defined]
