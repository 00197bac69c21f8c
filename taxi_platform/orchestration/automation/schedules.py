"""What runs by the calendar: the monthly sweep of each dataset and the daily reconciliation of the stores.

Belongs here: the two schedules, which find what sensors and automation have missed. Does not: looking for new months
upstream (``sensors``). Times are New York's, where upstream publishes.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Collection, Sequence
from datetime import datetime, timezone

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.automation.repairs import BATCH, Repair, repairs
from taxi_platform.orchestration.automation.run_history import months_under_way
from taxi_platform.orchestration.automation.sensors import LOOK_SECONDS, TICK_RETRIES
from taxi_platform.orchestration.io_managers.lake_views import refreshed_views
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.keys import LAYERS, asset_key
from taxi_platform.orchestration.partitions import contiguous_ranges, recent_months, run_tags
from taxi_platform.orchestration.resources import LakeResource, SourceResource
from taxi_platform.settings import Settings
from taxi_platform.sources.looking import look_at

__all__ = ["DAILY", "MONTHLY", "TIME_ZONE", "build_schedules"]

MONTHLY = "0 5 1 * *"
DAILY = "0 6 * * *"
TIME_ZONE = "America/New_York"
_WAIT_SECONDS = 20.0
"""The wait for a busy store. A tick has 60 s, and a failed tick is repeated (``schedules`` in dagster.yaml)."""


def build_schedules(contracts: Sequence[Contract], settings: Settings) -> list[dg.ScheduleDefinition]:
    """Both schedules of every dataset; those of datasets that `Settings.automates` are on by default."""
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
    def sweep(
        context: dg.ScheduleEvaluationContext, source: SourceResource, lake: LakeResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        at = context.scheduled_execution_time
        months = recent_months(contract, settings.lookback_months, at)
        look = look_at(source.open(TICK_RETRIES), months, LOOK_SECONDS)
        if look.published or look.unpublished:
            lake.open(_WAIT_SECONDS).note_look(contract.dataset, datetime.now(timezone.utc))
        # Request a month without an answer too, because a run may wait longer for upstream than a tick.
        days = [month.first_day for month in months if month not in look.unpublished]
        ranges = [Repair(tuple(found), LAYERS) for found in contiguous_ranges(days)]
        return [_request(contract, "sweep", at, repair) for repair in ranges] or dg.SkipReason(
            "upstream has none of these months"
        )

    return sweep


def _reconciliation(contract: Contract, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{contract.dataset}_reconciliation",
        cron_schedule=DAILY,
        execution_timezone=TIME_ZONE,
        job_name=job_name(contract.dataset),
        default_status=_status(contract, settings),
        description=(
            f"Looks at every month of {contract.title} in every store and asks for what is missing, differs, or was "
            f"made by an earlier release: for {BATCH} months at a time."
        ),
    )
    def reconciliation(
        context: dg.ScheduleEvaluationContext, source: SourceResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        patient = settings.model_copy(update={"wait_seconds": min(settings.wait_seconds, _WAIT_SECONDS)})
        keys = [asset_key(layer, contract.dataset) for layer in LAYERS]
        under_way = months_under_way(context.instance, contract, keys)
        statuses = month_statuses(patient, [contract], under_way=under_way)

        def gone(months: Sequence[TripMonth]) -> Collection[TripMonth]:
            return look_at(source.open(TICK_RETRIES), months, LOOK_SECONDS / 2).unpublished

        wanted, sentences = repairs(contract, statuses, gone)
        sentences += [f"the views stay as they were: {problem}" for problem in (refreshed_views(patient),) if problem]
        for sentence in sentences:
            context.log.warning(sentence)
        at = context.scheduled_execution_time
        return [_request(contract, "reconciliation", at, repair) for repair in wanted] or dg.SkipReason(
            "; ".join(["every month is the same in every store, or under way", *sentences])
        )

    return reconciliation


def _request(contract: Contract, why: str, at: datetime, repair: Repair) -> dg.RunRequest:
    """One run; its key keeps a repeated tick from requesting it twice."""
    days, layers = repair.months, repair.layers
    whole = layers[0] == LAYERS[0]
    return dg.RunRequest(
        run_key=f"{contract.dataset}|{why}|{at:%Y-%m-%d}|{'+'.join(layers)}|{days[0]}..{days[-1]}",
        run_config={"ops": repair.config(contract.dataset)},
        tags=run_tags(days),
        asset_selection=None if whole else [asset_key(layer, contract.dataset) for layer in layers],
    )


def _status(contract: Contract, settings: Settings) -> dg.DefaultScheduleStatus:
    starts = settings.automates(contract.dataset)
    return dg.DefaultScheduleStatus.RUNNING if starts else dg.DefaultScheduleStatus.STOPPED
