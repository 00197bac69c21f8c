"""Dagster's SQLite storage with connections that are kept, for processes that record runs of their own.

Belongs here: how such a process connects to the instance's files. Does not: what is in them, which is Dagster's, nor
what is durable: what is said to be recorded is committed and synced as Dagster does it.

Measured on Dagster 1.13.27: its storage makes an engine for every statement, so that SQLAlchemy compiles each statement
anew, and reads ninety migration scripts whenever it opens a file, to learn that there is nothing to migrate. A
materialization costs it three times the computing (``benchmarks.record``). Events that Dagster has together, as the
plan of a run and the materializations of a range's months are, it can hand over together, and here they are stored
together. A file that was never stamped with a revision goes Dagster's own way, but for the file of a new run.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as db
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import get_alembic_config, safe_commit
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine

__all__ = ["KeptSqliteStorage"]

_RUNS_AT_ONCE = 4
"""How many runs' files stay open, beside the index of all runs."""


class KeptSqliteStorage(DagsterSqliteStorage):
    """`DagsterSqliteStorage` on the same files."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        self._run_storage = _Runs.from_local(_runs_directory(base_dir))
        self._event_log_storage = _Events(_event_logs_directory(base_dir))
        self._schedule_storage = _Schedules.from_local(_schedule_directory(base_dir))
        self._inst_data = inst_data
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]  # not theirs, which opens the files

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> KeptSqliteStorage:
        """Also Dagster's storage has this, where it makes no subclass of its own."""
        return cls.from_local(config_value["base_dir"], inst_data)


class _Runs(SqliteRunStorage):
    @classmethod
    def from_local(cls, base_dir: str, inst_data: ConfigurableClassData | None = None) -> _Runs:
        if _is_made(base_dir, "runs"):
            return cls(create_db_conn_string(base_dir, "runs"), inst_data)
        return super().from_local(base_dir, inst_data)

    @cached_property
    def _engine(self) -> Engine:
        return db.create_engine(self._conn_string)

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        self._engine.dispose()
        super().dispose()


class _Schedules(SqliteScheduleStorage):
    """What a run never asks; it only has to be there."""

    @classmethod
    def from_local(cls, base_dir: str, inst_data: ConfigurableClassData | None = None) -> SqliteScheduleStorage:
        if _is_made(base_dir, "schedules"):
            return cls(create_db_conn_string(base_dir, "schedules"), inst_data)
        return super().from_local(base_dir, inst_data)


class _Events(SqliteEventLogStorage):
    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._columns_seen: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Dagster, too, lets one thread at a time use a connection.
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None:
            patience = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            engine = db.create_engine(self.conn_string_for_shard(shard), connect_args=patience)
        self._engines[shard] = engine
        while len(self._engines) > _RUNS_AT_ONCE + 1:
            oldest = next(name for name in self._engines if name != INDEX_SHARD_NAME)
            self._engines.pop(oldest).dispose()
        return engine

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """What `store_event` does for each of them, in one transaction of the run's file and one of all runs' index."""
        (run_id,) = {event.run_id for event in events}
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        ids = []
        with self.index_transaction() as connection:
            for event, row in zip(events, rows, strict=True):
                inserted = connection.execute(SqlEventLogStorageTable.insert(), row).inserted_primary_key
                assert inserted is not None, "one row is inserted"
                number = inserted[0]
                ids.append(number)
                if event.dagster_event_type in ASSET_EVENTS:
                    self._store_asset_event_tags(connection, [event], [number])
                    self._store_asset_event(connection, event, number)
        for event, number in zip(events, ids, strict=True):
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, number)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        # Dagster asks before each event of an asset; a column that is there stays there.
        if column_name not in self._columns_seen and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns_seen.add(column_name)
        return column_name in self._columns_seen

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        with engine.connect() as connection:
            if MigrationContext.configure(connection).get_current_revision() is not None:
                return
            is_new = not db.inspect(connection).get_table_names()
        if is_new and not for_index_shard:
            with contextlib.suppress(db.exc.DatabaseError):  # the web interface may be making the same file
                self._make(engine)
                return
        super()._initdb(engine, for_index_shard)

    def _make(self, engine: Engine) -> None:
        SqlEventLogStorageMetadata.create_all(engine)
        with engine.connect() as connection:
            connection.execute(db.text("PRAGMA journal_mode=WAL;"))
            MigrationContext.configure(connection).stamp(self._migrations, "head")
            safe_commit(connection)

    @cached_property
    def _migrations(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(get_alembic_config(sqlite_event_log.__file__))

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()


def _is_made(folder: str, name: str) -> bool:
    """Whether the file is there, and was made or migrated by a Dagster that says which form it has."""
    if not Path(folder, f"{name}.db").exists():
        return False
    engine = db.create_engine(create_db_conn_string(folder, name))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() is not None
    finally:
        engine.dispose()
