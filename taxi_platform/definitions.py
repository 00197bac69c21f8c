"""The front door: the definitions that Dagster loads, of the settings in the environment.

Belongs here: `defs`, and what has to be set before anything is imported. Does not: what is in them
(``orchestration.build``).
"""

from __future__ import annotations

import os
import warnings

import dagster as dg

# Single-run backfills are what makes a range one run; Dagster marks the parameter as beta.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

# This Arrow pool gives memory back between batches: a month of 7.7 million rows peaks 60 MB lower, at the same speed.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

from taxi_platform.orchestration.alerts import AlertSettings  # noqa: E402
from taxi_platform.orchestration.build import build_definitions  # noqa: E402
from taxi_platform.settings import Settings  # noqa: E402

__all__ = ["defs"]

defs = build_definitions(Settings.from_environment(), alerts=AlertSettings.from_environment())
