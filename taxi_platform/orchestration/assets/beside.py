"""What the steps of other assets store as well: quarantine with trips, and the views and records over all datasets.

Belongs here: what these are, for the graph. Does not: storing and recording them (``orchestration.io_managers``).

Dagster calls them external: no step is theirs, and *Materialize* is the business of the asset whose step stores them.
It records an event of each month or change. So they have pages, partitions and plots, others can follow them, and no
promise about a month has a second place where it could break. Dagster's commands refuse a selection that has one of
them; their kind, ``external``, is what a selection leaves out: ``'group:green and not kind:external'``.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.orchestration.assets.tables import kinds_of
from taxi_platform.orchestration.columns import column_schema
from taxi_platform.orchestration.jobs import VIEWS_GROUP
from taxi_platform.orchestration.keys import LOOKUP, QUARANTINE, SHAPES, VIEWS, asset_key, asset_name
from taxi_platform.orchestration.metadata import TABLE
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.stores.layer import StoreAt
from taxi_platform.stores.model import SCHEMA

__all__ = ["all_datasets_specs", "quarantine_spec", "views_spec"]

_EXTERNAL = "external"
_LOOKED_UP = (LOOKUP, SHAPES, *DIMENSIONS)


def quarantine_spec(contract: Contract) -> dg.AssetSpec:
    """A dataset's rejected rows in the lake."""
    return dg.AssetSpec(
        asset_key(QUARANTINE, contract.dataset),
        deps=[asset_key("raw", contract.dataset)],
        partitions_def=monthly_partitions(contract),
        group_name=contract.dataset,
        kinds={"parquet", "silver", _EXTERNAL},
        metadata=column_schema(contract.quarantine),
        description=(
            f"{contract.quarantine.description} Stored by the step of {asset_name('trips', contract.dataset)}, as one "
            "change with the month's trips, and loaded with them into every store of tables."
        ),
    )


def all_datasets_specs(store: StoreAt, contracts: Sequence[Contract]) -> list[dg.AssetSpec]:
    """``trips_warehouse``, a store's view over all datasets, and ``months_warehouse``, the record of its months."""
    layer, tables = store.layer, [asset_key(store.layer.name, contract.dataset) for contract in contracts]
    names = {
        "trips": ("the trips of all datasets in one shape, with the names of zones and codes, a view", [LOOKUP]),
        "months": ("which data version of which month is there, with its rows", []),
    }
    return [
        dg.AssetSpec(
            asset_key(layer.name, name),
            deps=[*tables, *(asset_key(layer.name, lookup) for lookup in lookups)],
            group_name=VIEWS_GROUP,
            kinds={*kinds_of(store), _EXTERNAL},
            metadata={TABLE: f"{SCHEMA}.{name}"},
            description=f"In {layer.title} as `{SCHEMA}.{name}`: {what}. Kept up to date by the steps of its tables.",
        )
        for name, (what, lookups) in names.items()
    ]


def views_spec(contracts: Sequence[Contract]) -> dg.AssetSpec:
    """The file of views over a lake on disk."""
    layers = ("raw", "trips", QUARANTINE)
    return dg.AssetSpec(
        VIEWS,
        deps=[
            *(asset_key(layer, contract.dataset) for contract in contracts for layer in layers),
            *(asset_key(name, name) for name in _LOOKED_UP),
        ],
        group_name=VIEWS_GROUP,
        kinds={"duckdb", _EXTERNAL},
        description=(
            "`views.duckdb`, by the variable `TAXI_VIEWS` that `taxi env` gives: views over exactly the current "
            "version of every month of the lake. Made again by every step that changes the lake."
        ),
    )
