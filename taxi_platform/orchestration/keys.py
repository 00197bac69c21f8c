"""The keys of the assets: one word each, made of dataset and layer (``green_raw``), as people read them in the graph.

Belongs here: making a key, and reading layer and dataset from one. Does not: what an asset does (``assets``) and where
a store keeps it (``stores``); paths and table names have other forms.

A key has one part and not two, because Dagster's pages show only the last part of a key, which must tell layers apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = [
    "LAYERS",
    "LOOKUP",
    "MART_LAYERS",
    "OF_ALL",
    "QUARANTINE",
    "REPORT",
    "SHAPES",
    "TABLE_LAYERS",
    "VIEWS",
    "Place",
    "asset_key",
    "asset_name",
    "place",
]

TABLE_LAYERS = tuple(layer.name for layer in Settings.table_layers())
"""The names of the stores of tables."""
MART_LAYERS = tuple(layer.marts for layer in Settings.table_layers() if layer.has_marts)
"""The layers of marts, each made from the tables of one store."""
LAYERS = ("raw", "trips", *TABLE_LAYERS, *MART_LAYERS)
"""The layers of every dataset, from upstream to the marts."""
REPORT = "report"
"""The report of a dataset: pages made from the marts of one store, which no store of tables has."""
QUARANTINE = "quarantine"
"""The rejected rows of a dataset, which the step of its trips stores with them."""
OF_ALL = ("trips", "months")
"""What every store of tables has of all datasets, and the steps of tables keep up to date: ``trips_warehouse``."""
VIEWS = "views"
"""The file of views over a lake on disk."""
LOOKUP = "zones"
"""The zone lookup, beside the datasets. In the lake it is a layer of its own; in the stores it is a table in their
layer."""
SHAPES = "zone_shapes"
"""The zones' shapes, beside the lookup: a layer of the lake."""


class Place(NamedTuple):
    """The layer and the dataset of an asset."""

    layer: str
    dataset: str


def asset_name(layer: str, dataset: str) -> str:
    """``green_raw``, ``green_warehouse``, ``zones``, ``zones_warehouse``: also the name of the asset's op."""
    return dataset if layer == dataset else f"{dataset}_{layer}"


def asset_key(layer: str, dataset: str) -> dg.AssetKey:
    """The key of that layer of that dataset."""
    import dagster as dg

    return dg.AssetKey(asset_name(layer, dataset))


def place(key: dg.AssetKey) -> Place | None:
    """Layer and dataset of a key of the platform; None for any other key, such as that of a user's own asset."""
    if len(key.path) != 1:
        return None
    (name,) = key.path
    if name in (LOOKUP, SHAPES, VIEWS, *DIMENSIONS):
        return Place(name, name)
    found = [layer for layer in (*LAYERS, QUARANTINE, REPORT) if name.endswith(f"_{layer}")]
    layer = max(found, key=len, default="")
    dataset = name.removesuffix(f"_{layer}")
    return Place(layer, dataset) if layer and dataset else None
