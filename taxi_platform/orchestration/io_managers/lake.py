"""``lake_io``: stores raw and clean months in the lake, and loads them as references, Arrow readers or DataFrames.

Belongs here: the choice of what is stored and loaded, and how. Does not: how the lake stores (``stores.lake.lake``).

Who calls whom: Dagster calls ``handle_output`` with what an asset of ``assets.raw``, ``assets.trips`` or
``assets.zones`` returned. ``handle_output`` opens its months one by one, and that runs the asset's own function for a
month. Then it stores the result with the methods of ``Lake``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg

from taxi_platform.contracts.dimensions import DIMENSIONS, Dimension
from taxi_platform.errors import DamagedError, RefusedMonthError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.isolation import ATTEMPTS, Metadata, recorded, store_each
from taxi_platform.orchestration.io_managers.lake_views import refresh_views
from taxi_platform.orchestration.io_managers.places import own_place
from taxi_platform.orchestration.io_managers.raw_views import PATIENCE, refresh_raw_view
from taxi_platform.orchestration.io_managers.reading import as_annotated, chosen_columns, chosen_months, input_months
from taxi_platform.orchestration.io_managers.values import CleanMonths, RawMonths, ZonesFile, ZoneShapesFile
from taxi_platform.orchestration.keys import LOOKUP, QUARANTINE, SHAPES, VIEWS, asset_key, asset_name
from taxi_platform.orchestration.metadata import (
    clean_metadata,
    dimension_metadata,
    quarantine_metadata,
    raw_metadata,
    withdrawn_metadata,
    zone_shapes_metadata,
    zones_metadata,
)
from taxi_platform.orchestration.resources import LakeResource, TableStoreResource
from taxi_platform.references import (
    AcceptedRaw,
    CleanMonth,
    RawMonth,
    RestoredMonth,
    SelectedRaw,
    StagedClean,
    StagedRaw,
    WithdrawnMonth,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["LakeIOManager"]


class LakeIOManager(dg.ConfigurableIOManager):
    """Stores `RawMonths` and `CleanMonths` month by month; loads what the argument's annotation asks for."""

    lake: LakeResource
    months_at_once: int = 2
    attempts: int = ATTEMPTS
    _tables: ClassVar[Sequence[TableStoreResource]] = ()
    """The stores whose views over raw months are refreshed."""

    @classmethod
    def beside(cls, *tables: TableStoreResource) -> type[LakeIOManager]:
        """A class of IO managers that refresh the views of those stores."""
        # Dagster knows a resource only as a field of its own, and copies an IO manager by its fields.
        return type(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": cls.__doc__, "_tables": tables})

    def handle_output(
        self, context: dg.OutputContext, obj: RawMonths | CleanMonths | ZonesFile | ZoneShapesFile | Dimension
    ) -> None:
        """Open each month that the asset returned, which runs the asset's function for it, and store the result.

        Raises:
            StoreError: the asset returned anything else than months or a reference table.
            dagster.Failure: some months failed; it names them, and the others are stored and recorded.
        """
        if isinstance(obj, ZoneShapesFile):
            metadata = self._store_zone_shapes(obj)
            context.add_output_metadata(metadata)
            if metadata["changed"]:
                self._refresh_views(context)
            return
        if not isinstance(obj, RawMonths | CleanMonths | ZonesFile | Dimension):
            raise StoreError(
                f"lake_io stores raw and clean months, and {context.asset_key.to_user_string()} returned a "
                f"{type(obj).__name__}: give it io_manager_key warehouse_io or postgres_io"
            )
        if isinstance(obj, ZonesFile | Dimension):
            metadata = self._store_zones(obj) if isinstance(obj, ZonesFile) else self._store_dimension(obj)
            context.add_output_metadata(metadata)
            if metadata["changed"]:
                self._refresh_views(context)
            return

        store = self._storing_raw(obj) if isinstance(obj, RawMonths) else self._storing_clean(obj)
        beside = _quarantined if isinstance(obj, CleanMonths) else None
        with recorded(context, beside) as outcome:
            store_each(obj.months, store, self.months_at_once, self.attempts, self.lake.wait_seconds, outcome)
            refusals = [month for month, error in outcome.failed.items() if isinstance(error, RefusedMonthError)]
            if isinstance(obj, CleanMonths):
                self._record_current(context, refusals)
            if refusals or (isinstance(obj, RawMonths) and any(m["changed"] for m in outcome.stored.values())):
                self._refresh_raw_view(own_place(context).dataset)
            if refusals or any(metadata["changed"] for metadata in outcome.stored.values()):
                self._refresh_views(context)

    def _refresh_views(self, context: dg.OutputContext) -> None:
        if self.lake.views is not None and not refresh_views(Path(self.lake.views), self.lake.open(), PATIENCE):
            context.log_event(dg.AssetMaterialization(VIEWS, metadata={"file": dg.MetadataValue.path(self.lake.views)}))

    def _record_current(self, context: dg.OutputContext, refusals: Sequence[TripMonth]) -> None:
        """Record the versions that are current now, because a refused version was recorded as current before."""
        lake = self.lake.open()
        for month in refusals:
            raw = lake.current_raw(month)
            if raw is not None:
                metadata = raw_metadata(raw, lake.uri(raw.path), changed=True)
                key = asset_key("raw", month.dataset)
                context.log_event(dg.AssetMaterialization(key, partition=month.partition_key, metadata=metadata))

    def _refresh_raw_view(self, dataset: str) -> None:
        for tables in self._tables:
            refresh_raw_view(tables.layer, partial(tables.opened, PATIENCE), dataset, self.lake.open())

    def load_input(self, context: dg.InputContext) -> Any:
        """Give an asset references to the months in the lake, or their rows as its annotation asks."""
        layer = own_place(context).layer
        if layer == LOOKUP:
            return self._load_zones(context)
        if layer == SHAPES:
            return self._load_zone_shapes(context)
        if layer in DIMENSIONS:
            return self._load_dimension(context, layer)
        wanted = context.dagster_type.typing_type
        if wanted is RawMonths:
            return RawMonths(input_months(context), self._raw)
        if wanted is CleanMonths:
            return CleanMonths(input_months(context), self._clean)
        return as_annotated(context, self._read(context))

    def _storing_raw(self, months: RawMonths) -> Callable[[TripMonth], Metadata]:
        lake = self.lake.open()

        def store(month: TripMonth) -> Metadata:
            with months.open(month) as value:
                if isinstance(value, WithdrawnMonth):
                    return withdrawn_metadata(changed=lake.withdraw_raw(month))
                before = lake.current_raw(month)
                raw = _made_current(lake, value)
            # Upstream may publish equal bytes with another token: then nothing below has to run.
            return raw_metadata(raw, lake.uri(raw.path), changed=before is None or _cleaned(before) != _cleaned(raw))

        return store

    def _storing_clean(self, months: CleanMonths) -> Callable[[TripMonth], Metadata]:
        lake = self.lake.open()

        def store(month: TripMonth) -> Metadata:
            with months.open(month) as value:
                if isinstance(value, WithdrawnMonth):
                    return withdrawn_metadata(changed=lake.remove_clean(month))
                if isinstance(value, StagedClean):
                    clean = lake.store_clean(value)
                    return clean_metadata(clean, lake.uri, changed=True)
                lake.clear_superseded(month)
                return clean_metadata(value, lake.uri, changed=False)

        return store

    def _store_zones(self, zones: ZonesFile) -> Metadata:
        lake = self.lake.open()
        is_new = _store_what_is_new(zones, lake.store_zones)
        stored = lake.stored_zones()
        assert stored is not None, "the lake has just stored them, or had them before"
        return {**zones_metadata(stored), "changed": is_new}

    def _store_dimension(self, dimension: Dimension) -> Metadata:
        dimensions = self.lake.open().dimensions
        is_new = dimensions.store(dimension)
        stored = dimensions.stored(dimension.table.name)
        assert stored is not None, "the lake has just stored it, or had it before"
        return {**dimension_metadata(stored), "changed": is_new}

    def _store_zone_shapes(self, shapes: ZoneShapesFile) -> Metadata:
        lake = self.lake.open()
        is_new = _store_what_is_new(shapes, lake.store_zone_shapes)
        stored = lake.stored_zone_shapes()
        known = zone_shapes_metadata(stored) if stored else {"dagster/row_count": 0}
        return {**known, "changed": is_new}

    def _load_zone_shapes(self, context: dg.InputContext) -> Any:
        shapes = self.lake.open().zone_shapes()
        if shapes is None:
            raise StoreError(f"{self.lake.url} has no shapes of the zones: materialize {SHAPES} first")
        columns = chosen_columns(context)
        return as_annotated(context, (shapes if columns is None else shapes.select(columns)).to_reader())

    def _load_dimension(self, context: dg.InputContext, name: str) -> Any:
        dimensions = self.lake.open().dimensions
        rows, stored = dimensions.rows(name), dimensions.stored(name)
        if rows is None or stored is None:
            raise StoreError(f"{self.lake.url} has no {name}: materialize {name} first")
        if context.dagster_type.typing_type is type(stored):
            return stored
        columns = chosen_columns(context)
        return as_annotated(context, (rows if columns is None else rows.select(columns)).to_reader())

    def _load_zones(self, context: dg.InputContext) -> Any:
        lake = self.lake.open()
        zones, stored = lake.zones(), lake.stored_zones()
        if zones is None or stored is None:
            raise StoreError(f"{self.lake.url} has no zone lookup: materialize zones first")
        if context.dagster_type.typing_type is type(stored):
            return stored
        columns = chosen_columns(context)
        return as_annotated(context, (zones if columns is None else zones.select(columns)).to_reader())

    @contextlib.contextmanager
    def _raw(self, month: TripMonth) -> Iterator[RawMonth | WithdrawnMonth]:
        manifest = self.lake.open().repair(month)
        raw = WithdrawnMonth(month) if manifest.is_withdrawn else manifest.current_version
        if raw is None and manifest.refusal is not None:
            raise RefusedMonthError(manifest.refusal)
        if raw is None:
            name = asset_name("raw", month.dataset)
            raise StoreError(f"{self.lake.url} has no raw {month}: materialize {name} for it first")
        yield raw

    @contextlib.contextmanager
    def _clean(self, month: TripMonth) -> Iterator[CleanMonth | WithdrawnMonth]:
        """The month's clean pair; a withdrawn month too, if a run cleaned an earlier version of it again."""
        lake = self.lake.open()
        manifest = lake.repair(month)
        clean = manifest.clean
        if clean is not None and not lake.clean_problem(clean):
            yield clean
        elif manifest.is_withdrawn:
            yield WithdrawnMonth(month)
        else:
            raise StoreError(
                f"{self.lake.url} has no whole clean {month}: materialize {asset_name('trips', month.dataset)} for it "
                "first"
            )

    def _read(self, context: dg.InputContext) -> pa.RecordBatchReader:
        """The rows of the chosen months, all of which must exist; without a choice, those of all existing months."""
        from taxi_platform.stores.lake.rows import read_objects

        layer, dataset = own_place(context)
        chosen = chosen_months(context)
        lake = self.lake.open()
        months = [TripMonth(dataset, day) for day in chosen] if chosen is not None else lake.months(dataset)
        found = [(month, _path(lake, layer, month)) for month in months]
        if missing := [str(month) for month, path in found if path is None and chosen is not None]:
            raise StoreError(
                f"{self.lake.url} has no {layer} {', '.join(missing)}: materialize {asset_name(layer, dataset)} for it "
                "first"
            )
        paths = [path for _, path in found if path is not None]
        if not paths:
            raise StoreError(f"{self.lake.url} has no month of {asset_name(layer, dataset)} yet: materialize one first")
        return read_objects(lake, paths, chosen_columns(context))


def _quarantined(month: TripMonth, trips: Metadata) -> dg.AssetMaterialization:
    """The event of a month's quarantine, which is stored with its trips."""
    key = asset_key(QUARANTINE, month.dataset)
    return dg.AssetMaterialization(key, partition=month.partition_key, metadata=quarantine_metadata(trips))


def _made_current(lake: Lake, value: StagedRaw | SelectedRaw | RestoredMonth | AcceptedRaw | RawMonth) -> RawMonth:
    if isinstance(value, RawMonth):
        return value
    if isinstance(value, RestoredMonth):
        return lake.restore(value)
    month, version = value.raw.month, value.raw.version
    if isinstance(value, SelectedRaw):
        return lake.select_raw(month, version, accept_changed_format=value.accept_changed_format)
    if isinstance(value, AcceptedRaw):
        return lake.accept_raw(month, version, accept_changed_format=value.accept_changed_format)
    stored = lake.store_raw(value)
    if stored.refused is not None or stored.version != version:
        refusal = lake.manifest(month).refusal
        if refusal is not None:
            raise RefusedMonthError(refusal)
    return stored


def _cleaned(raw: RawMonth) -> tuple[str, bool]:
    """The facts of a raw month that decide how its rows are cleaned."""
    return raw.version, raw.accepts_changed_format


def _path(lake: Lake, layer: str, month: TripMonth) -> str | None:
    """The object with the month's rows in that layer."""
    if layer == "raw":
        raw = lake.current_raw(month)
        return raw.path if raw else None
    clean = lake.manifest(month).clean
    if clean is not None and (problem := lake.clean_problem(clean)):
        raise DamagedError(f"{problem}; run {month} again, which cleans it again")
    return clean.trips_path if clean else None


def _store_what_is_new(file: ZonesFile | ZoneShapesFile, store: Callable[..., object]) -> bool:
    """Have the lake store upstream's file with its provenance; returns whether there was anything to store."""
    with file.open() as download:
        if download is None:
            return False
        store(
            download.file,
            source_url=download.version.url,
            source_token=download.version.token,
            etag=download.version.etag,
            sha256=download.sha256,
            fetched_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        return True
