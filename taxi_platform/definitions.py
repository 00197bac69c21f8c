"""The front door: everything Dagster loads.

Belongs here: putting assets, jobs, checks, automation, IO managers and resources together; `build_definitions` returns
fresh definitions, so that tests and other projects compose instead of patching. Does not: anything else. Loading opens
no store, touches no network and imports no client (a test looks at ``sys.modules``).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping

import dagster as dg

# Single-run backfills are what makes a range one run; Dagster marks the parameter as beta.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

# This Arrow pool gives memory back between batches: a month of 7.7 million rows peaks 60 MB lower, at the same speed.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

from taxi_platform.alerts import AlertSettings, build_alert_sensors  # noqa: E402
from taxi_platform.assets import build_assets  # noqa: E402
from taxi_platform.assets.tables import table_layers  # noqa: E402
from taxi_platform.automation import build_automation_sensors  # noqa: E402
from taxi_platform.checks import build_checks  # noqa: E402
from taxi_platform.contracts import CONTRACTS  # noqa: E402
from taxi_platform.contracts.model import Contract  # noqa: E402
from taxi_platform.freshness import build_freshness_sensor  # noqa: E402
from taxi_platform.io_managers import io_managers  # noqa: E402
from taxi_platform.jobs import build_jobs  # noqa: E402
from taxi_platform.record_job import build_record_job  # noqa: E402
from taxi_platform.recovery import build_recovery_sensor  # noqa: E402
from taxi_platform.resources import resources  # noqa: E402
from taxi_platform.schedules import build_schedules  # noqa: E402
from taxi_platform.sensors import build_sensors  # noqa: E402
from taxi_platform.settings import Settings  # noqa: E402

__all__ = ["build_definitions", "defs"]


def build_definitions(
    settings: Settings,
    contracts: Iterable[Contract] = CONTRACTS.values(),
    overrides: Mapping[str, object] | None = None,
    alerts: AlertSettings | None = None,
) -> dg.Definitions:
    """Definitions of those datasets over the stores that the settings name.

    Args:
        settings: source, stores and options.
        contracts: the datasets.
        overrides: resources and IO managers that take the place of ours, by key.
        alerts: whom to tell of failures; by default nobody.
    """
    datasets = tuple(contracts)
    given = resources(settings)
    return dg.Definitions(
        assets=build_assets(datasets, table_layers(settings)),
        asset_checks=build_checks(datasets, settings.table_stores),
        jobs=[*build_jobs(datasets), build_record_job(datasets, settings.table_stores)],
        schedules=build_schedules(datasets, settings),
        sensors=[
            *build_sensors(datasets, settings),
            *build_automation_sensors(datasets, settings),
            build_recovery_sensor(),
            build_freshness_sensor(datasets),
            *build_alert_sensors(alerts or AlertSettings.from_environment({}), datasets),
        ],
        resources={**given, **io_managers(settings, given), **(overrides or {})},
        # Runs are the unit of parallelism: one process per run imports everything once.
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings.from_environment(), alerts=AlertSettings.from_environment())
