"""Runs the steps of a run in this process, in threads where several are ready at once.

Belongs here: which step runs when, and in which thread. Does not: what a step does (``assets``, ``io_managers``), and
how an interrupt reaches it (``interrupts``).

Stores of tables load the same months and do not need each other: one waits for its server while another computes.
Dagster's executors run steps one after another, or each in a process that imports everything again. This is its
in-process executor with threads. A step that is alone runs in the main thread, where Dagster itself interrupts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext, StepExecutionContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import (
    _handle_compute_log_setup_error,
    _handle_compute_log_teardown_error,
    _trigger_hook,
    dagster_event_sequence_for_step,
)
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode, get_retries_config

from taxi_platform.orchestration.interrupts import Interrupts

__all__ = ["steps_in_threads"]

_STEPS_AT_ONCE = 4
_WAKING_SECONDS = 1.0
"""How often a step that waits for its retry or its pool is looked at while others run."""
_STEP: ContextVar[str | None] = ContextVar("step", default=None)


@dg.executor(
    name="steps_in_threads",
    config_schema={
        "retries": get_retries_config(),  # type: ignore[no-untyped-call]
        "steps_at_once": dg.Field(
            int, default_value=_STEPS_AT_ONCE, description="How many steps run at a time, each in a thread."
        ),
    },
)
def steps_in_threads(context: dg.InitExecutorContext) -> dg.Executor:
    """All steps in this process, those that do not need each other at the same time."""
    config: dict[str, Any] = dict(context.executor_config)
    return _StepsInThreads(RetryMode.from_config(config["retries"]) or RetryMode.ENABLED, config["steps_at_once"])


class _StepsInThreads(dg.Executor):
    def __init__(self, retries: RetryMode, steps_at_once: int) -> None:
        self._retries = retries
        self._steps_at_once = steps_at_once

    @property
    def retries(self) -> RetryMode:
        return self._retries

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        steps = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        told = f"steps in process (pid: {os.getpid()})"
        yield dg.DagsterEvent.engine_event(plan_context, f"Executing {told}", steps)
        started = time.perf_counter()
        context = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=plan_context.execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        work = partial(_run_steps, steps_at_once=self._steps_at_once)
        yield from ExecuteRunWithPlanIterable(plan_context.execution_plan, work, context)
        seconds = time.perf_counter() - started
        yield dg.DagsterEvent.engine_event(plan_context, f"Finished {told} in {seconds:.1f} s", steps)


def _run_steps(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, steps_at_once: int
) -> Iterator[dg.DagsterEvent]:
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as slots,
        execution_plan.start(
            retry_mode=job_context.retry_mode,
            max_concurrent=steps_at_once,
            instance_concurrency_context=slots,
            step_dependency_config=job_context.step_dependency_config,
        ) as active,
        contextlib.ExitStack() as output,
    ):
        yield from _output_kept(job_context, execution_plan, output)
        running = _Running(job_context, active)
        output.callback(running.stop)
        while not active.is_complete:
            for step in active.get_steps_to_execute():
                running.add(job_context.for_step(step, active.get_known_state()))
            yield from active.concurrency_event_iterator(job_context)
            yield from running.events()
            yield from active.plan_events_iterator(job_context)
        try:
            output.close()
        except Exception:  # noqa: BLE001 - as Dagster's executors do
            yield from _handle_compute_log_teardown_error(job_context, sys.exc_info())


def _output_kept(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, stack: contextlib.ExitStack
) -> Iterator[dg.DagsterEvent]:
    """What the process prints, kept for the web interface as the instance is configured to."""
    steps = [step.key for step in execution_plan.get_steps_to_execute_in_topo_order()]
    manager = job_context.instance.compute_log_manager
    key = manager.build_log_key_for_run(job_context.run_id, create_compute_log_file_key())  # type: ignore[no-untyped-call]
    try:
        kept = stack.enter_context(manager.capture_logs(key))
        yield dg.DagsterEvent.capture_logs(job_context, steps, key, kept)
    except Exception:  # noqa: BLE001 - as Dagster's executors do
        yield from _handle_compute_log_setup_error(job_context, sys.exc_info())


@dataclass
class _Step:
    context: StepExecutionContext
    thread: threading.Thread | None = None
    events: list[dg.DagsterEvent] = field(default_factory=list)


@dataclass(frozen=True)
class _End:
    """The end of a step in a thread, with the error that ended it, if Dagster does not settle it as an event."""

    error: BaseException | None = None


class _Running:
    """The steps that are under way."""

    def __init__(self, job_context: PlanExecutionContext, active: ActiveExecution) -> None:
        self._job_context = job_context
        self._active = active
        self._interrupts = Interrupts()
        self._steps: dict[str, _Step] = {}
        self._said: queue.SimpleQueue[tuple[_Step, dg.DagsterEvent | _End]] = queue.SimpleQueue()

    def stop(self) -> None:
        """Interrupt what is still under way, because something else has ended the run, and wait for its end."""
        under_way = [step.thread for step in self._steps.values() if step.thread is not None]
        if under_way:
            self._interrupts.tell()
        for thread in under_way:
            thread.join()

    def add(self, context: StepExecutionContext) -> None:
        """Take up a step; `events` starts it."""
        self._steps[context.step.key] = _Step(context)

    def events(self) -> Iterator[dg.DagsterEvent]:
        """Run what was taken up until a step has ended, or something else is to be looked at; gives their events."""
        if not self._steps:
            self._active.sleep_til_ready()
            return
        waiting = [step for step in self._steps.values() if step.thread is None]
        if len(self._steps) == 1 and waiting:
            yield from self._run_here(*waiting)
            return
        for step in waiting:
            self._start(step)
        while (said := self._next()) is not None:
            step, event = said
            if isinstance(event, _End):
                yield from self._ended(step, event)
                return
            yield self._noted(step, event)

    def _run_here(self, step: _Step) -> Iterator[dg.DagsterEvent]:
        for event in dagster_event_sequence_for_step(step.context):
            yield self._noted(step, event)
        yield from self._ended(step, _End())

    def _noted(self, step: _Step, event: dg.DagsterEvent) -> dg.DagsterEvent:
        step.events.append(event)
        self._active.handle_event(event)
        return event

    def _ended(self, step: _Step, end: _End) -> Iterator[dg.DagsterEvent]:
        key = step.context.step.key
        del self._steps[key]
        if end.error is not None:
            raise end.error
        self._active.verify_complete(self._job_context, key)
        yield from _trigger_hook(step.context, step.events)

    def _next(self) -> tuple[_Step, dg.DagsterEvent | _End] | None:
        try:
            with raise_execution_interrupts():
                return self._said.get(timeout=_WAKING_SECONDS)
        except queue.Empty:
            return None

    def _start(self, step: _Step) -> None:
        work = partial(contextvars.copy_context().run, self._work, step)
        step.thread = threading.Thread(target=work, name=step.context.step.key)
        step.thread.start()

    def _work(self, step: _Step) -> None:
        _STEP.set(step.context.step.key)
        self._interrupts.reach_this_step()
        _hear_own_lines(step.context)
        loop = step.context._event_loop = asyncio.new_event_loop()  # noqa: SLF001 - one loop serves one thread
        error: BaseException | None = None
        try:
            for event in dagster_event_sequence_for_step(step.context):
                self._said.put((step, event))
        except BaseException as raised:  # noqa: BLE001 - the main thread raises it
            error = raised
        finally:
            loop.close()
            self._said.put((step, _End(error)))


def _hear_own_lines(context: StepExecutionContext) -> None:
    """Keep lines of other steps out of the step's log: loggers are the process's, and Dagster hears all they say."""
    handler: logging.Handler = context.log._dagster_handler  # noqa: SLF001 - it is made with the context
    heard, key = handler.filter, context.step.key

    def own(record: logging.LogRecord) -> Any:
        return _STEP.get() in (None, key) and heard(record)

    handler.filter = own  # type: ignore[method-assign]  # Dagster's handler asks no other filters
