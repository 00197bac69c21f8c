"""Runs on other machines: the launcher that hands them to Celery, and the worker that executes them there.

Belongs here: how a run gets to a worker, executed at most once, and how it is noticed that its worker is gone. Does
not: what is started again (``run_retries`` in ``dagster.yaml``), and what else ends lost runs
(``automation.recovery``).

The broker is a Redis server, which also keeps what became of each task. It forgets, restarts, and delivers a message
twice; the settings below and two checks make up for it:

* **At most once.** A message is acknowledged when its execution begins, so no time-out and no restart of the broker
  delivers it while a run goes on. Whoever begins claims the run's id first: a second message of the same run does
  nothing. What is lost in between never started, and Dagster's ``start_timeout_seconds`` sees to it.
* **Dagster alone starts again.** Its retry is a run of its own, in the record and in the web interface.
* **A worker that is gone.** Celery's record of its task says ``STARTED`` for ever, and dagster-celery takes that for
  health. A run that has begun to work holds its lease (``leases``), which tells. Before that the worker itself is asked
  here, and one that stays silent counts as gone.

This module needs the extra ``celery``, and only processes that have this launcher import it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import celery
import dagster as dg
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, pack_value, unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task

from taxi_platform.errors import SettingsError
from taxi_platform.orchestration.leases import LEASE_TAG

__all__ = ["WorkersLauncher", "serve_runs"]

_LOG = logging.getLogger(__name__)
_DAY = 86_400
_SETTINGS: Mapping[str, Any] = {
    "worker_prefetch_multiplier": 1,
    # A worker takes a message only when it has a place for it: none waits behind a long run (Celery 5.6, Redis).
    "worker_disable_prefetch": True,
    "task_acks_late": False,
    "broker_transport_options": {"visibility_timeout": _DAY, "socket_keepalive": True},
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # A broker that restarts is waited for, about a minute, before launching a run fails.
    "task_publish_retry_policy": {
        "max_retries": 30,
        "interval_start": 0.5,
        "interval_step": 0.5,
        "interval_max": 2.0,
    },
    "result_expires": 2 * _DAY,
    "worker_max_tasks_per_child": 20,
    # Dagster keeps what a run prints, and configures its loggers itself.
    "worker_redirect_stdouts": False,
    "worker_hijack_root_logger": False,
}
_ANSWER_SECONDS = 2.0
_SILENT_SECONDS = 45
"""Less than two looks of run monitoring are apart, so that the second one ends the run."""


class WorkersLauncher(CeleryRunLauncher):  # type: ignore[misc]  # the extra is not everywhere where types are checked
    """Dagster's run launcher for Celery, told how to use Redis, and with a look at workers that are gone.

    In ``dagster.yaml``: ``broker``, the address of a Redis server, and ``silent_seconds``, how long a worker may be
    silent about a run that it began.
    """

    def __init__(
        self,
        broker: str,
        silent_seconds: int = _SILENT_SECONDS,
        inst_data: ConfigurableClassData | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        scheme = urlsplit(broker).scheme
        if scheme not in {"redis", "rediss"}:
            raise SettingsError(
                f"the broker's address begins with {scheme or 'nothing'}://, and only a Redis server can be one: "
                "redis://:password@host:6379/0, or rediss:// with TLS"
            )
        self._silent_seconds = silent_seconds
        self._clock = clock
        self._silent_since: dict[str, float] = {}
        super().__init__("dagster", broker=broker, backend=broker, config_source=dict(_SETTINGS), inst_data=inst_data)
        self._execute = create_execute_job_task(self.celery, base=_Once)

    @classmethod
    def config_type(cls) -> dict[str, dg.Field]:
        """The fields below ``config`` in ``dagster.yaml``."""
        return {
            "broker": dg.Field(dg.StringSource, description="The Redis server: redis://:password@host:6379/0"),
            "silent_seconds": dg.Field(
                dg.IntSource,
                is_required=False,
                default_value=_SILENT_SECONDS,
                description="After so long without an answer the worker of a run counts as gone.",
            ),
        }

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send a run's message. dagster-celery would define the task anew each time, of which Celery warns."""
        origin, run_id = context.dagster_run.job_code_origin, context.dagster_run.run_id
        assert origin is not None
        packed = pack_value(ExecuteRunArgs(origin, run_id, self._instance.get_ref(), set_exit_code_on_failure=True))
        message = self._execute.si(execute_job_args_packed=packed)
        self._launch_celery_task_run(context.dagster_run, message, TASK_EXECUTE_JOB_NAME)

    @property
    def supports_resume_run(self) -> bool:
        """No: a retry is a run of its own."""
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a worker says that it is at this run; Dagster asks while the run counts as started."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "It was not started by this launcher.")
        task = self.celery.backend.get_task_meta(task_id)
        if task["status"] in celery.states.READY_STATES:
            # The run's end is on record before its task's: Dagster looks once more before it ends the run.
            self._silent_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.FAILED, f"Its worker has ended without it: {task['result']}")
        if run.tags.get(LEASE_TAG) == run.run_id:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Its lease tells whether it lives.")
        # The record of the task names whoever had its last message. Without a claim, as from a broker that lost it,
        # every worker is asked.
        claimed = self.celery.backend.client.get(_claim(run.run_id))
        host = claimed.decode() if claimed else None
        if self._is_known(task_id, host):
            self._silent_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        silent = self._clock() - self._silent_since.setdefault(run.run_id, self._clock())
        if silent < self._silent_seconds:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"{host or 'Every worker'} does not answer for it.")
        del self._silent_since[run.run_id]
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"{host or 'Its worker'} has not answered for it for {silent:.0f} s: it was killed, or its machine went "
            "down or is cut off.",
        )

    def _is_known(self, task_id: str, host: str | None) -> bool:
        """Whether that worker, or any, says that it is at the task."""
        ask = self.celery.control.inspect(destination=[host] if host else None, timeout=_ANSWER_SECONDS)
        # Not by the task's id: a worker that had its message twice forgets the id when the second has ended.
        answers: Mapping[str, list[dict[str, Any]]] = ask.active() or {}
        return any(task["id"] == task_id for tasks in answers.values() for task in tasks)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, wherever it is."""
        run = self._instance.get_run_by_id(run_id)
        return run is not None and DAGSTER_CELERY_TASK_ID_TAG in run.tags and super().terminate(run_id)


class _Once(celery.Task):  # type: ignore[misc]  # Celery has no types
    """A task that is executed for the first message of its run, and for no other."""

    def __call__(self, execute_job_args_packed: Any) -> int:
        run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
        if not self.backend.client.set(_claim(run_id), self.request.hostname, nx=True, ex=2 * _DAY):
            _LOG.warning("another message of run %s came before this one: nothing is done", run_id)
            raise celery.exceptions.Ignore
        code: int = self.run(execute_job_args_packed)
        return code


def _claim(run_id: str) -> str:
    """The key in Redis that names the worker at a run, from its beginning to the end of all its messages."""
    return f"taxi/run/{run_id}"


def serve_runs(home: Path, concurrency: int, name: str) -> None:
    """Be a worker until the process is told to end; what is under way then ends first.

    Args:
        home: the folder of a ``dagster.yaml`` whose launcher is `WorkersLauncher`.
        concurrency: how many runs at a time, each in a process of its own.
        name: the worker's name; its host's name is added.

    Raises:
        SettingsError: the file has another launcher, or an address that cannot be used.
    """
    try:
        launcher = InstanceRef.from_dir(str(home)).run_launcher
    except DagsterInvalidConfigError as error:
        raise SettingsError(_sentence(home, error)) from error
    if not isinstance(launcher, WorkersLauncher):
        raise SettingsError(
            f"{home / 'dagster.yaml'} starts runs where they are asked for: give it the launcher of "
            "deploy/docker/instance/workers.yaml, as the server has it"
        )
    arguments = ["worker", "--concurrency", str(concurrency), "--hostname", f"{name}@%h", "--loglevel", "INFO"]
    launcher.celery.worker_main([*arguments, "--without-gossip", "--without-mingle"])


def _sentence(home: Path, error: DagsterInvalidConfigError) -> str:
    """Dagster's complaint without its stack trace."""
    unset = re.search(r'environment variable "(\w+)"', str(error))
    if unset is None:
        return f"{home / 'dagster.yaml'}: {str(error).splitlines()[0]}"
    return f"{unset[1]}, which {home / 'dagster.yaml'} reads, is not set: give it redis://:password@host:6379/0"
