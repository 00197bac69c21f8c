"""``{dataset}_warehouse``, ``{dataset}_postgres``, …: clean months as tables for analysts.

Belongs here: which asset is which table. Does not: loading (``orchestration.io_managers.tables``, ``stores``).

Who calls whom: the asset's function ``table`` gets references to the lake's clean months and returns them as
`TableMonths`. Dagster gives that to ``TableIOManager.handle_output``. It opens each month and calls the store's
``replace_month``, which reads the month's Parquet objects from the lake.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.columns import table_columns
from taxi_platform.orchestration.io_managers.values import CleanMonths, TableMonths
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.orchestration.metadata import TABLE
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.stores.layer import StoreAt
from taxi_platform.stores.model import SCHEMA

__all__ = ["kinds_of", "table_asset"]


def kinds_of(store: StoreAt) -> set[str]:
    """The kinds that the web interface shows on a store's tables."""
    return {store.kind, "gold"}


def table_asset(
    store: StoreAt, contract: Contract, all_contracts: Sequence[Contract], runs: dg.BackfillPolicy
) -> dg.AssetsDefinition:
    """The asset of one dataset's trips and quarantine tables in one store; the module's text says who calls whom."""
    layer = store.layer

    @dg.asset(
        key=asset_name(layer.name, contract.dataset),
        ins={"trips": dg.AssetIn(key=asset_name("trips", contract.dataset))},
        partitions_def=monthly_partitions(contract),
        backfill_policy=runs,
        group_name=contract.dataset,
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        automation_condition=follows("trips"),
        kinds=kinds_of(store),
        metadata={TABLE: f"{SCHEMA}.{contract.trips.name}", **table_columns(contract)},
        description=(
            f"{contract.description} In {layer.title} as `{SCHEMA}.{contract.trips.name}` and "
            f"`{SCHEMA}.{contract.quarantine.name}`; a month is replaced atomically."
        ),
    )
    def table(trips: CleanMonths) -> TableMonths:
        return TableMonths(contract, trips, all_contracts)

    return table
