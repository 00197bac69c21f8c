"""Whether a run has anything to do: a look at all that it would look at, before anything is started for it.

Belongs here: the look. Does not: what makes a month whole (``inspection``), and any repair: where the least is in
doubt, a recorded run follows, and says and mends in its own way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from taxi_platform.cli.instance import dagster_home, has_instance
from taxi_platform.cli.record import Record, read_record
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES
from taxi_platform.errors import StoreError, TaxiError
from taxi_platform.inspection.at_once import each
from taxi_platform.inspection.status import MonthStatus, opened_tables, statuses_in
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.raw_views import refresh_raw_view
from taxi_platform.orchestration.keys import LOOKUP, SHAPES, asset_name
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import held_open
from taxi_platform.stores.ownership import is_owner

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.sources.model import Source
    from taxi_platform.stores.model import TableStore

__all__ = ["unchanged_statuses", "zones_are_unchanged"]

_PATIENCE = 5.0
"""Seconds to wait for a store that others hold: the run that follows waits as long as it may."""
_LOOK_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


def unchanged_statuses(
    settings: Settings, contracts: Sequence[Contract], wanted: Mapping[str, Sequence[date]]
) -> list[MonthStatus] | None:
    """The months as they stand, where nothing is to be done for any of them, or for the zones; else None.

    Upstream has the versions that it had, every store is whole and this lake's, and the instance's record names each
    month with these versions. The look at upstream is noted, and what a run does beside its months is done: superseded
    objects are cleared away, and the view over raw months is brought up to date.
    """
    look = _Look(settings, contracts, wanted)
    try:
        return look.statuses()
    except TaxiError as error:
        _LOG.debug("a run is to look: %s", error)
        return None


def zones_are_unchanged(settings: Settings) -> bool:
    """Whether nothing is to be done for the zones: upstream, the lake, every store and the record agree."""
    patient = settings.model_copy(update={"wait_seconds": min(settings.wait_seconds, _PATIENCE)})
    lake = Lake(settings.lake, wait_seconds=patient.wait_seconds)
    try:
        record = read_record(dagster_home(settings), _zones_assets(settings), ())
        if record is None or not _are_upstreams_zones(_source(settings), lake):
            return False
        with opened_tables(patient) as stores, held_open(stores.values()):
            return _have_zones(stores, lake, record)
    except TaxiError as error:
        _LOG.debug("a run is to look at the zones: %s", error)
        return False


class _Look:
    """Cheapest first: what was never stored is told by the record, and no store is opened for it."""

    def __init__(self, settings: Settings, contracts: Sequence[Contract], wanted: Mapping[str, Sequence[date]]) -> None:
        self._settings = settings.model_copy(update={"wait_seconds": min(settings.wait_seconds, _PATIENCE)})
        self._contracts = contracts
        self._wanted = wanted
        self._months = [contract.month(day) for contract in contracts for day in wanted[contract.dataset]]
        self._lake = Lake(settings.lake, wait_seconds=self._settings.wait_seconds)
        self._layers = ("raw", "trips", *settings.tables, *settings.marts_in)

    def statuses(self) -> list[MonthStatus] | None:
        record = self._record()
        if record is None or not self._is_on_record(record) or not self._is_upstreams():
            return None
        with opened_tables(self._settings) as stores:
            with held_open(stores.values()):
                statuses = statuses_in(self._lake, stores, self._settings, self._contracts, self._wanted)
                if not self._is_whole(statuses, record) or not self._are_ours(stores, record):
                    return None
            self._keep_up(stores)
        return statuses

    def _record(self) -> Record | None:
        if not has_instance(self._settings):
            return None
        names = [asset_name(layer, contract.dataset) for contract in self._contracts for layer in self._layers]
        partitions = {month.partition_key for month in self._months}
        return read_record(dagster_home(self._settings), [*names, *_zones_assets(self._settings)], partitions)

    def _is_on_record(self, record: Record) -> bool:
        """Whether every month asked for is, in every layer, and every other month that the lake has."""
        for contract in self._contracts:
            known = record[asset_name("raw", contract.dataset)]
            if any(month.partition_key not in known for month in self._lake.months(contract.dataset)):
                return False
        return all(
            month.partition_key in record[asset_name(layer, month.dataset)]
            for month in self._months
            for layer in self._layers
        )

    def _is_upstreams(self) -> bool:
        """Whether upstream has of every month, and of the zones, what it had when the lake last followed it."""
        from taxi_platform.sources.looking import look_at

        source = _source(self._settings)
        if not _are_upstreams_zones(source, self._lake):
            return False
        published = look_at(source, self._months, _LOOK_SECONDS).published
        return each(self._followed, self._months) == {month: version.token for month, version in published.items()}

    def _followed(self, month: TripMonth) -> str | None:
        upstream = self._lake.manifest(month).upstream_version
        return None if upstream is None else upstream.source_token

    def _is_whole(self, statuses: Sequence[MonthStatus], record: Record) -> bool:
        """Whether each month is in every store, made without options, in the version that is on record."""
        return len(statuses) == len(self._months) and all(
            # A run without options brings a month that was made with some back to what it is without.
            status.is_whole and not status.options and self._names(record, status)
            for status in statuses
        )

    def _names(self, record: Record, status: MonthStatus) -> bool:
        key = TripMonth(status.dataset, status.file_month).partition_key
        said = {layer: record[asset_name(layer, status.dataset)][key] for layer in self._layers}
        return said["raw"].get("version") == status.raw_version and all(
            said[layer].get("data_version") == status.data_version for layer in self._layers if layer != "raw"
        )

    def _are_ours(self, stores: Mapping[str, TableStore | None], record: Record) -> bool:
        """Whether the stores of tables are this lake's, and have its zones, all of it on record."""
        return _have_zones(stores, self._lake, record) and all(
            store is not None and is_owner(store, self._lake) and _has_view(store) for store in stores.values()
        )

    def _keep_up(self, stores: Mapping[str, TableStore | None]) -> None:
        grace = timedelta(hours=self._settings.grace_hours)
        lake = Lake(self._settings.lake, wait_seconds=self._settings.wait_seconds, grace=grace)
        each(lake.clear_superseded, self._months)
        for contract in self._contracts:
            for name in stores:
                refresh_raw_view(
                    self._settings.tables[name].layer, partial(_opened, stores, name), contract.dataset, lake
                )
            lake.note_look(contract.dataset, datetime.now(timezone.utc))


