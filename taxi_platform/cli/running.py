"""``taxi run``: the shipped job of each dataset, in this process, over the months that were asked for.

Belongs here: turning options into runs, and runs into the report. Does not: any work on a month (``assets``).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from taxi_platform.cli.report import MonthWork, print_run
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Contract
from taxi_platform.errors import SettingsError, TaxiError
from taxi_platform.instance import opened_instance, remember_run, use_instance
from taxi_platform.months import TripMonth, add_months, month_label, parse_month, parse_month_range
from taxi_platform.settings import Settings
from taxi_platform.status import month_statuses

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["run_months"]

_DEFAULT_DATASETS = "green"
_DEFAULT_MONTHS = "2021-07"
_RANGE_FAILURE = "failed_months"


def run_months(datasets: str | None, months: str | None, options: Mapping[str, bool]) -> int:
    """Run and report; returns the exit code: 0 when every month is whole in every store."""
    chosen = _contracts(datasets or _DEFAULT_DATASETS)
    wanted = {c.dataset: _months(c, parse_month_range(months or _DEFAULT_MONTHS)) for c in chosen}
    settings = _reachable(Settings.from_environment(), chosen[0], nothing_asked=not (datasets or months))
    use_instance(settings)
    remember_run(settings)
    _show_progress()
    work = _run(settings, chosen, wanted, options)
    statuses = month_statuses(settings, chosen, wanted)
    print_run(statuses, work, settings)
    return 0 if all(s.is_whole for s in statuses) and not any(w.error for w in work.values()) else 1


def _contracts(names: str) -> list[Contract]:
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if unknown := [name for name in chosen if name not in CONTRACTS]:
        raise SettingsError(f"there is no dataset {', '.join(unknown)}: choose from {', '.join(CONTRACTS)}")
    if not chosen:
        raise SettingsError(f"no dataset is named: choose from {', '.join(CONTRACTS)}")
    return [CONTRACTS[name] for name in chosen]


def _months(contract: Contract, months: Sequence[date]) -> tuple[date, ...]:
    last = add_months(date.today().replace(day=1), -1)  # noqa: DTZ011 - a day more or less changes no published month
    for month in months:
        if month < contract.first_month:
            raise SettingsError(
                f"{contract.dataset} begins with {month_label(contract.first_month)}: {month_label(month)} is before it"
            )
        if month > last:
            raise SettingsError(f"{month_label(month)} is not over yet: the last whole month is {month_label(last)}")
    return tuple(months)


def _reachable(settings: Settings, contract: Contract, *, nothing_asked: bool) -> Settings:
    """The settings; with nothing asked for and the public source out of reach, those of generated data, said aloud."""
    from taxi_platform.sources import RetryPolicy, open_source

    if not nothing_asked or settings.model_fields_set & {"source", "lake", "warehouse", "postgres"}:
        return settings
    quickly = RetryPolicy(attempts=2, connect_timeout=5, read_timeout=10)
    try:
        open_source("auto", retry=quickly).stat(contract.month(parse_month(_DEFAULT_MONTHS)))
    except TaxiError as error:
        os.environ.update(TAXI_SOURCE="sample", TAXI_DATA=str(settings.data / "sample"))
        generated = Settings.from_environment()
        click.echo(f"The public source cannot be reached: {error}.", err=True)
        click.echo(f"Running on generated months instead, apart from real ones, in {generated.data}.", err=True)
        return generated
    return settings


def _show_progress() -> None:
    """The platform's own log lines on stderr; Dagster's, one per event, stay in the run's log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("taxi_platform")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _run(
    settings: Settings,
    contracts: Iterable[Contract],
    wanted: Mapping[str, Sequence[date]],
    options: Mapping[str, bool],
) -> dict[TripMonth, MonthWork]:
    from taxi_platform.jobs import ZONES_JOB, job_name
    from taxi_platform.launch import run_job
    from taxi_platform.partitions import contiguous_ranges
    from taxi_platform.resources import PostgresResource, resources

    postgres = resources(settings)["postgres"]
    assert isinstance(postgres, PostgresResource)
    work = {c.month(m): MonthWork() for c in contracts for m in wanted[c.dataset]}
    # The server stays up between runs: starting it for each would cost half a second a time.
    with opened_instance(settings) as instance, postgres.running():
        zones = run_job(instance, ZONES_JOB, {}, _config({}))
        if not zones.success:
            raise SettingsError(f"the taxi zones could not be brought: {_first_error(instance, zones.run_id)}")
        for contract in contracts:
            config = _config(_op_config(contract.dataset, options))
            for months in contiguous_ranges(wanted[contract.dataset]):
                _run_range(instance, job_name(contract.dataset), contract, months, config, work)
    return work


def _run_range(
    instance: dg.DagsterInstance,
    job: str,
    contract: Contract,
    months: Sequence[date],
    config: Mapping[str, Any],
    work: dict[TripMonth, MonthWork],
) -> None:
    """Run the range; where months fail, run the good ones again without them, so that they reach every store."""
    from taxi_platform.launch import run_job
    from taxi_platform.partitions import contiguous_ranges, run_tags

    result = run_job(instance, job, run_tags(months), config)
    _note_work(instance, result.run_id, contract, work)
    if result.success:
        return
    failed = _failed_months(instance, result.run_id)
    for month in months:
        if not failed or month_label(month) in failed:
            work[contract.month(month)].error = failed.get(month_label(month)) or _first_error(instance, result.run_id)
    if failed:
        for rest in contiguous_ranges(m for m in months if month_label(m) not in failed):
            _run_range(instance, job, contract, rest, config, work)


def _note_work(instance: dg.DagsterInstance, run_id: str, contract: Contract, work: dict[TripMonth, MonthWork]) -> None:
    import dagster as dg

    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.dagster_event
        materialization = event and event.step_materialization_data.materialization
        if not materialization or not materialization.partition:
            continue
        done = work[contract.month(parse_month(materialization.partition))]
        metadata: dict[str, Any] = {key: value.value for key, value in materialization.metadata.items()}
        done.seconds += metadata.get("seconds", 0.0)
        done.changed |= bool(metadata.get("changed"))


def _failed_months(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Month → its own sentence, from the failure that the IO manager raised; empty where something else broke."""
    failed: dict[str, str] = {}
    for failure in _failures(instance, run_id):
        if failure.user_failure_data and _RANGE_FAILURE in failure.user_failure_data.metadata:
            failed.update(failure.user_failure_data.metadata[_RANGE_FAILURE].value)
    return failed


def _first_error(instance: dg.DagsterInstance, run_id: str) -> str:
    for failure in _failures(instance, run_id):
        error = failure.error.cause or failure.error if failure.error else None
        if error:
            return str(error.message).strip()
    return "the run failed; its log in the Dagster UI says why"


def _failures(instance: dg.DagsterInstance, run_id: str) -> Iterable[Any]:
    import dagster as dg

    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        if entry.dagster_event:
            yield entry.dagster_event.step_failure_data


def _op_config(dataset: str, options: Mapping[str, bool]) -> dict[str, Any]:
    cleaning = {name: True for name, on in options.items() if on and name != "force"}
    ops: dict[str, Any] = {}
    if options.get("force"):
        ops[f"raw__{dataset}"] = {"config": {"force": True}}
    if cleaning:
        ops[f"trips__{dataset}"] = {"config": cleaning}
    return ops


def _config(ops: Mapping[str, Any]) -> dict[str, Any]:
    """Run configuration that keeps Dagster's own event lines off the terminal."""
    return {"ops": dict(ops), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
