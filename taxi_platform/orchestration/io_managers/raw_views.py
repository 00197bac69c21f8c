"""Refreshes a store's views over raw months, so that they show the current versions.

Belongs here: when a view is refreshed, and what a failure means. Does not: the view itself (``stores``).

A view is refreshed when a raw month has changed, before anything is cleaned, so that new rows can be queried even if
cleaning refuses them. Loading a month refreshes it again, for a store that is new or was busy. A view that could not be
refreshed names older versions, which the lake keeps. So a failure is a warning, and the run that stored the month goes
on.
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
"""Seconds to wait for a busy store, in a run that needs it only for the view."""

_LOG = logging.getLogger(__name__)


def refresh_raw_view(
    layer: TableLayer,
    opened: Callable[[], AbstractContextManager[TableStore]],
    dataset: str,
    lake: Lake,
    *,
    claimed: bool = False,
) -> None:
    """Refresh the view over a dataset's raw months, if the store has such views.

    If the store cannot be opened, refuses, or belongs to another lake, a warning is logged. Whoever has just claimed it
    for the lake says so, and its owner is not read again.
    """
    try:
        with opened() as store:
            if not isinstance(store, RawViews):
                return
            problem = None if claimed else stranger(store, layer, lake)
            if problem is None:
                store.refresh_raw_view(dataset, lake)
    except TaxiError as error:
        problem = str(error)
    if problem:
        _LOG.warning("the view raw_%s stays as it was: %s", dataset, problem)
