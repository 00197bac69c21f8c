"""What runs by the calendar: the monthly sweep of each dataset and the daily reconciliation of the stores.

Belongs here: the two schedules, which catch what sensors and automation have missed. Does not: looking at upstream for
what is new (``sensors``). Times are New York's, where upstream publishes.
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import dagster as dg

from taxi_platform.contracts.model import Contract
from taxi_platform.jobs import job_name
from taxi_platform.keys import LAYERS, asset_key
from taxi_platform.partitions import contiguous_ranges, recent_months, run_tags
from taxi_platform.resources import SourceResource
from taxi_platform.run_history import months_under_way
from taxi_platform.sensors import HASTY, LOOK_SECONDS
from taxi_platform.settings import Settings
from taxi_platform.sources.looking import look_at
from taxi_platform.status import MonthStatus, month_statuses

__all__ = ["DAILY", "MONTHLY", "TIME_ZONE", "build_schedules", "layers_to_repair"]

MONTHLY = "0 5 1 * *"
DAILY = "0 6 * * *"
TIME_ZONE = "America/New_York"
_WAIT_SECONDS = 20.0
"""For a store that is busy: a tick has 60 s; one that fails is repeated (``schedules`` in dagster.yaml)."""


def build_schedules(contracts: Sequence[Contract], settings: Settings) -> list[dg.ScheduleDefinition]:
    """Both schedules of every dataset; those of the datasets that `Settings.automates` start by themselves."""
    return [make(contract, settings) for contract in contracts for make in (_sweep, _reconciliation)]


def _sweep(contract: Contract, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{contract.dataset}_sweep",
        cron_schedule=MONTHLY,
        execution_timezone=TIME_ZONE,
        job_name=job_name(contract.dataset),
        default_status=_status(contract, settings),
        description=(
            f"On the first of the month, the {settings.lookback_months} newest months of {contract.title} through "
            "every store; an unchanged month costs one look."
        ),
    )
    def sweep(context: dg.ScheduleEvaluationContext, source: SourceResource) -> list[dg.RunRequest] | dg.SkipReason:
        at = context.scheduled_execution_time
        months = recent_months(contract, settings.lookback_months, at)
        look = look_at(source.open(HASTY), months, LOOK_SECONDS)
        # A month that upstream gave no answer for is asked for: the run is more patient than a tick may be.
        days = [month.first_day for month in months if month not in look.unpublished]
        return _requests(contract, "sweep", at, {LAYERS: days}) or dg.SkipReason("upstream has none of these months")

    return sweep


def _reconciliation(contract: Contract, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{contract.dataset}_reconciliation",
        cron_schedule=DAILY,
        execution_timezone=TIME_ZONE,
        job_name=job_name(contract.dataset),
        default_status=_status(contract, settings),
        description=f"Counts every month of {contract.title} in every store and asks for what is missing or differs.",
    )
    def reconciliation(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        patient = settings.model_copy(update={"wait_seconds": min(settings.wait_seconds, _WAIT_SECONDS)})
        keys = [asset_key(layer, contract.dataset) for layer in LAYERS]
        under_way = months_under_way(context.instance, contract, keys)
        wanted: dict[tuple[str, ...], list[date]] = defaultdict(list)
        for status in month_statuses(patient, [contract]):
            layers = layers_to_repair(status)
            if layers and contract.month(status.file_month) not in under_way:
                wanted[layers].append(status.file_month)
        return _requests(contract, "reconciliation", context.scheduled_execution_time, wanted) or dg.SkipReason(
            "every month is the same in every store, or under way"
        )

    return reconciliation


def layers_to_repair(status: MonthStatus) -> tuple[str, ...]:
    """The layers to materialize so that every store holds the month, or none does: none where it is so already."""
    if status.is_whole or status.is_gone:
        return ()
    if status.raw_rows is None and not status.is_withdrawn:
        return LAYERS
    rows = (status.trips_rows, status.quarantined_rows)
    if rows != (None, None) if status.is_withdrawn else None in rows or status.raw_rows != sum(n or 0 for n in rows):
        return LAYERS[1:]
    stores = {"warehouse": status.warehouse_rows, "postgres": status.postgres_rows}
    return tuple(layer for layer, rows_there in stores.items() if rows_there != status.trips_rows)


def _requests(
    contract: Contract, why: str, at: datetime, wanted: Mapping[tuple[str, ...], Sequence[date]]
) -> list[dg.RunRequest]:
    """One run per contiguous range of months with the same layers; a repeated tick asks for nothing twice."""
    return [
        dg.RunRequest(
            run_key=f"{contract.dataset}|{why}|{at:%Y-%m-%d}|{'+'.join(layers)}|{days[0]}..{days[-1]}",
            tags=run_tags(days),
            asset_selection=None if layers == LAYERS else [asset_key(layer, contract.dataset) for layer in layers],
        )
        for layers, months in wanted.items()
        for days in contiguous_ranges(months)
    ]


def _status(contract: Contract, settings: Settings) -> dg.DefaultScheduleStatus:
    starts = settings.automates(contract.dataset)
    return dg.DefaultScheduleStatus.RUNNING if starts else dg.DefaultScheduleStatus.STOPPED
