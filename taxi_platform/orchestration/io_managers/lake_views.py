"""Refreshes the file of views over a lake on disk, so that it shows the current versions.

Belongs here: when the file is made again, and what a failure means. Does not: the file itself
(``stores.duckdb.lake_views``).

A run makes the file again when it has changed a month; ``taxi`` commands do so if it is out of date, as after a kill. A
file that could not be made again shows older versions. So a failure is a warning, and the run that stored the months
goes on.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import TaxiError

if TYPE_CHECKING:
    from taxi_platform.settings import Settings
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["refresh_views", "refreshed_views"]

_LOG = logging.getLogger(__name__)


def refresh_views(path: Path, lake: Lake, wait_seconds: float) -> str | None:
    """Make the file again if it is out of date; returns a sentence if that fails."""
    from taxi_platform.stores.duckdb.lake_views import ViewsFile

    try:
        ViewsFile(path, lake, wait_seconds=wait_seconds).refresh(list(CONTRACTS.values()))
    except TaxiError as error:
        _LOG.warning("the views stay as they were: %s", error)
        return str(error)
    return None


def refreshed_views(settings: Settings) -> str | None:
    """The same for a platform's settings; nothing is made for a lake in a bucket, or without a lake."""
    from taxi_platform.stores.lake.lake import Lake

    if settings.views is None or not Path(settings.lake).is_dir():
        return None
    return refresh_views(settings.views, Lake(settings.lake, wait_seconds=settings.wait_seconds), settings.wait_seconds)
