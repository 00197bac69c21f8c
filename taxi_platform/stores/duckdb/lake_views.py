"""``views.duckdb``: a small DuckDB file of views over exactly the lake's current versions. Its readers never wait.

Belongs here: the file's content, and how it is replaced. Does not: when (``orchestration.io_managers.lake_views``,
``cli``). Only a lake on disk has one, because DuckDB reads buckets by an extension, which is code to be downloaded.

When the manifests name other objects than the file, the file is made again from them: under one lock, with a temporary
name, then renamed. A connection keeps the file that it opened, with the versions of that moment. Their objects stay for
the lake's grace period; after it a query fails because a file is missing, and the reader has to connect again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import DUCKDB
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.model import ColumnType, Table
from taxi_platform.contracts.schemas import describe, duckdb_columns, quoted, sql_literal
from taxi_platform.contracts.unified import UNIFIED, unified_view_sql
from taxi_platform.contracts.zones import AIRPORTS, CONGESTION_ZONE, MAPPED_ZONES, ZONE_SHAPES
from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.machine.locks import exclusive
from taxi_platform.references import CleanMonth
from taxi_platform.stores.bookkeeping import MONTHS, months_row
from taxi_platform.stores.duckdb.connection import closed_whole
from taxi_platform.stores.duckdb.raw import raw_view_sql
from taxi_platform.stores.duckdb.tables import qualified, replace_view, rows_of, transaction
from taxi_platform.stores.lake.dimensions import dimension_path
from taxi_platform.stores.lake.lake import ZONES_PATH, Lake
from taxi_platform.stores.model import SCHEMA

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["ViewsFile"]

_REVISION = 1
"""Version of this module's views. A file of another revision is made again."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Month:
    """The current objects of one month."""

    raw_path: str | None
    clean: CleanMonth | None


