"""Stores and source as Dagster resources: shown in the web interface, configured from `Settings`, opened in a run.

Belongs here: configuration and how long something is open. Does not: the work of a store. Resources open late, so that
loading definitions imports no client and uses no network.
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

from taxi_platform.orchestration.hosts import check_hosts, one_host_only
from taxi_platform.orchestration.leases import RunLeases, leases_of
from taxi_platform.settings import Settings
from taxi_platform.stores.layer import StoreAt, TableLayer

if TYPE_CHECKING:
    from taxi_platform.sources import RetryPolicy
    from taxi_platform.sources.model import Source
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.model import TableStore

__all__ = ["LakeResource", "SourceResource", "StagingResource", "TableStoreResource", "resources"]


class SourceResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where months come from."""

    name: str = Field(description="auto, dtc, tlc or sample.")
    url: str | None = Field(None, description="Another base or folder in that layout; None for the public one.")
    sample_rows: int = Field(100_000, description="Rows per month of the sample source.")
    sample_format: str = Field("csv.gz", description="File format of the sample source.")

    def open(self, retry: RetryPolicy | None = None) -> Source:
        """The source; with ``retry`` its requests are retried in another way than the settings say."""
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
        """The lake, with a shorter wait if the caller has less time."""
        from taxi_platform.stores.lake.lake import Lake

        grace = timedelta(hours=self.grace_hours)
        if at_most_seconds < self.wait_seconds:
            return Lake(self.url, wait_seconds=at_most_seconds, grace=grace)
        if self._lake is None:
            self._lake = Lake(self.url, wait_seconds=self.wait_seconds, grace=grace)
        return self._lake


class StagingResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The local disk for files on their way into the lake; a run that uses it holds its lease."""

    folder: str = Field(description="Private folders are made below it and removed after use.")
    lease_seconds: float = Field(60, description="How long a worker may be out of reach before its run is lost.")
    one_host: str | None = Field(None, description="Why runs must not be on other machines; None if they may.")

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[StagingResource]:
        """Hold the run's lease for as long as the run uses the resource.

        Raises:
            SettingsError: the instance launches runs on other machines, which have not the stores of this one.
        """
        run, instance = context.run, context.instance
        if instance:
            check_hosts(instance, self.one_host)
        with self.leases(instance).hold(run.run_id) if run and instance else contextlib.nullcontext():
            yield self

    def leases(self, instance: dg.DagsterInstance) -> RunLeases:
        """The leases of the instance's runs."""
        return leases_of(instance, Path(self.folder) / "runs", self.lease_seconds)

    def open(self) -> contextlib.AbstractContextManager[Path]:
        """A new private folder, removed when the context ends."""
        from taxi_platform.machine.staging import staging_folder

        return staging_folder(Path(self.folder))


class TableStoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A store of tables that is open as long as a run needs it.

    Dagster shows every field in its web interface. So `at` makes a resource whose ``url`` has no password. The real
    address is in the class, which every process makes from its own settings.
    """

    url: str = Field(description="Where the tables are; a password is not shown.")
    data: str = Field(description="The folder below which an embedded store keeps what is its own.")
    options: dict[str, str] = Field(default={}, description="What else is set for this store, such as a schema.")
    wait_seconds: float = Field(600, description="How long to wait for a store that others hold, or does not answer.")
    _store: TableStore | None = PrivateAttr(default=None)
    _layer: ClassVar[TableLayer]
    _address: ClassVar[SecretStr]

    @classmethod
    def at(cls, store: StoreAt) -> TableStoreResource:
        """The resource of a store in the settings."""
        # Dagster copies a resource by its public fields only, so an instance could not keep a secret.
        layer, address = store.layer, SecretStr(store.address)
        names = {"__module__": cls.__module__, "__doc__": f"Tables in {layer.title}."}
        kept = {"_layer": layer, "_address": address}
        made: type[TableStoreResource] = type(f"{layer.name.title()}Resource", (cls,), {**names, **kept})
        return made(
            url=layer.masked(store.address),
            data=str(store.data),
            options=dict(store.options),
            wait_seconds=store.wait_seconds,
        )

    @property
    def layer(self) -> TableLayer:
        """Which of the stores of tables it is."""
        return self._layer

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[TableStoreResource]:  # noqa: ARG002
        """Open the store for as long as the run uses the resource."""
        with self.running():
            yield self

    @contextlib.contextmanager
    def running(self) -> Iterator[TableStore]:
        """The store, with an embedded server running while the context lasts."""
        with self.opened() as store:
            self._store = store
            try:
                yield store
            finally:
                self._store = None

    def opened(self, at_most_seconds: float = math.inf) -> contextlib.AbstractContextManager[TableStore]:
        """The store on its own, with a shorter wait for others if the caller has less time."""
        address = self._address.get_secret_value()
        at = StoreAt(self._layer, address, Path(self.data), self.wait_seconds, self.options)
        return at.opened(at_most_seconds)

    def open(self) -> TableStore:
        """The store that this run has opened."""
        if self._store is None:
            raise RuntimeError(f"the {self.layer.name} resource is used outside a run: open it with running()")
        return self._store


def resources(settings: Settings) -> dict[str, object]:
    """Source, staging and stores from the settings; a store that is off has no resource."""
    return {
        "source": SourceResource(
            name=settings.source,
            url=settings.source_url,
            sample_rows=settings.sample_rows,
            sample_format=settings.sample_format,
        ),
        "staging": StagingResource(
            folder=str(settings.data / "staging"),
            lease_seconds=settings.lease_seconds,
            one_host=one_host_only(settings),
        ),
        "lake": LakeResource(
            url=settings.lake,
            wait_seconds=settings.wait_seconds,
            grace_hours=settings.grace_hours,
            views=None if settings.views is None else str(settings.views),
        ),
        **{name: TableStoreResource.at(store) for name, store in settings.tables.items()},
    }
