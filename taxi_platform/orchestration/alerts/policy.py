"""When an alert is due: for a failed run, when its months succeed again, and when a dataset becomes stale.

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
"""Stands for the month of a run without months."""


@dataclass(frozen=True)
class FailedStep:
    """A failed step of one asset: which months failed, each with its sentence."""

    asset: str
    months: Mapping[str, str]
    """Month label → sentence; the label of the whole run is the empty string."""


@dataclass(frozen=True)
class FinishedRun:
    """The facts of a run that has ended."""

    run_id: str
    subject: str
    """The dataset, or the job if the run has none."""
    months: tuple[str, ...]
    assets: frozenset[str] | None
    """The assets that the run was to make; None means all of its job."""
    failed: tuple[FailedStep, ...] = ()
    problem: str | None = None
    """Why the run as a whole failed, if no step says it (a worker that died)."""
    is_repetition: bool = False
    """Whether automation requested the same months before, and will do so again if this run fails."""

    @property
    def is_failure(self) -> bool:
        """Whether any month, or the run itself, failed."""
        return bool(self.failed) or self.problem is not None


class OpenFailures(BaseModel):
    """Reported failures that are not repaired yet: subject → month → assets that failed."""

    subjects: dict[str, dict[str, list[str]]] = Field(default_factory=dict)

    def opened(self, run: FinishedRun) -> OpenFailures:
        """The failures with this one added; earlier failures of the same months stay."""
        months = {m: set(assets) for m, assets in self.subjects.get(run.subject, {}).items()}
        for month in _failed_months(run):
            at = {step.asset for step in run.failed if month in step.months}
            months[month] = months.get(month, set()) | at
        return self._with(run.subject, {m: sorted(assets) for m, assets in months.items()})

    def closed(self, run: FinishedRun) -> tuple[OpenFailures, tuple[str, ...]]:
        """The failures without the months that this success repairs, and those months."""
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
    """The alert that is due after a run, if any, and the failures that are open then."""
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
    """One line per sentence, with the months that have it."""
    by_sentence: dict[str, list[str]] = {}
    for month, sentence in sorted(step.months.items()):
        by_sentence.setdefault(sentence, []).append(month)
    return [f"{_named(step.asset, [m for m in months if m])}: {s}" for s, months in by_sentence.items()]


def _failed_months(run: FinishedRun) -> set[str]:
    if run.failed:
        return {month for step in run.failed for month in step.months}
    return set(run.months or (_WHOLE,))


def about_staleness(dataset: str, last_look: datetime | None, now: datetime, link: str) -> Alert | None:
    """The alert that is due because nobody has looked at a dataset's upstream for too long; None if none is due.

    None also if no look was ever noted. The id stays the same until the next look, so that the alert is sent once.
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
