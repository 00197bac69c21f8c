"""``warehouse_io`` and ``postgres_io``: clean months into tables, and rows out of them.

Belongs here: what the two share, which is everything but the store. Does not: any SQL (``stores``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import dagster as dg

from taxi_platform.io_managers.isolation import ATTEMPTS, Metadata, record, store_each
from taxi_platform.io_managers.reading import as_annotated, input_months
from taxi_platform.io_managers.values import ReferenceTable, TableMonths
from taxi_platform.metadata import TABLE, loaded_metadata
from taxi_platform.months import TripMonth
from taxi_platform.resources import LakeResource, PostgresResource, WarehouseResource
from taxi_platform.stores.model import TableStore

__all__ = ["PostgresIOManager", "WarehouseIOManager"]


class TableIOManager(dg.ConfigurableIOManager):
    """Stores `TableMonths` month by month, each replaced atomically; loads rows by the argument's annotation."""

    lake: LakeResource
    months_at_once: int = 2
    attempts: int = ATTEMPTS

    @abstractmethod
    def store(self) -> TableStore: ...

    def handle_output(self, context: dg.OutputContext, obj: TableMonths | ReferenceTable) -> None:
        store, lake = self.store(), self.lake.open()
        if isinstance(obj, ReferenceTable):
            context.add_output_metadata({"dagster/row_count": store.replace_table(obj.table, obj.read(lake))})
            return

        def load(month: TripMonth) -> Metadata:
            with obj.open(month) as clean:
                return loaded_metadata(clean, store.replace_month(obj.contract, clean, lake))

        outcome = store_each(obj.months, load, self.months_at_once, self.attempts)
        if outcome.stored:
            store.refresh_views(obj.all_contracts)
        record(context, outcome)

    def load_input(self, context: dg.InputContext) -> Any:
        table = str((context.upstream_output.definition_metadata or {})[TABLE]) if context.upstream_output else ""
        months = [month.first_day for month in input_months(context)]
        columns = (context.definition_metadata or {}).get("columns")
        return as_annotated(context, self.store().read_months(table, months, columns))


class WarehouseIOManager(TableIOManager):
    """Tables of the warehouse."""

    warehouse: WarehouseResource

    def store(self) -> TableStore:
        return self.warehouse.open()


class PostgresIOManager(TableIOManager):
    """Tables of PostgreSQL."""

    postgres: PostgresResource

    def store(self) -> TableStore:
        return self.postgres.open()
