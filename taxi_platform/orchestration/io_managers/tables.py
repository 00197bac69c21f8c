"""``warehouse_io``, ``postgres_io``, …: clean months and users' own rows into tables, and rows out of them.

Belongs here: the choice of what is stored and loaded, and how. Does not: any SQL (``stores``), and how DataFrames
become tables (``frames``).

Who calls whom: Dagster calls ``handle_output`` with what an asset of ``assets.tables`` or ``assets.zones``, or a user's
own asset, returned. ``handle_output`` opens the months one by one and gives each to the store's ``replace_month``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar, cast

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import DamagedError, StoreError, TransientError
from taxi_platform.marts import marts_of
from taxi_platform.marts.days import SERVICE_DAY
from taxi_platform.months import TripMonth, month_label
from taxi_platform.orchestration.io_managers.frames import store_rows, table_name
from taxi_platform.orchestration.io_managers.isolation import ATTEMPTS, Metadata, recorded, store_each, trying_again
from taxi_platform.orchestration.io_managers.raw_views import refresh_raw_view
from taxi_platform.orchestration.io_managers.reading import as_annotated, chosen_columns, chosen_months, wants_frame
from taxi_platform.orchestration.io_managers.values import MartMonths, ReferenceTable, TableMonths
from taxi_platform.orchestration.keys import OF_ALL, asset_key
from taxi_platform.orchestration.metadata import (
    NO_SHAPES,
    SHA256,
    TABLE,
    ZONE_SHAPES,
    loaded_metadata,
    made_metadata,
    withdrawn_metadata,
)
from taxi_platform.orchestration.resources import LakeResource, StagingResource, TableStoreResource
from taxi_platform.references import CleanMonth, WithdrawnMonth
from taxi_platform.stores.model import SCHEMA, MartStore, TableStore, split_name
from taxi_platform.stores.ownership import claim

if TYPE_CHECKING:
    from taxi_platform.stores.bigquery.store import BigQueryStore
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["TableIOManager"]

T = TypeVar("T")


class TableIOManager(dg.ConfigurableIOManager):
    """Stores `TableMonths` month by month, and users' own rows as tables; each month or table is replaced atomically.

    Loads rows in the type of the argument's annotation.
    """

    lake: LakeResource
    staging: StagingResource
    tables: TableStoreResource
    months_at_once: int = 2
    attempts: int = ATTEMPTS

    @property
    def name(self) -> str:
        """The store's name in settings and commands."""
        return self.tables.layer.name

    def store(self) -> TableStore:
        """The opened store of tables."""
        return self.tables.open()

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store what the asset returned: months of the platform's own tables, or rows of a user's table.

        Raises:
            StoreError: the store refuses, or belongs to another lake.
            dagster.Failure: some months failed; it names them, and the others are stored and recorded.
        """
        if isinstance(obj, TableMonths):
            self._store_months(context, obj)
        elif isinstance(obj, MartMonths):
            self._store_marts(context, obj)
        elif isinstance(obj, ReferenceTable):
            self._store_reference(context, obj)
        else:
            with self.staging.open() as folder:
                store_rows(context, obj, self.store(), folder)

    def _store_reference(self, context: dg.OutputContext, obj: ReferenceTable) -> None:
        store, lake = self._claimed(), self.lake.open()
        shapes = lake.stored_zone_shapes() if obj.has_shapes else None
        rows = self._patiently(obj.table.name, lambda: store.replace_table(obj.table, obj.read(lake)))
        located = {ZONE_SHAPES: shapes.version if shapes else NO_SHAPES} if obj.has_shapes else {}
        context.add_output_metadata({"dagster/row_count": rows, SHA256: obj.sha256, **located})

    def _claimed(self) -> TableStore:
        """The store, claimed for this lake if it had no owner; raises `StoreError` if it is another lake's."""
        store = self.store()
        self._patiently(self.name, lambda: claim(store, self.tables.layer, self.lake.open()))
        return store

    def _patiently(self, what: str, work: Callable[[], T]) -> T:
        """Do work that is needed once for all months of a step; it waits for the store as long as one month does."""
        return trying_again(what, work, self.attempts, self.lake.wait_seconds)

    def _store_months(self, context: dg.OutputContext, months: TableMonths) -> None:
        store, lake = self._claimed(), self.lake.open()

        def load(month: TripMonth) -> Metadata:
            with months.open(month) as clean:
                if isinstance(clean, WithdrawnMonth):
                    return withdrawn_metadata(changed=_taken_out(store, months.contract, month))
                try:
                    loaded = store.replace_month(months.contract, clean, lake)
                except Exception as error:
                    if problem := _unreadable(lake, clean, error):
                        raise DamagedError(f"{problem}; run {month} again, which cleans it again") from error
                    raise
                return loaded_metadata(clean, loaded)

        with recorded(context) as outcome:
            store_each(months.months, load, self.months_at_once, self.attempts, self.lake.wait_seconds, outcome)
            if outcome.stored:
                self._patiently("the views", lambda: store.refresh_views(months.all_contracts))
                dataset = months.contract.dataset
                refresh_raw_view(self.tables.layer, lambda: nullcontext(store), dataset, lake, claimed=True)
            self._record_of_all(context, {m.label for m, told in outcome.stored.items() if told["changed"]})

    def _record_of_all(self, context: dg.OutputContext, changed: Collection[str]) -> None:
        """Say that the tables and views over all datasets have changed, if they have."""
        for name in OF_ALL if changed else ():
            metadata = {TABLE: f"{SCHEMA}.{name}", "changed_by": context.asset_key.to_user_string()}
            metadata["months"] = ", ".join(sorted(changed))
            context.log_event(dg.AssetMaterialization(asset_key(self.name, name), metadata=metadata))

    def _store_marts(self, context: dg.OutputContext, marts: MartMonths) -> None:
        store, lake, contract = self._claimed(), self.lake.open(), marts.contract
        assert isinstance(store, MartStore), "its layer says so"
        by_day = SERVICE_DAY.table(contract).qualified_name

        def make(month: TripMonth) -> Metadata:
            if lake.manifest(month).is_withdrawn:
                return withdrawn_metadata(changed=False)  # its tables took the marts with them
            made = store.make_marts(contract, marts_of(contract), month.first_day)
            days = store.read_months(by_day, [month.first_day], ["trips", "total_cents"])
            return made_metadata(contract, made, days.read_all())

        with recorded(context) as outcome:
            store_each(marts.months, make, self.months_at_once, self.attempts, self.lake.wait_seconds, outcome)
            if outcome.stored:
                self._patiently("the views of marts", lambda: store.refresh_mart_views(marts.all_contracts))

    def load_input(self, context: dg.InputContext) -> Any:
        """Read the rows of a table in the type of the input's annotation."""
        upstream = context.upstream_output
        name = table_name(context.asset_key, upstream.definition_metadata if upstream else None)
        months, store = chosen_months(context), self.store()
        if months is not None:
            _check_loaded(store, name, months)
        columns = chosen_columns(context)
        if store.kind == "bigquery" and wants_frame(context):
            from taxi_platform.orchestration.io_managers.bigquery_frames import read_frame

            return read_frame(context, cast("BigQueryStore", store), name, months, columns)
        return as_annotated(context, store.read_months(name, months, columns))


def _unreadable(lake: Lake, clean: CleanMonth, error: Exception) -> str | None:
    """Why a month does not load, where its objects do not read: no footer tells that before somebody reads them."""
    return None if isinstance(error, TransientError) else lake.discard_unreadable_clean(clean)


def _taken_out(store: TableStore, contract: Contract, month: TripMonth) -> bool:
    """Whether the month was there."""
    there = bool(store.count_months(contract, [month.first_day]))
    store.delete_month(contract, month.first_day)
    return there


def _check_loaded(store: TableStore, name: str, months: Sequence[date]) -> None:
    """Refuse months of trips that were never loaded: without rows they would look as if nobody had taken a taxi."""
    schema, table = split_name(name)
    if schema != SCHEMA:
        return
    records = store.read_months(f"{SCHEMA}.months", months, ["dataset", "file_month"]).read_all().to_pylist()
    loaded = {row["file_month"] for row in records if name == f"{SCHEMA}.{row['dataset']}_trips"}
    if missing := [month_label(month) for month in months if month not in loaded]:
        raise StoreError(f"{name} does not hold {', '.join(missing)}: materialize {table} for it first")
