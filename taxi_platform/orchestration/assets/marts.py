"""``{dataset}_warehouse_marts``, ``{dataset}_postgres_marts``, …: what people compute from trips, in the store itself.

Belongs here: which asset is which marts. Does not: making them (``orchestration.io_managers.tables``, ``stores``) and
any mart (``marts``).

Who calls whom: the asset's function ``marts`` returns `MartMonths`. Dagster gives that to
``TableIOManager.handle_output``. It calls the store's ``make_marts`` for each month, which reads the store's tables.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.marts import marts_of
from taxi_platform.orchestration.assets.tables import kinds_of
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.columns import mart_columns
from taxi_platform.orchestration.io_managers.values import MartMonths
from taxi_platform.orchestration.jobs import marts_group
from taxi_platform.orchestration.keys import asset_key, asset_name
from taxi_platform.orchestration.partitions import asked_months, monthly_partitions
from taxi_platform.stores.layer import StoreAt

__all__ = ["marts_asset"]


def marts_asset(
    store: StoreAt, contract: Contract, all_contracts: Sequence[Contract], runs: dg.BackfillPolicy
) -> dg.AssetsDefinition:
    """The asset of one dataset's marts in one store; the module's text says who calls whom."""
    layer, tables = store.layer, asset_key(store.layer.name, contract.dataset)
    names = ", ".join(f"`{mart.name}`" for mart in marts_of(contract))

    @dg.asset(
        key=asset_name(layer.marts, contract.dataset),
        deps=[tables],
        partitions_def=monthly_partitions(contract),
        backfill_policy=runs,
        group_name=marts_group(contract.dataset),
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        automation_condition=follows(layer.name),
        kinds=kinds_of(store),
        metadata=mart_columns(contract, tables),
        description=(
            f"What people compute from {contract.title} trips, by month, in {layer.title}: {names}. Made from the "
            "month's trips there, and replaced with them."
        ),
    )
    def marts(context: dg.AssetExecutionContext) -> MartMonths:
        return MartMonths(contract, asked_months(contract, context.run.tags), all_contracts)

    return marts
