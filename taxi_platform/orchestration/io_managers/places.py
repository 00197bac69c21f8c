"""The layer and dataset of a context's asset.

Belongs here: refusing an asset that is not the platform's. Does not: the form of keys (``orchestration.keys``).
"""

from __future__ import annotations

import dagster as dg

from taxi_platform.errors import StoreError
from taxi_platform.orchestration.keys import Place, place

__all__ = ["own_place"]


def own_place(context: dg.InputContext | dg.OutputContext) -> Place:
    """Layer and dataset of the context's asset; raises `StoreError` for an asset that the lake does not keep."""
    found = place(context.asset_key)
    if found is None:
        raise StoreError(
            f"{context.asset_key.to_user_string()} names no layer of a dataset, as green_trips and green_raw do: "
            "assets of your own go by the IO managers warehouse_io and postgres_io"
        )
    return found
