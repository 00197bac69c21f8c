"""Keeping the file of views over a lake on disk at the current versions.

Belongs here: when it is made anew, and what becomes of a failure. Does not: the file itself
(``stores.duckdb.lake_views``).

A run makes it anew when it has changed a month; ``taxi`` commands do where they find it behind, as after a kill. A file
that stays as it was shows older versions, whole: that is a warning, no reason to fail the run that stored the months.
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
    """Make the file anew where it is behind; returns what keeps it as it is, in a sentence."""
    from taxi_platform.stores.duckdb.lake_views import ViewsFile

    try:
        ViewsFile(path, lake, wait_seconds=wait_seconds).refresh(list(CONTRACTS.values()))
    except TaxiError as error:
        _LOG.warning("the views stay as they were: %s", error)
        return str(error)
    return None


def refreshed_views(settings: Settings) -> str | None:
    """The same for a platform's settings: nothing is made of a bucket, or where there is no lake yet."""
    from taxi_platform.stores.lake.lake import Lake

    if settings.views is None or not Path(settings.lake).is_dir():
        return None
    return refresh_views(settings.views, Lake(settings.lake, wait_seconds=settings.wait_seconds), settings.wait_seconds)
