"""When an alert is due: one for a failed run, one when its months succeed again, one for a dataset that goes stale.

Belongs here: decisions over facts, as functions without side effects. Does not: where the facts come from (``runs``)
and delivery (``outbox``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from taxi_platform.orchestration.alerts.message import Alert, Kind, in_ranges
from taxi_platform.orchestration.freshness import STALE_AFTER, freshness

__all__ = ["FailedStep", "FinishedRun", "OpenFailures", "about_run", "about_staleness"]

_WHOLE = ""
"""Stands for the month of a run that has none."""


@dataclass(frozen=True)
class FailedStep:
    """One asset's step that failed: which months, each with its sentence."""

    asset: str
    months: Mapping[str, str]
    """Label → sentence; the whole run's label is the empty string."""


@dataclass(frozen=True)
class FinishedRun:
    """What a run that has come to its end was about."""

    run_id: str
    subject: str
    """The dataset, or the job where the run belongs to none."""
    months: tuple[str, ...]
    assets: frozenset[str] | None
    """The assets that the run was to make; None for all of its job."""
    failed: tuple[FailedStep, ...] = ()
    problem: str | None = None
    """Why the run as a whole failed, where no step says it (a worker that died)."""
    is_repetition: bool = False
    """Whether automation asked for the same months before, and will again if this run fails."""

    @property
    def is_failure(self) -> bool:
        """Whether any month, or the run itself, failed."""
        return bool(self.failed) or self.problem is not None


class OpenFailures(BaseModel):
    """Failures that were told and have not been repaired: subject → month → assets that failed."""

    subjects: dict[str, dict[str, list[str]]] = Field(default_factory=dict)

    def opened(self, run: FinishedRun) -> OpenFailures:
        """With this failure; what it failed before in the same months is remembered as well."""
        months = {m: set(assets) for m, assets in self.subjects.get(run.subject, {}).items()}
        for month in _failed_months(run):
            at = {step.asset for step in run.failed if month in step.months}
            months[month] = months.get(month, set()) | at
        return self._with(run.subject, {m: sorted(assets) for m, assets in months.items()})

    def closed(self, run: FinishedRun) -> tuple[OpenFailures, tuple[str, ...]]:
        """Without the months that this success repairs, and which these are."""
        months = self.subjects.get(run.subject, {})
        repaired = {
            month
            for month in run.months or (_WHOLE,)
            if month in months and (run.assets is None or run.assets.issuperset(months[month]))
        }
        return self._with(run.subject, {m: a for m, a in months.items() if m not in repaired}), tuple(sorted(repaired))

    def _with(self, subject: str, months: dict[str, list[str]]) -> OpenFailures:
        subjects = {**self.subjects, subject: months}
        return OpenFailures(subjects={name: left for name, left in subjects.items() if left})


def about_run(
    run: FinishedRun, known: OpenFailures, *, on_success: bool, link: str
) -> tuple[Alert | None, OpenFailures]:
    """The alert that a finished run is due, if any, and the failures that are open after it."""
    if run.is_failure:
        opened = known.opened(run)
        return None if run.is_repetition and opened == known else _failure(run, link), opened
    known, repaired = known.closed(run)
    if repaired:
        months = tuple(filter(None, repaired))
        title = f"{_named(run.subject, months)} succeeded again"
        return _alert("recovery", run, title, months, ("The failure reported before is repaired.",), link), known
    if on_success:
        return _alert("success", run, f"{_named(run.subject, run.months)} succeeded", run.months, (), link), known
    return None, known


def _failure(run: FinishedRun, link: str) -> Alert:
    failed = tuple(filter(None, sorted(_failed_months(run))))
    what = f"{_named(run.subject, run.months)} failed"
    if failed and len(failed) < len(run.months):
        what = f"{_named(run.subject, run.months)}: {len(failed)} of {len(run.months)} months failed"
    details = [line for step in run.failed for line in _grouped(step)] or [run.problem or ""]
    sentences = {m: "; ".join(s.months[m] for s in run.failed if m in s.months) or str(run.problem) for m in failed}
    return _alert("failure", run, what, run.months, tuple(details), link, sentences)


def _grouped(step: FailedStep) -> list[str]:
    """One line per sentence, with the months that share it."""
    by_sentence: dict[str, list[str]] = {}
    for month, sentence in sorted(step.months.items()):
        by_sentence.setdefault(sentence, []).append(month)
    return [f"{_named(step.asset, [m for m in months if m])}: {s}" for s, months in by_sentence.items()]


def _failed_months(run: FinishedRun) -> set[str]:
    if run.failed:
        return {month for step in run.failed for month in step.months}
    return set(run.months or (_WHOLE,))


def about_staleness(dataset: str, last_look: datetime | None, now: datetime, link: str) -> Alert | None:
    """The alert that a dataset is due whose upstream nobody has looked at for so long that it is stale.

    None where no look was ever noted. The alert has the same id until upstream is looked at again: it is sent once.
    """
    if last_look is None or freshness(last_look, now) != "stale":
        return None
    return Alert(
        id=f"stale.{dataset}.{last_look.date().isoformat()}",
        kind="stale",
        title=f"{dataset} is stale: upstream was last looked at on {last_look.date().isoformat()}",
        details=(
            f"That is {(now - last_look).days} days ago, and more than {STALE_AFTER.days} are too many.",
            f"Either upstream does not answer or nothing looks at it: see the sensor and the schedules of {dataset}.",
        ),
        dataset=dataset,
        link=link,
    )


def _named(subject: str, months: Sequence[str]) -> str:
    return f"{subject} {in_ranges(months)}" if months else subject


def _alert(
    kind: Kind,
    run: FinishedRun,
    title: str,
    months: tuple[str, ...],
    details: tuple[str, ...],
    link: str,
    failed_months: dict[str, str] | None = None,
) -> Alert:
    return Alert(
        id=f"{kind}.{run.run_id}",
        kind=kind,
        title=title,
        details=details,
        dataset=run.subject,
        months=months,
        failed_months=failed_months or {},
        link=link,
    )
