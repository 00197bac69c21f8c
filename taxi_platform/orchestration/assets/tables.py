"""``{dataset}_warehouse``, ``{dataset}_postgres``, …: clean months as tables that analysts query.

Belongs here: which asset is which table. Does not: loading (``orchestration.io_managers.tables``, ``stores``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.io_managers.values import CleanMonths, TableMonths
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.orchestration.metadata import TABLE, column_schema
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.stores.layer import StoreAt
from taxi_platform.stores.model import SCHEMA

__all__ = ["shown_kinds", "table_asset"]


def shown_kinds(store: StoreAt) -> set[str]:
    """What the web interface shows a table as."""
    return {store.kind, "gold"}


def table_asset(store: StoreAt, contract: Contract, all_contracts: Sequence[Contract]) -> dg.AssetsDefinition:
    """The trips and quarantine tables of one dataset in one store."""
    layer = store.layer

    @dg.asset(
        key=asset_name(layer.name, contract.dataset),
        ins={"trips": dg.AssetIn(key=asset_name("trips", contract.dataset))},
        partitions_def=monthly_partitions(contract),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=contract.dataset,
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        automation_condition=follows("trips"),
        kinds=shown_kinds(store),
        metadata={TABLE: f"{SCHEMA}.{contract.trips.name}", **column_schema(contract.trips)},
        description=(
            f"{contract.description} In {layer.title} as `{SCHEMA}.{contract.trips.name}` and "
            f"`{SCHEMA}.{contract.quarantine.name}`; a month is replaced atomically."
        ),
    )
    def table(trips: CleanMonths) -> TableMonths:
        return TableMonths(contract, trips, all_contracts)

    return table
