"""Keeping a store's views over raw months at the current versions.

Belongs here: when it is made anew, and what becomes of a failure. Does not: the view itself (``stores``).

It is made anew when a raw month has changed, before anything is cleaned: what lands can be queried even where cleaning
refuses it. Loading a month does it again, for a store that is new, or was busy. A view that stays as it was names
older versions, which the lake keeps: that is a warning, no reason to fail the run that stored the month.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from taxi_platform.errors import TaxiError
from taxi_platform.stores.model import RawViews
from taxi_platform.stores.ownership import stranger

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.layer import TableLayer
    from taxi_platform.stores.model import TableStore

__all__ = ["PATIENCE", "refresh_raw_view"]

PATIENCE = 30.0
"""Seconds to wait for a store that others hold, by a run that has no other business with it."""

_LOG = logging.getLogger(__name__)


def refresh_raw_view(
    layer: TableLayer, opened: Callable[[], AbstractContextManager[TableStore]], dataset: str, lake: Lake
) -> None:
    """Make the view over a dataset's raw months anew, in a store that has such views.

    A store that will not open, refuses, or holds another lake's months is told of.
    """
    try:
        with opened() as store:
            if not isinstance(store, RawViews):
                return
            problem = stranger(store, layer, lake)
            if problem is None:
                store.refresh_raw_view(dataset, lake)
    except TaxiError as error:
        problem = str(error)
    if problem:
        _LOG.warning("the view raw_%s stays as it was: %s", dataset, problem)