def _source(settings: Settings) -> Source:
    from taxi_platform.sources import RetryPolicy, open_source

    return open_source(
        settings.source,
        settings.source_url,
        sample_rows=settings.sample_rows,
        sample_format=settings.sample_format,
        retry=RetryPolicy(attempts=1, connect_timeout=5, read_timeout=10),
    )


def _zones_assets(settings: Settings) -> list[str]:
    return [asset_name(layer, name) for name in (LOOKUP, SHAPES, *DIMENSIONS) for layer in (name, *settings.tables)]


def _are_upstreams_zones(source: Source, lake: Lake) -> bool:
    """Whether the lake has upstream's lookup, and its shapes where upstream has some."""
    lookup = lake.stored_zones()
    if lookup is None or source.stat_zones().token != lookup.source_token:
        return False
    shapes, published = lake.stored_zone_shapes(), source.stat_zone_shapes()
    return published is None or (shapes is not None and shapes.source_token == published.token)


def _have_zones(stores: Mapping[str, TableStore | None], lake: Lake, record: Record) -> bool:
    """Whether every store of tables has the lake's zones, row for row, and the record says so."""
    stored, rows = lake.stored_zones(), lake.mapped_zones()
    if stored is None or rows is None:
        return False
    said = [record[asset_name(layer, LOOKUP)].get(None, {}) for layer in (LOOKUP, *stores)]
    is_said = all(metadata.get("sha256") == stored.sha256 for metadata in said)
    is_whole = is_said and _have_shapes(stores, lake, record) and _have_rows(stores, MAPPED_ZONES, rows)
    return is_whole and _have_dimensions(stores, lake, record)


def _have_shapes(stores: Mapping[str, TableStore | None], lake: Lake, record: Record) -> bool:
    """Whether every store of tables has the lake's shapes of the zones, where it has any, and the record says so."""
    stored, rows = lake.stored_zone_shapes(), lake.zone_shapes(ZONE_SHAPES.column_names)
    if stored is None or rows is None:
        return True
    said = [record[asset_name(layer, SHAPES)].get(None, {}) for layer in (SHAPES, *stores)]
    is_said = all(metadata.get("sha256") == stored.sha256 for metadata in said)
    return is_said and _have_rows(stores, ZONE_SHAPES, rows)


def _have_dimensions(stores: Mapping[str, TableStore | None], lake: Lake, record: Record) -> bool:
    """Whether the lake has dates and codes as they are today, every store has the lake's, and the record says so."""
    for name, dimension in DIMENSIONS.items():
        rows, version = lake.dimensions.rows(name), dimension.version
        said = [record[asset_name(layer, name)].get(None, {}) for layer in (name, *stores)]
        if rows is None or any(metadata.get("sha256") != version for metadata in said):
            return False
        if not _have_rows(stores, dimension.table, rows):
            return False
    return True


def _have_rows(stores: Mapping[str, TableStore | None], table: Table, rows: pa.Table) -> bool:
    """Whether every store has exactly those rows, which are in the order of the key, in its table."""
    wanted = rows.select(table.column_names).cast(arrow_schema(table))
    return all(store is not None and wanted.equals(_rows_in(store, table)) for store in stores.values())


@contextmanager
def _opened(stores: Mapping[str, TableStore | None], name: str) -> Iterator[TableStore]:
    store = stores[name]
    assert store is not None, "it has just told what it holds"
    yield store


def _has_view(store: TableStore) -> bool:
    return store.existing_table(UNIFIED.qualified_name) is not None


def _rows_in(store: TableStore, table: Table) -> pa.Table | None:
    """The table's rows in the order of its key; None if there is no such table, or one of other columns."""
    try:
        rows = store.read_months(table.qualified_name, None, table.column_names).read_all()
    except StoreError as error:
        _LOG.debug("a run is to look at %s: %s", table.qualified_name, error)
        return None
    return rows.cast(arrow_schema(table)).sort_by([(name, "ascending") for name in table.key])