class ViewsFile:
    """The file of views over one lake on disk.

    Args:
        path: the file, which the first `refresh` makes.
        lake: a lake on disk.
        wait_seconds: the longest wait for another process that makes the file.
    """

    def __init__(self, path: Path, lake: Lake, *, wait_seconds: float = 600.0) -> None:
        self.path = path
        self._note = path.with_name(f".{path.name}.json")
        self._lake = lake
        self._wait_seconds = wait_seconds

    def __str__(self) -> str:
        return f"the file of views {self.path}"

    def refresh(self, contracts: Sequence[Contract]) -> bool:
        """Make the file again if the lake has changed or moved; returns whether it did.

        Raises:
            StoreError: the file cannot be written.
            StoreBusyError: another process makes it for too long.
        """
        import duckdb

        try:
            if self._made_from() == self._fingerprint(self._months(contracts), contracts):
                return False
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self.path.with_name(f".{self.path.name}.lock"), str(self), self._wait_seconds):
                # Read under the lock, so that the last of two writers sees what both have stored.
                months = self._months(contracts)
                fingerprint = self._fingerprint(months, contracts)
                if self._made_from() == fingerprint:
                    return False
                self._exchange(months, contracts, fingerprint)
        except duckdb.Error as error:
            raise StoreError(f"{self} cannot be made: {' '.join(str(error).split())}") from error
        except OSError as error:
            raise StoreError(f"{self} cannot be made: {error.strerror} ({error.filename})") from error
        return True

    def _months(self, contracts: Iterable[Contract]) -> dict[str, dict[str, _Month]]:
        """Dataset → month → its current objects; damaged objects are left out, with a warning."""
        return {
            contract.dataset: {month.label: self._month(month) for month in self._lake.months(contract.dataset)}
            for contract in contracts
        }

    def _month(self, month: Any) -> _Month:
        try:
            manifest = self._lake.manifest(month)
        except DamagedError as error:
            _LOG.warning("%s is left out of the views: %s", month, error)
            return _Month(None, None)
        raw, clean = manifest.current_version, manifest.clean
        if clean is not None and not self._is_there(clean):
            _LOG.warning("%s is left out of the views: %s is damaged", month, self._lake.uri(clean.trips_path))
            clean = None
        # A lost object is left out. Once it is back, the file counts as out of date and is made again.
        is_whole = raw is not None and self._lake.raw_problem_at_a_glance(raw) is None
        return _Month(raw.view_path if raw is not None and is_whole else None, clean)

    def _is_there(self, clean: CleanMonth) -> bool:
        """Whether the pair's objects have the right sizes. More is not checked, because views are made very often."""
        sizes = {clean.trips_path: clean.trips_size, clean.quarantine_path: clean.quarantine_size}
        with contextlib.suppress(OSError):
            return all(Path(self._lake.uri(path)).stat().st_size == size for path, size in sizes.items())
        return False

    def _fingerprint(self, months: Mapping[str, Mapping[str, _Month]], contracts: Sequence[Contract]) -> str:
        zones, shapes = self._lake.stored_zones(), self._lake.stored_zone_shapes()
        content = {
            "revision": _REVISION,
            "views": repr(UNIFIED),
            "lake": self._lake.url,
            "zones": zones and zones.sha256,
            "zone_shapes": shapes and shapes.sha256,
            "dimensions": [stored and stored.sha256 for stored in map(self._lake.dimensions.stored, DIMENSIONS)],
            "tables": [repr((contract.trips, contract.quarantine)) for contract in contracts],
            "months": {
                dataset: {
                    label: (month.raw_path, month.clean and (month.clean.trips_path, month.clean.quarantine_path))
                    for label, month in by_label.items()
                }
                for dataset, by_label in months.items()
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _made_from(self) -> str | None:
        """The fingerprint of the existing file; None if there is none, or if something else made it.

        The fingerprint is in a file beside it, with the identity of the database file. DuckDB could not store it:
        opening the database here would conflict with a reader in this process.
        """
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._note.read_text())
            return str(note["fingerprint"]) if note["file"] == self._identity() else None
        return None

    def _identity(self) -> list[int]:
        status = self.path.stat()
        return [status.st_ino, status.st_size, status.st_mtime_ns]

    def _exchange(
        self, months: Mapping[str, Mapping[str, _Month]], contracts: Sequence[Contract], fingerprint: str
    ) -> None:
        import duckdb

        new = self.path.with_name(f".{self.path.name}.new")
        for leftover in (new, new.with_name(f"{new.name}.wal")):
            leftover.unlink(missing_ok=True)
        with closed_whole(duckdb.connect(str(new), config=_CONFIG), new) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
            with transaction(connection):  # one commit, and not one for each comment
                self._create_views(connection, months, contracts)
        new.replace(self.path)
        self._note.write_text(json.dumps({"fingerprint": fingerprint, "file": self._identity()}))

    def _create_views(
        self, connection: DuckDBPyConnection, months: Mapping[str, Mapping[str, _Month]], contracts: Sequence[Contract]
    ) -> None:
        self._create_zones(connection)
        self._create_zone_shapes(connection)
        for name, dimension in DIMENSIONS.items():
            if self._lake.dimensions.stored(name) is not None:
                _create_view(connection, dimension.table, [self._lake.uri(dimension_path(name))])
        _create_months(
            connection, [month.clean for named in months.values() for month in named.values() if month.clean]
        )
        existing: set[str] = set()
        for contract in contracts:
            cleans = [month.clean for month in months[contract.dataset].values() if month.clean]
            if any(month.raw_path for month in months[contract.dataset].values()):
                for statement in raw_view_sql(contract.dataset, self._lake):
                    connection.execute(statement)
            if cleans:
                _create_view(connection, contract.trips, [self._lake.uri(clean.trips_path) for clean in cleans])
                rejected = [self._lake.uri(clean.quarantine_path) for clean in cleans]
                _create_view(connection, contract.quarantine, rejected)
                existing.add(contract.trips.name)
        if existing:
            sql = unified_view_sql(contracts, existing, lambda name: f"{SCHEMA}.{quoted(name)}", DUCKDB)
            replace_view(connection, UNIFIED, sql)

    def _create_zones(self, connection: DuckDBPyConnection) -> None:
        """The lookup with what the shapes tell; empty until the lookup is stored, so that every view can be read."""
        if self._lake.stored_zones() is None:
            connection.execute(f"CREATE TABLE {qualified(MAPPED_ZONES)} ({duckdb_columns(MAPPED_ZONES)})")
            return
        shapes = self._lake.stored_zone_shapes()
        objects = self._lake.uri(ZONES_PATH), self._lake.uri(shapes.path) if shapes else None
        replace_view(connection, MAPPED_ZONES, _zones_sql(*objects))

    def _create_zone_shapes(self, connection: DuckDBPyConnection) -> None:
        if (shapes := self._lake.stored_zone_shapes()) is not None:
            _create_view(connection, ZONE_SHAPES, [self._lake.uri(shapes.path)])


def _zones_sql(lookup: str, shapes: str | None) -> str:
    """`MAPPED_ZONES` from the lake's two objects, as `Lake.mapped_zones` has it."""
    told = {
        column.name: f"s.{column.name}" if shapes else f"CAST(NULL AS {column.type.duckdb})"
        for column in MAPPED_ZONES.columns
        if column.type is ColumnType.DOUBLE
    }
    for name, zones in (("is_airport", AIRPORTS), ("is_congestion_zone", CONGESTION_ZONE)):
        told[name] = f"z.location_id IN ({', '.join(map(str, sorted(zones)))})"
    columns = ", ".join(f"{told.get(name, f'z.{name}')} AS {name}" for name in MAPPED_ZONES.column_names)
    joined = f" LEFT JOIN read_parquet({sql_literal(shapes)}) AS s USING (location_id)" if shapes else ""
    return f"SELECT {columns} FROM read_parquet({sql_literal(lookup)}) AS z{joined}"  # noqa: S608 - literals


def _create_months(connection: DuckDBPyConnection, cleans: Sequence[CleanMonth]) -> None:
    connection.execute(f"CREATE TABLE {qualified(MONTHS)} ({duckdb_columns(MONTHS)})")
    for column in MONTHS.columns:
        comment = f"COMMENT ON COLUMN {qualified(MONTHS)}.{quoted(column.name)} IS {sql_literal(describe(column))}"
        connection.execute(comment)
    for clean in cleans:
        values = months_row(clean)
        if clean.stored_at is not None:
            values[-1] = datetime.fromisoformat(clean.stored_at).replace(tzinfo=None)
        marks = ", ".join("?" * len(values))
        rows_of(connection, f"INSERT INTO {qualified(MONTHS)} VALUES ({marks})", values)  # noqa: S608 - bound


def _create_view(connection: DuckDBPyConnection, table: Table, files: Sequence[str]) -> None:
    """A view of the table's columns over those files, matched by name, because older files lack newer columns."""
    listed = ", ".join(map(sql_literal, files))
    source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    replace_view(connection, table, _selected(table, _known(table, files), source))


def _known(table: Table, files: Sequence[str]) -> Collection[str]:
    """The table's columns that any file has; every file may be of a release whose contract lacked some.

    The newest file has nearly always all of them, and then is the only one to be read.
    """
    import pyarrow.parquet as pq

    missing = set(table.column_names)
    for file in reversed(files):
        missing -= set(pq.read_schema(file).names)
        if not missing:
            break
    return set(table.column_names) - missing


def _selected(table: Table, there: Collection[str], source: str) -> str:
    columns = ", ".join(
        quoted(c.name) if c.name in there else f"CAST(NULL AS {c.type.duckdb}) AS {quoted(c.name)}"
        for c in table.columns
    )
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - quoted
