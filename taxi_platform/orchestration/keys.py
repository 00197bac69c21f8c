"""The keys of the assets: one word each, of dataset and layer (``green_raw``), as people read them in the graph.

Belongs here: making a key, and reading layer and dataset back from one. Does not: what an asset does (``assets``) and
where a store keeps it (``stores``): paths and table names have forms of their own.

One part, not two: Dagster's graph, job and asset pages show the last part of a key, which has to tell layers apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from taxi_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["LAYERS", "LOOKUP", "TABLE_LAYERS", "Place", "asset_key", "asset_name", "place"]

TABLE_LAYERS = tuple(layer.name for layer in Settings.table_layers())
"""The stores of tables."""
LAYERS = ("raw", "trips", *TABLE_LAYERS)
"""Of every dataset, from upstream to the tables."""
LOOKUP = "zones"
"""The zone lookup, beside the datasets; in the lake it is a layer of its own, in the tables it is in theirs."""


class Place(NamedTuple):
    """Where an asset stands: which layer of which dataset."""

    layer: str
    dataset: str


def asset_name(layer: str, dataset: str) -> str:
    """``green_raw``, ``green_warehouse``, ``zones``, ``zones_warehouse``; the name of the asset's op as well."""
    return dataset if layer == dataset else f"{dataset}_{layer}"


def asset_key(layer: str, dataset: str) -> dg.AssetKey:
    """The key of that layer of that dataset."""
    import dagster as dg

    return dg.AssetKey(asset_name(layer, dataset))


def place(key: dg.AssetKey) -> Place | None:
    """Layer and dataset of one of our keys; None for a key of another form, such as that of a user's own asset."""
    if len(key.path) != 1:
        return None
    (name,) = key.path
    if name == LOOKUP:
        return Place(LOOKUP, LOOKUP)
    dataset, _, layer = name.rpartition("_")
    return Place(layer, dataset) if dataset and layer in LAYERS else None
