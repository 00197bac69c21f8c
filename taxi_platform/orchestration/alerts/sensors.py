"""The sensors that look at runs and datasets, and send the alerts that are due.

Belongs here: reading and keeping cursors. Does not: decisions (``policy``), facts (``runs``), delivery (``outbox``).

Plain sensors over `fetch_run_status_changes`, not ``run_status_sensor``: that one moves its cursor on when its
function fails, so an alert would be lost whenever a channel is down, and it has nowhere to remember which failure a
success repairs. The cursor is kept with the tick: a tick that is killed between a delivery and its end delivers again
(same id), one that ends well never does.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

import dagster as dg
from pydantic import BaseModel, Field, ValidationError

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.alerts.channels import Channel, open_channels
from taxi_platform.orchestration.alerts.message import Alert
from taxi_platform.orchestration.alerts.outbox import OutboxState, send
from taxi_platform.orchestration.alerts.policy import OpenFailures, about_run, about_staleness
from taxi_platform.orchestration.alerts.runs import ended_since, facts, newest_end
from taxi_platform.orchestration.alerts.settings import AlertSettings
from taxi_platform.orchestration.automation.run_history import is_ours, retry
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.orchestration.resources import LakeResource

__all__ = ["build_alert_sensors"]

_RUNS_PER_TICK = 20
_RETRY_GRACE = 180.0
"""Seconds after which an announced retry that has not started counts as a failure.

Dagster starts it within seconds, or within a minute more if its daemon missed the failure
(``automation.recovery``).
"""


class _RunCursor(BaseModel):
    after: int
    held: dict[str, float] = Field(default_factory=dict)
    """Failed runs that Dagster will retry: run id → since when, in seconds since 1970."""
    known: OpenFailures = Field(default_factory=OpenFailures)
    outbox: OutboxState = Field(default_factory=OutboxState)


class _StaleCursor(BaseModel):
    told: dict[str, str] = Field(default_factory=dict)
    """Dataset → id of the last alert about it."""
    outbox: OutboxState = Field(default_factory=OutboxState)


def build_alert_sensors(
    settings: AlertSettings, contracts: Iterable[Contract], channels: Sequence[Channel] | None = None
) -> list[dg.SensorDefinition]:
    """The sensors that send alerts, which run from the start; none if no channel is configured.

    Args:
        settings: channels and options.
        contracts: the datasets whose runs and freshness are watched.
        channels: other channels than the settings name.
    """
    channels = open_channels(settings) if channels is None else channels
    if not channels:
        return []
    by_name = {contract.dataset: contract for contract in contracts}
    return [_run_alerts(settings, by_name, channels), _stale_alerts(settings, by_name, channels)]


def _run_alerts(
    settings: AlertSettings, contracts: Mapping[str, Contract], channels: Sequence[Channel]
) -> dg.SensorDefinition:
    @dg.sensor(
        name="run_alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells {_names(channels)} of failed runs and of the runs that repair them.",
    )
    def run_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = _read_run_cursor(context)
        if cursor is None:
            started = _RunCursor(after=newest_end(context.instance))
            return _result(started, ["looking at every run that ends from now on"])
        now = time.time()
        alerts = []
        for run in _due(context, cursor, now):
            found = facts(run, context.instance, contracts)
            link = f"{settings.ui_url}/runs/{run.run_id}"
            alert, cursor.known = about_run(found, cursor.known, on_success=settings.on_success, link=link)
            alerts += [alert] if alert else []
        return _sent(context, cursor, channels, alerts, now)

    return run_alerts


def _due(context: dg.SensorEvaluationContext, cursor: _RunCursor, now: float) -> list[dg.DagsterRun]:
    """Runs of this code location that ended since the cursor, or were held, and will not be retried.

    Moves the cursor.
    """
    ended = ended_since(context.instance, cursor.after, _RUNS_PER_TICK)
    ids = [*cursor.held, *(end.run_id for end in ended)]
    records = context.instance.get_run_records(dg.RunsFilter(run_ids=ids)) if ids else []
    runs = {record.dagster_run.run_id: record.dagster_run for record in records}
    held, cursor.held = cursor.held, {}
    due = []
    for run_id in dict.fromkeys(ids):
        run = runs.get(run_id)
        if run is None or not is_ours(run, context):
            continue
        since = held.get(run_id, now)
        state = retry(run, context.instance) if run.status == dg.DagsterRunStatus.FAILURE else "none"
        if state == "coming" and now - since < _RETRY_GRACE:
            cursor.held[run_id] = since
        elif state != "started":
            due.append(run)
    cursor.after = max([cursor.after, *(end.storage_id for end in ended)])
    return due


def _stale_alerts(
    settings: AlertSettings, contracts: Mapping[str, Contract], channels: Sequence[Channel]
) -> dg.SensorDefinition:
    @dg.sensor(
        name="stale_alerts",
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells {_names(channels)} of a dataset whose upstream nobody has looked at for a long time.",
    )
    def stale_alerts(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        cursor = _read_stale_cursor(context)
        now = datetime.now(timezone.utc)
        alerts = []
        for dataset in contracts:
            link = f"{settings.ui_url}/assets/{asset_name('raw', dataset)}"
            alert = about_staleness(dataset, lake.open().last_look(dataset), now, link)
            if alert is not None and cursor.told.get(dataset) != alert.id:
                cursor.told[dataset] = alert.id
                alerts.append(alert)
        return _sent(context, cursor, channels, alerts, time.time())

    return stale_alerts


def _sent(
    context: dg.SensorEvaluationContext,
    cursor: _RunCursor | _StaleCursor,
    channels: Sequence[Channel],
    alerts: Sequence[Alert],
    now: float,
) -> dg.SensorResult:
    """Send the alerts, report in the tick's log, and keep the rest."""
    cursor.outbox, told = send(channels, cursor.outbox, alerts, now)
    for sentence in told:
        context.log.log(logging.WARNING if cursor.outbox.outages else logging.INFO, sentence)
    return _result(cursor, told or ["nothing to tell"])


def _result(cursor: BaseModel, told: Sequence[str]) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=dg.SkipReason("; ".join(told)), cursor=cursor.model_dump_json())


def _read_run_cursor(context: dg.SensorEvaluationContext) -> _RunCursor | None:
    """The state in the cursor; None on the first tick, and if this release cannot read the cursor."""
    try:
        return _RunCursor.model_validate_json(context.cursor) if context.cursor else None
    except ValidationError:
        context.log.warning("the cursor cannot be read: starting again from the runs that end from now on")
        return None


def _read_stale_cursor(context: dg.SensorEvaluationContext) -> _StaleCursor:
    try:
        return _StaleCursor.model_validate_json(context.cursor or "{}")
    except ValidationError:
        context.log.warning("the cursor cannot be read, and is taken for none")
        return _StaleCursor()


def _names(channels: Sequence[Channel]) -> str:
    return " and ".join(channel.name for channel in channels)
