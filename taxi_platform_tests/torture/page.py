"""The table of a torture, for the terminal and for docs/reliability.md.

Belongs here: how counts are shown. Does not: counting (``campaign``).
"""

from __future__ import annotations

from pathlib import Path

from taxi_platform_tests.torture.campaign import Part, Report

__all__ = ["table", "write"]

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_COLUMNS = (
    *("calls, messages", "trials", "kills", "inputs, steps", "refused", "went on"),
    *("deceived", "unrepaired", "left", "hangs"),
)
_BEGIN, _END = "<!-- written by make torture -->", "<!-- end of what make torture wrote -->"


def table(report: Report) -> str:
    """Counts as Markdown."""
    rows = [_row(part) for part in report.parts]
    counts = (
        f"{report.sum('trials'):,} trials, {report.sum('kills'):,} of them killed, {report.kinds} kinds of fault, "
        f"{report.sum('inputs'):,} hostile inputs, {report.sum('steps'):,} steps of the state machine. "
        f"Rows lost or readers deceived: {report.sum('deceived')}. Not repaired by running again: "
        f"{report.sum('unrepaired')}. Files left for ever: {report.sum('left')}. Hangs: {report.sum('hangs')}."
    )
    head = f"| part | {' | '.join(_COLUMNS)} |"
    return "\n".join([counts, "", head, "|---|" + "---:|" * len(_COLUMNS), *rows, "", *_faults(report)])


def _row(part: Part) -> str:
    numbers = (
        part.boundaries,
        part.trials,
        part.kills,
        part.inputs + part.steps,
        part.ends["refused"],
        part.ends["finished"],
        part.deceived,
        part.unrepaired,
        part.left,
        part.hangs,
    )
    return f"| {part.name} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


def _faults(report: Report) -> list[str]:
    lines = []
    for part in report.parts:
        calls = ", ".join(f"{count:,} {name}" for name, count in sorted(part.calls.items()))
        faults = ", ".join(f"{name} {count:,}" for name, count in part.faults.items())
        lines.append(f"* {part.name}: {f'{calls}; ' if calls else ''}{faults}.")
    return lines


def write(report: Report) -> None:
    """Put the table into the page."""
    text = _PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _PAGE.write_text(f"{before}{_BEGIN}\n{table(report)}\n{_END}{after}")
