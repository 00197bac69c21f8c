"""Runs a shipped job in this process, recorded as if the web interface had launched it.

Belongs here: the one place that uses Dagster's internals to run a job, and the instance that records it.
`dagster.execute_job` records no code location, so that the web interface could neither link nor re-execute the run. So
`taxi run` creates the run itself. Measured on Dagster 1.13: about 0.2 s per run once everything is imported.

The job is built from settings that are passed; nothing reads the environment. Dagster rebuilds a job from its module
only if another process executes it, and these runs stay in this process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from taxi_platform.cli.kept_storage import KeptSqliteStorage
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings

__all__ = ["CODE_LOCATION", "begin_cursors", "build_repository", "open_instance", "run_job", "runs_under_way"]

_MODULE = "taxi_platform.definitions"
CODE_LOCATION = "taxi_platform"
"""The code location's name everywhere. A daemon takes only runs whose location has the name in its ``workspace.yaml``.

It is not the module's name, which ``-m`` would give it: Dagster 1.13 shows an empty graph of a group if the location's
name has a dot."""

_NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_BATCHES = ("DAGSTER_EVENT_BATCH_SIZE", "500")
"""The variable by which Dagster stores events together that it has together, and how many."""
_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")

_under_way: list[str] = []


def runs_under_way() -> tuple[str, ...]:
    """The ids of the runs that this process is executing."""
    return tuple(_under_way)


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the instance in that folder, for runs of this process.

    The output of such a run stays on its terminal. Dagster's default would copy it into files with four processes per
    run, which print tracebacks of their own at Ctrl-C. An instance configured to keep logs does keep them. Where the
    instance keeps its record in SQLite files, as by default, this process keeps its connections to them.
    """
    config, own_class = dagster_instance_config(str(home))
    overrides: dict[str, Any] = {} if config.get("compute_logs") else {**_NO_CAPTURE}
    if own_class is None and not any(config.get(storage) for storage in _STORAGES):
        kept = {"module": KeptSqliteStorage.__module__, "class": KeptSqliteStorage.__name__}
        overrides["storage"] = {"custom": {**kept, "config": {"base_dir": str(home)}}}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


def begin_cursors(instance: dg.DagsterInstance) -> None:
    """Make the daemon follow runs from now on, as it would by itself, but without a warning at its first start."""
    storage = instance.daemon_cursor_storage
    for event in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS):
        key = f"EVENT_LOG_CONSUMER_CURSOR-{event.value}"
        if key not in storage.get_cursor_values({key}):
            newest = instance.fetch_run_status_changes(event, limit=1).records
            storage.set_cursor_values({key: str(newest[0].storage_id if newest else 0)})


def build_repository(settings: Settings) -> dg.RepositoryDefinition:
    """The shipped jobs over the stores in the settings."""
    return build_definitions(settings).get_repository_def()


def run_job(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    job_name: str,
    tags: Mapping[str, str],
    config: Mapping[str, Any] | None = None,
    assets: Collection[dg.AssetKey] | None = None,
) -> dg.JobExecutionResult:
    """Run one of the shipped jobs, or some of its assets, to the end; a failed run is returned and raises nothing.

    Args:
        instance: where the run is recorded, under the code location that web interface and daemon know.
        repository: the result of `build_repository`.
        job_name: the job.
        tags: the run's tags, its months among them.
        config: the run's configuration.
        assets: the job's assets to make; None means all.
    """
    with _stored_together():
        return _run_job(instance, repository, job_name, tags, config, assets)


def _run_job(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    job_name: str,
    tags: Mapping[str, str],
    config: Mapping[str, Any] | None,
    assets: Collection[dg.AssetKey] | None,
) -> dg.JobExecutionResult:
    job = InMemoryJob(repository.get_job(job_name))
    selection = None if assets is None else frozenset(assets)
    target = LoadableTargetOrigin(module_name=_MODULE)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name=CODE_LOCATION)
    origin = RemoteRepositoryOrigin(location, repository.name)
    shipped = ReconstructableRepository.for_module(_MODULE, "defs", working_directory=None)
    run = instance.create_run_for_job(
        job_def=job.get_subset(asset_selection=selection).get_definition() if selection else job.get_definition(),
        asset_selection=selection,
        run_config=dict(config or {}),
        tags=dict(tags),
        remote_job_origin=origin.get_job_origin(job_name),
        job_code_origin=shipped.get_reconstructable_job(job_name).get_python_origin(),
    )
    _under_way.append(run.run_id)
    try:
        return execute_run(job, run, instance)
    finally:
        _under_way.remove(run.run_id)


@contextlib.contextmanager
def _stored_together() -> Iterator[None]:
    """Events that Dagster has together reach the storage together; `KeptSqliteStorage` makes one change of them."""
    name, number = _BATCHES
    if name in os.environ:
        yield
        return
    os.environ[name] = number
    try:
        yield
    finally:
        os.environ.pop(name, None)
