"""Whether Dagster itself is at work: its daemons, their last ticks, and runs, read from the instance.

Belongs here: reading them. Does not: judging months (``inspection.gauges``), and telling people (``alerts`` do that as
long as the daemon lives, ``cli.monitoring`` when it does not).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone

import dagster as dg

from taxi_platform.inspection.gauges import Gauge

__all__ = ["SILENT_AFTER", "daemon_gauges", "heartbeats", "run_gauges", "silent_daemons", "tick_gauges"]

SILENT_AFTER = timedelta(minutes=10)
"""A daemon says every half minute that it lives, but for the time that one tick of it takes, which Dagster ends after a
minute."""


def heartbeats(instance: dg.DagsterInstance) -> Mapping[str, float | None]:
    """Every daemon that this instance needs → when it last said that it lives (seconds since 1970); None if never."""
    statuses = instance.get_daemon_statuses(instance.get_required_daemon_types())
    last = {name: status.last_heartbeat for name, status in statuses.items()}
    return {name: None if beat is None else beat.timestamp for name, beat in last.items()}


def silent_daemons(instance: dg.DagsterInstance) -> list[str]:
    """The daemons that are not heard of any more, or never were."""
    oldest = time.time() - SILENT_AFTER.total_seconds()
    return sorted(name for name, beat in heartbeats(instance).items() if beat is None or beat < oldest)


def daemon_gauges(instance: dg.DagsterInstance) -> Iterator[Gauge]:
    """When each daemon last said that it lives; 0 if never."""
    about = "When the daemon last said that it lives; 0 if never."
    for name, beat in heartbeats(instance).items():
        yield Gauge("taxi_daemon_heartbeat_timestamp_seconds", about, beat or 0, {"daemon": name.lower()})


def tick_gauges(instance: dg.DagsterInstance) -> Iterator[Gauge]:
    """The newest tick of every sensor and schedule that is on, and whether it failed."""
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.origin.get_id(), state.selector_id, limit=1) if state.is_running else []
        for tick in ticks:
            labels = {"name": state.instigator_name}
            yield Gauge("taxi_last_tick_timestamp_seconds", "When it last ticked.", tick.timestamp, labels)
            has_failed = float(tick.status.value == "FAILURE")
            yield Gauge("taxi_last_tick_failed", "1 if its last tick failed.", has_failed, labels)


def run_gauges(instance: dg.DagsterInstance) -> Iterator[Gauge]:
    """Runs that wait or are under way, and those that failed within a day."""
    under_way = {
        "queued": [dg.DagsterRunStatus.QUEUED],
        "started": [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
    }
    for name, statuses in under_way.items():
        count = instance.get_runs_count(dg.RunsFilter(statuses=statuses))
        yield Gauge("taxi_runs", "Runs that have not ended.", count, {"status": name})
    a_day_ago = datetime.now(timezone.utc) - timedelta(days=1)
    failed = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=a_day_ago))
    yield Gauge("taxi_runs_failed_last_day", "Runs that failed within a day.", failed)
