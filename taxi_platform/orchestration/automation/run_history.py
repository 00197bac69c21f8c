"""What the run records say: which months are under way, how often a version was requested, and what is retried.

Belongs here: the tags by which automation finds its own runs, the tags that Dagster sets, and reading them. Does not:
deciding what to request (``sensors``, ``schedules``). Nothing else remembers: a deleted record is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.months import TripMonth, month_label
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.partitions import run_months

__all__ = [
    "WILL_RETRY",
    "Asked",
    "asked_tags",
    "attempt_of",
    "cause",
    "is_ours",
    "last_asked",
    "months_under_way",
    "retry",
]

WILL_RETRY = "dagster/will_retry"
"""Set on failed runs only, after the failure's event, by the process that stored that event, or else by the daemon."""
_RETRIED_AS = "dagster/auto_retry_run_id"
_OWN_ERROR = re.compile(r"taxi_platform\.errors\.\w+: ")

_DATASET = "taxi/asked_for"
_VERSIONS = ".dagster/taxi_versions"
"""Its prefix makes the web interface hide the tag, because the versions of fifteen months are unreadable in a list."""
_ATTEMPT = "taxi/attempt"
_RECORDS = 500
"""The newest runs of a dataset to read. Attempts are hours apart, so these cover weeks."""

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Asked:
    """The newest run that was requested for one version of a month."""

    attempt: int
    ended: float | None
    """When the run ended, in seconds since 1970; None if it has not."""


def asked_tags(dataset: str, versions: Mapping[date, str], attempt: int) -> dict[str, str]:
    """The tags of a run that is to bring those versions (month → version)."""
    named = {month_label(month): version for month, version in versions.items()}
    return {_DATASET: dataset, _VERSIONS: json.dumps(named), _ATTEMPT: str(attempt)}


def attempt_of(tags: Mapping[str, str]) -> int:
    """The number of a run's attempt at its months; 1 if the run has no number."""
    return int(tags.get(_ATTEMPT, "1"))


def last_asked(instance: dg.DagsterInstance, dataset: str) -> dict[tuple[str, str], Asked]:
    """For each month label and version that was requested, the newest run.

    If Dagster starts a run in place of a crashed one, the new run has the tags of the crashed one, and so its attempt.
    """
    newest: dict[tuple[str, str], Asked] = {}
    for record in instance.get_run_records(dg.RunsFilter(tags={_DATASET: dataset}), limit=_RECORDS):
        run = record.dagster_run
        ended = None if run.status in _UNFINISHED else record.end_time or record.update_timestamp.timestamp()
        asked = Asked(int(run.tags[_ATTEMPT]), ended)
        for month, version in json.loads(run.tags.get(_VERSIONS, "{}")).items():
            newest.setdefault((month, version), asked)
    return newest


def months_under_way(
    instance: dg.DagsterInstance, contract: Contract, assets: Iterable[dg.AssetKey]
) -> frozenset[TripMonth]:
    """Months of the dataset that an unfinished run will materialize in one of those assets."""
    wanted = set(assets)
    months: set[TripMonth] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        whole_job = run.asset_selection is None and run.job_name == job_name(contract.dataset)
        if whole_job or wanted & (run.asset_selection or set()):
            months.update(run_months(contract, run.tags) or ())
    return frozenset(months)


def is_ours(run: dg.DagsterRun, context: dg.SensorEvaluationContext) -> bool:
    """Whether the run belongs to the sensor's own code location, whoever started it.

    A command line (``dagster asset materialize``) records no code location; then job and assets decide.
    """
    repository = context.repository_def
    if repository is None or not repository.has_job(run.job_name):
        return False
    if run.asset_selection and not run.asset_selection & repository.asset_graph.get_all_asset_keys():
        return False
    here, origin = context.code_location_origin, run.remote_job_origin
    return not (here and origin) or origin.repository_origin.code_location_origin.location_name == here.location_name


def retry(run: dg.DagsterRun, instance: dg.DagsterInstance) -> Literal["none", "coming", "started"]:
    """Whether Dagster itself retries a failed run; "coming" also while Dagster has not decided yet."""
    if run.tags.get(_RETRIED_AS):
        return "started"
    undecided = "true" if instance.run_retries_enabled else "false"
    return "coming" if run.tags.get(WILL_RETRY, undecided) == "true" else "none"


def cause(error: Any) -> str:
    """Why a step failed, in one line: the first error with a sentence of the platform, or else the innermost one."""
    if error is None:
        return "the step failed without a reason"
    while error.cause is not None and not _OWN_ERROR.match(error.message):
        error = error.cause
    first = next((line for line in error.message.splitlines() if line.strip()), error.cls_name or "an error")
    return _OWN_ERROR.sub("", first.strip())
