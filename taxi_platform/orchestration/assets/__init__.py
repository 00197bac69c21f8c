"""The assets: one per layer and dataset, marts among them, its report, the zones, dates and codes,
and what their steps store beside.

Belongs here: putting a dataset's assets together. Does not: what an asset does (one module per layer).

An asset's function does no work. It returns months and a function that makes one month (`io_managers.values.Months`).
Dagster hands that value to the asset's IO manager, which calls the function for each month, and stores the result
before it goes to the next. So one bad month fails alone, and the staging disk holds few months at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.assets.beside import all_datasets_specs, quarantine_spec, views_spec
from taxi_platform.orchestration.assets.dimensions import dimension_assets
from taxi_platform.orchestration.assets.marts import marts_asset
from taxi_platform.orchestration.assets.raw import raw_asset
from taxi_platform.orchestration.assets.report import report_asset
from taxi_platform.orchestration.assets.tables import table_asset
from taxi_platform.orchestration.assets.trips import trips_asset
from taxi_platform.orchestration.assets.zones import zones_assets
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.stores.layer import StoreAt

__all__ = ["build_assets"]


@knowingly()
def build_assets(
    contracts: Sequence[Contract],
    stores: Sequence[StoreAt],
    with_marts: Sequence[StoreAt],
    *,
    has_views: bool,
    run_months: int | None = None,
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset of those datasets, with a table asset for each of those stores, and marts in some of them.

    The report is of the marts in the first of these. With ``has_views`` there is a file of views over the lake. A
    backfill's runs have at most ``run_months`` months; None means one run for each contiguous range.
    """
    # One policy for all: Dagster puts assets of different ones into runs of their own, a layer each.
    runs = dg.BackfillPolicy.multi_run(run_months) if run_months else dg.BackfillPolicy.single_run()
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [*zones_assets(stores), *dimension_assets(stores)]
    for contract in contracts:
        assets += [raw_asset(contract, runs), trips_asset(contract, runs), quarantine_spec(contract)]
        assets += [table_asset(store, contract, contracts, runs) for store in stores]
        assets += [marts_asset(store, contract, contracts, runs) for store in with_marts]
        assets += [report_asset(store, contract, runs) for store in with_marts[:1]]
    assets += [spec for store in stores for spec in all_datasets_specs(store, contracts)]
    return [*assets, views_spec(contracts)] if has_views else assets
