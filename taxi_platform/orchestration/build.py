"""Puts assets, jobs, checks, automation, IO managers and resources together.

Belongs here: `build_definitions`, which returns new definitions at each call, so that tests and other projects combine
them instead of patching. Does not: building any part. It opens no store, uses no network and imports no client (a test
checks ``sys.modules``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.alerts import AlertSettings, build_alert_sensors
from taxi_platform.orchestration.assets import build_assets
from taxi_platform.orchestration.automation.conditions import build_automation_sensors
from taxi_platform.orchestration.automation.record_job import build_record_job
from taxi_platform.orchestration.automation.recovery import build_recovery_sensor
from taxi_platform.orchestration.automation.retention import build_retention_job, build_retention_schedule
from taxi_platform.orchestration.automation.schedules import build_schedules
from taxi_platform.orchestration.automation.sensors import build_sensors
from taxi_platform.orchestration.checks import build_checks
from taxi_platform.orchestration.executor import steps_in_threads
from taxi_platform.orchestration.freshness import build_freshness_sensor
from taxi_platform.orchestration.io_managers import io_managers
from taxi_platform.orchestration.jobs import build_jobs
from taxi_platform.orchestration.resources import resources
from taxi_platform.settings import Settings

__all__ = ["build_definitions"]


def build_definitions(
    settings: Settings,
    contracts: Iterable[Contract] = CONTRACTS.values(),
    overrides: Mapping[str, object] | None = None,
    alerts: AlertSettings | None = None,
) -> dg.Definitions:
    """Definitions of those datasets over the stores in the settings.

    Args:
        settings: the source, the stores and the options.
        contracts: the datasets.
        overrides: key → a resource or IO manager that replaces the platform's own.
        alerts: whom to tell about failures; by default nobody.
    """
    datasets = tuple(contracts)
    given, tables, with_marts = resources(settings), settings.tables, tuple(settings.marts_in.values())
    checks = build_checks(datasets, tuple(tables), with_marts)
    return dg.Definitions(
        assets=build_assets(
            datasets,
            tuple(tables.values()),
            with_marts,
            has_views=settings.views is not None,
            run_months=settings.months_of_a_run,
        ),
        asset_checks=checks,
        jobs=[
            *build_jobs(datasets, has_reports=bool(with_marts)),
            build_record_job(datasets, tuple(tables), with_marts),
            build_retention_job(checks, settings),
        ],
        schedules=[*build_schedules(datasets, settings), build_retention_schedule(settings)],
        sensors=[
            *build_sensors(datasets, settings),
            *build_automation_sensors(datasets, settings),
            build_recovery_sensor(),
            build_freshness_sensor(datasets),
            *build_alert_sensors(alerts or AlertSettings.from_environment({}), datasets),
        ],
        resources={**given, **io_managers(settings, given), **(overrides or {})},
        # A process per run imports everything once; in it, stores that do not need each other load at the same time.
        executor=steps_in_threads,
    )
