"""What a check says of a dataset: of the months of its run as they are now, of every other one as it was last found.

Belongs here: joining both, and the numbers that the check's page shows. Does not: judging a month (``checks``).

A check runs with the months of its run, and looks at these only; but its page shows its last evaluation, and somebody
who reads it asks about the dataset. What was found of each month stands in the evaluation's own metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from taxi_platform.months import TripMonth

__all__ = ["Finding", "evaluation"]

Cell = str | int | None
_BY_MONTH = "by_month"
_RECENT = 10
"""Executions that are looked through for the last evaluation: the newest is the one under way."""
_MOST_ROWS = 1_000
"""Of the table that is shown, newest months first."""


@dataclass(frozen=True)
class Finding:
    """What a check found of one month: its lines of the table, and whether the month fails the check."""

    lines: Sequence[Sequence[Cell]]
    is_bad: bool = False


def evaluation(
    context: dg.AssetCheckExecutionContext,
    key: dg.AssetCheckKey,
    header: Sequence[str],
    found: Mapping[TripMonth, Finding],
    *,
    bad_months: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    description: str | None = None,
    more: Mapping[str, str] | None = None,
) -> dg.AssetCheckResult:
    """The check's evaluation over every month that it ever looked at.

    Args:
        context: of the run.
        key: of the check.
        header: names of the table's columns after the month; of numbers, the sums over all months are shown as well.
        found: of the months that the run looked at.
        bad_months: the name below which the failing ones are listed.
        severity: of a month of the run that fails; one that failed before is a warning, and holds up nothing.
        description: said of the months of the run.
        more: metadata to be shown as well.
    """
    months = {**_before(context.instance, key), **{month.label: finding for month, finding in found.items()}}
    bad = sorted(label for label, finding in months.items() if finding.is_bad)
    lines = [(label, *line) for label in sorted(months, reverse=True) for line in months[label].lines]
    is_bad_now = any(finding.is_bad for finding in found.values())
    return dg.AssetCheckResult(
        check_name=key.name,
        asset_key=key.asset_key,
        passed=not bad,
        severity=severity if is_bad_now else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "months_of_the_run": len(found),
            "months_in_all": len(months),
            "months_failing": len(bad),
            **_sums(header, lines),
            bad_months: ", ".join(bad) or "none",
            **(more or {}),
            "months": _table(("month", *header), lines),
            _BY_MONTH: dg.MetadataValue.json(
                {label: [[list(line) for line in f.lines], f.is_bad] for label, f in months.items()}
            ),
        },
    )


def _before(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dict[str, Finding]:
    """What the last evaluation knew; nothing where there is none, or one of another form."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=_RECENT):
        known = (
            record.evaluation.metadata.get(_BY_MONTH)
            if isinstance(record.evaluation, dg.AssetCheckEvaluation)
            else None
        )
        if known is not None and isinstance(known.value, dict):
            return {label: Finding(lines, is_bad) for label, (lines, is_bad) in known.value.items()}
    return {}


def _sums(header: Sequence[str], lines: Sequence[Sequence[Cell]]) -> dict[str, int]:
    columns = {name: [line[place] for line in lines] for place, name in enumerate(header, start=1)}
    return {
        f"{name.replace(' ', '_')}_in_all": sum(cell for cell in cells if isinstance(cell, int))
        for name, cells in columns.items()
        if any(isinstance(cell, int) for cell in cells)
    }


def _table(header: Sequence[str], lines: Sequence[Sequence[Cell]]) -> dg.MarkdownMetadataValue:
    """Lines as a Markdown table; numbers with thousands separators, None as a hyphen."""
    shown: list[Iterable[Any]] = [header, ["---"] * len(header), *(map(_cell, line) for line in lines[:_MOST_ROWS])]
    text = "\n".join(f"| {' | '.join(row)} |" for row in shown)
    more = len(lines) - _MOST_ROWS
    return dg.MetadataValue.md(text if more <= 0 else f"{text}\n\nand {more:,} lines of earlier months")


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
