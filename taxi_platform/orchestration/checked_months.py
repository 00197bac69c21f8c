"""What a check says about a dataset: the months of its run as they are now, all others as they were last found.

Belongs here: joining both, and the metadata of the check's page. Does not: judging a month (``checks``).

A check runs with the months of its run, and looks only at these. But its page shows only the last evaluation, and
people read it to learn about the whole dataset. So every evaluation's metadata has what was found of each month.
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
_SEARCHED = (2, 10)
"""Executions to search for the last evaluation; the newest one is still running. Each has the findings of all months,
so more are read only where the second has none."""
_MOST_ROWS = 1_000
"""Rows of the table on the check's page, newest months first."""


@dataclass(frozen=True)
class Finding:
    """What a check found in one month: its lines of the table, and whether the month fails the check."""

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
        context: the run's context.
        key: the check's key.
        header: names of the table's columns after the month. For numbers, the sums over all months are shown too.
        found: what was found in the months of the run.
        bad_months: the name of the metadata entry that lists the failing months.
        severity: for a failing month of the run. A month that failed before is only a warning.
        description: a sentence about the months of the run.
        more: further metadata.
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
    """The findings of the last evaluation; empty if there is none, or if it has another form."""
    return next(filter(None, (_last(instance, key, of=of) for of in _SEARCHED)), {})


def _last(instance: dg.DagsterInstance, key: dg.AssetCheckKey, of: int) -> dict[str, Finding]:
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=of):
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
    rows: list[Iterable[Any]] = [header, ["---"] * len(header), *(map(_cell, line) for line in lines[:_MOST_ROWS])]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    more = len(lines) - _MOST_ROWS
    return dg.MetadataValue.md(text if more <= 0 else f"{text}\n\nand {more:,} lines of earlier months")


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
