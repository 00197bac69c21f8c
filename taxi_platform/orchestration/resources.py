"""Stores and source as Dagster resources: shown in the UI, configured from `Settings`, opened in a run.

Belongs here: configuration and life time. Does not: any behaviour of a store. Opening is late: loading definitions
imports no client and touches no network.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import dagster as dg
from pydantic import Field, PrivateAttr, SecretStr

from taxi_platform.settings import Settings
from taxi_platform.stores.postgres.errors import masked

if TYPE_CHECKING:
    from taxi_platform.sources import RetryPolicy
    from taxi_platform.sources.model import Source
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.model import TableStore

__all__ = ["LakeResource", "PostgresResource", "SourceResource", "StagingResource", "WarehouseResource", "resources"]


class SourceResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where months come from."""

    name: str = Field(description="auto, dtc, tlc or sample.")
    url: str | None = Field(None, description="Another base or folder in that layout; None for the public one.")
    sample_rows: int = Field(100_000, description="Rows per month of the sample source.")
    sample_format: str = Field("csv.gz", description="File format of the sample source.")

    def open(self, retry: RetryPolicy | None = None) -> Source:
        from taxi_platform.sources import open_source

        return open_source(
            self.name, self.url, sample_rows=self.sample_rows, sample_format=self.sample_format, retry=retry
        )


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake: raw months, clean months, quarantine, zones, as Parquet objects."""

    url: str = Field(description="A folder, gs://…, s3://… or az://….")
    wait_seconds: float = Field(600, description="How long to wait for a store that is held, or does not answer.")
    grace_hours: float = Field(24, description="How long superseded trips and quarantine stay for their readers.")
    views: str | None = Field(None, description="The DuckDB file of views over the lake, where it is on disk.")
    _lake: Lake | None = PrivateAttr(default=None)

    def open(self, at_most_seconds: float = math.inf) -> Lake:
        """The lake; a caller that has less time waits no longer than that for it."""
        from taxi_platform.stores.lake.lake import Lake

        grace = timedelta(hours=self.grace_hours)
        if at_most_seconds < self.wait_seconds:
            return Lake(self.url, wait_seconds=at_most_seconds, grace=grace)
        if self._lake is None:
            self._lake = Lake(self.url, wait_seconds=self.wait_seconds, grace=grace)
        return self._lake


class StagingResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Local disk for files on their way into the lake, and for the lease of a run that works there."""

    folder: str = Field(description="Private folders are made below it and removed after use.")

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[StagingResource]:
        from taxi_platform.machine.leases import lease

        with lease(self.leases, context.run.run_id) if context.run else contextlib.nullcontext():
            yield self

    @property
    def leases(self) -> Path:
        """Where runs keep their leases."""
        return Path(self.folder) / "runs"

    def open(self) -> contextlib.AbstractContextManager[Path]:
        from taxi_platform.machine.staging import staging_folder

        return staging_folder(Path(self.folder))


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The analytical database: BigQuery, or a DuckDB file on a laptop."""

    url: str = Field(description="A DuckDB file or bigquery://project/dataset?location=….")
    wait_seconds: float = Field(600, description="How long to wait for a store that another process holds.")

    def open(self, at_most_seconds: float = math.inf) -> TableStore:
        """The store; a caller that has less time waits no longer than that for others."""
        from taxi_platform.stores import open_warehouse

        return open_warehouse(self.url, wait_seconds=min(self.wait_seconds, at_most_seconds))


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """PostgreSQL: a server's address, or an embedded one that runs for as long as a process needs it.

    Dagster shows every field in its web interface. `with_secret` therefore makes a resource whose ``url`` holds no
    password; the address itself stays with the class, which every process makes anew from its own settings.
    """

    url: str = Field(description="postgresql://…, embedded or embedded:PORT; a password is not shown.")
    folder: str = Field(description="Where the embedded server keeps its data.")
    postgres_schema: str = Field(default="taxi", description="Schema of the platform's own tables in that database.")
    wait_seconds: float = Field(600, description="How long to wait for locks that another process holds.")
    _store: TableStore | None = PrivateAttr(default=None)
    _address: ClassVar[SecretStr | None] = None

    @classmethod
    def with_secret(cls, address: SecretStr) -> type[PostgresResource]:
        """The class of resources that connect to this address, whatever their ``url`` shows."""
        # Dagster copies a resource by its public fields only, so nothing secret can be kept in an instance.
        return type(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": cls.__doc__, "_address": address})

    @property
    def address(self) -> str:
        """The address with its password."""
        return self._address.get_secret_value() if self._address else self.url

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PostgresResource]:  # noqa: ARG002
        with self.running():
            yield self

    @contextlib.contextmanager
    def running(self) -> Iterator[TableStore]:
        """The store, with the embedded server up for as long as the context lasts."""
        from taxi_platform.stores import open_postgres

        with open_postgres(
            self.address, Path(self.folder), schema=self.postgres_schema, wait_seconds=self.wait_seconds
        ) as store:
            self._store = store
            try:
                yield store
            finally:
                self._store = None

    def open(self) -> TableStore:
        if self._store is None:
            raise RuntimeError("PostgresResource is used outside a run: open it with running()")
        return self._store


def resources(settings: Settings) -> dict[str, object]:
    """Source, staging and stores as the settings name them; of a store that is off there is none."""
    tables: dict[str, object] = {
        "warehouse": WarehouseResource(url=settings.warehouse, wait_seconds=settings.wait_seconds),
        "postgres": PostgresResource.with_secret(settings.postgres)(
            url=masked(settings.postgres.get_secret_value()),
            folder=str(settings.data / "postgres"),
            postgres_schema=settings.postgres_schema,
            wait_seconds=settings.wait_seconds,
        ),
    }
    return {
        "source": SourceResource(
            name=settings.source,
            url=settings.source_url,
            sample_rows=settings.sample_rows,
            sample_format=settings.sample_format,
        ),
        "staging": StagingResource(folder=str(settings.data / "staging")),
        "lake": LakeResource(
            url=settings.lake,
            wait_seconds=settings.wait_seconds,
            grace_hours=settings.grace_hours,
            views=None if settings.views is None else str(settings.views),
        ),
        **{name: tables[name] for name in settings.table_stores},
    }
