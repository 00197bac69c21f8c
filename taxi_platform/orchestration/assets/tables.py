"""``{dataset}_warehouse`` and ``{dataset}_postgres``: clean months as tables that analysts query.

Belongs here: which asset is which table. Does not: loading (``orchestration.io_managers.tables``, ``stores``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.io_managers.values import CleanMonths, TableMonths
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.orchestration.metadata import TABLE, column_schema
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import Settings
from taxi_platform.stores.model import SCHEMA

__all__ = ["TableLayer", "table_asset", "table_layers"]


@dataclass(frozen=True)
class TableLayer:
    """One store of tables as a layer of assets."""

    name: str
    io_manager_key: str
    kind: str
    """What the web interface shows the store as."""
    title: str

    @property
    def kinds(self) -> set[str]:
        return {self.kind, "gold"}


def table_layers(settings: Settings) -> tuple[TableLayer, ...]:
    """The stores of tables that are part of the platform; the warehouse is shown as ``duckdb`` or ``bigquery``."""
    layers = (
        TableLayer("warehouse", "warehouse_io", settings.warehouse_kind, "the warehouse"),
        TableLayer("postgres", "postgres_io", "postgresql", "PostgreSQL"),
    )
    return tuple(layer for layer in layers if layer.name in settings.table_stores)


def table_asset(layer: TableLayer, contract: Contract, all_contracts: Sequence[Contract]) -> dg.AssetsDefinition:
    """The trips and quarantine tables of one dataset in one store."""

    @dg.asset(
        key=asset_name(layer.name, contract.dataset),
        ins={"trips": dg.AssetIn(key=asset_name("trips", contract.dataset))},
        partitions_def=monthly_partitions(contract),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=contract.dataset,
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        automation_condition=follows("trips"),
        kinds=layer.kinds,
        metadata={TABLE: f"{SCHEMA}.{contract.trips.name}", **column_schema(contract.trips)},
        description=(
            f"{contract.description} In {layer.title} as `{SCHEMA}.{contract.trips.name}` and "
            f"`{SCHEMA}.{contract.quarantine.name}`; a month is replaced atomically."
        ),
    )
    def table(trips: CleanMonths) -> TableMonths:
        return TableMonths(contract, trips, all_contracts)

    return table
