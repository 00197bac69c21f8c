"""The front door: the definitions that Dagster loads, of the settings in the environment.

Belongs here: `defs`. Does not: what is in them (``orchestration.build``).
"""

from __future__ import annotations

from taxi_platform.orchestration.alerts import AlertSettings
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings

__all__ = ["defs"]

defs = build_definitions(Settings.from_environment(), alerts=AlertSettings.from_environment())
