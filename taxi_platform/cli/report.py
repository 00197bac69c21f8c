"""The tables that ``taxi run``, ``status``, ``versions``, ``snapshot``, ``prune`` and ``verify-upstream`` print.

Belongs here: what people read. Does not: counting (``inspection.status``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from taxi_platform.cli.instance import is_emulated
from taxi_platform.inspection.status import MonthStatus
from taxi_platform.inspection.verification.report import MonthReport
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.keys import TABLE_LAYERS
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.pruning import Unneeded
from taxi_platform.stores.lake.snapshots import Snapshot

__all__ = [
    "MonthWork",
    "print_run",
    "print_snapshot",
    "print_snapshots",
    "print_statuses",
    "print_unneeded",
    "print_upstream",
    "print_versions",
]

_WIDTH_OF_FILES = 140
_WIDEST = 1_000
_COUNTS = ("raw", "trips", "quarantined", *TABLE_LAYERS)
_MARTS = "marts"
"""The column of marts, where any store makes some."""


@dataclass
class MonthWork:
    """The result of a run for one month."""

    seconds: float = 0.0
    changed: bool = False
    error: str | None = None
    layers: set[str] = field(default_factory=set)
    """The layers that have the month now."""


def print_statuses(statuses: Sequence[MonthStatus], settings: Settings) -> None:
    """Print every month with its rows in every store."""
    if not statuses:
        _console().print(f"No month in {settings.data}: bring one with [bold]taxi run[/bold].")
        return
    lines = [_Line(_month(status), _counts(status), (_verdict(status),)) for status in statuses]
    total = _Line(("total", str(len(statuses))), _totals(statuses), (_states(statuses),))
    console = _console()
    _print_months(console, _names(statuses[0]), [*lines, total], ("",))
    _print_gaps(console, statuses)


def print_run(statuses: Sequence[MonthStatus], work: Mapping[TripMonth, MonthWork], settings: Settings) -> None:
    """Print the months of a run: rows in every store, seconds, rows per second, and where to find the tables."""
    lines = []
    for status in statuses:
        done = _done(work, status)
        lines.append(_Line(_month(status), _counts(status), (*_speed(status, done), _verdict(status, done))))
    console = _console()
    _print_months(console, _names(statuses[0]) if statuses else _COUNTS, lines, ("seconds", "rows/s", ""))
    _print_gaps(console, [s for s in statuses if not _done(work, s).error])
    for month, done in sorted(work.items()):
        if done.error:
            console.print(f"[red]{month}[/red]: {done.error}", soft_wrap=True, highlight=False)
    console.print(_where(settings), soft_wrap=True, highlight=False)


def _done(work: Mapping[TripMonth, MonthWork], status: MonthStatus) -> MonthWork:
    return work.get(TripMonth(status.dataset, status.file_month), MonthWork())


class _Line(NamedTuple):
    month: tuple[str, str]
    counts: Sequence[str]
    more: tuple[str, ...]


def _print_months(console: Console, names: Sequence[str], lines: Sequence[_Line], more: Sequence[str]) -> None:
    """Print a row per month with its counts and further columns; a narrow terminal gets two tables.

    Nothing is shortened: a long line continues on the next one.
    """
    table = _table(*names, *more)
    for line in lines:
        table.add_row(*line.month, *line.counts, *line.more)
    if _fits(console, table):
        console.print(table)
        return
    counts, remarks = _table(*names), _table(*more)
    for line in lines:
        counts.add_row(*line.month, *line.counts)
        if any(line.more):
            remarks.add_row(*line.month, *line.more)
    _print_whole(console, counts)
    if remarks.row_count:
        console.print()
        _print_whole(console, remarks)


def _fits(console: Console, table: Table) -> bool:
    return Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum <= console.width


def _print_whole(console: Console, table: Table) -> None:
    """Print a table at its own width, whatever the terminal's width is."""
    width, console_width = (
        Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum,
        console.width,
    )
    console.width = max(width, console_width)  # rich limits a print's own width to the console's
    console.print(table, crop=False, no_wrap=True, overflow="ignore")
    console.width = console_width


def print_versions(manifest: Manifest) -> None:
    """Print every version of a raw month, and mark the one that readers take."""
    table = _plain_table()
    for name in ("version", "rows", "fetched at", ""):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=True)
    table.add_column("source", no_wrap=True)
    for raw in manifest.versions:
        said = {manifest.upstream: "upstream's", manifest.current: "current"}.get(raw.version, "")
        if raw.refused is not None:
            said = "refused"
        table.add_row(raw.version, f"{raw.rows:,}", raw.fetched_at, said, raw.source_url)
    console = _console()
    _print_whole(console, table)
    for raw in manifest.versions:
        if raw.refused is not None:
            console.print(f"{raw.version} was refused: {raw.refused.sentence}", soft_wrap=True, highlight=False)
    if manifest.is_withdrawn:
        console.print(f"{manifest.month} is withdrawn upstream: no version is current.", highlight=False)


def print_snapshots(snapshots: Sequence[Snapshot]) -> None:
    """Print a line for each snapshot."""
    table = _plain_table()
    for name in ("snapshot", "made at", "months", "trips", "sha256"):
        table.add_column(name, justify="right" if name in ("months", "trips") else "left", no_wrap=True)
    for snapshot in snapshots:
        trips = sum(kept.clean.facts.trips_rows for kept in snapshot.months)
        digest = snapshot.digest[:16] if snapshot.is_finished else "unfinished"
        table.add_row(snapshot.name, snapshot.made_at, f"{len(snapshot.months):,}", f"{trips:,}", digest)
    _print_whole(_console(), table)


def print_snapshot(snapshot: Snapshot) -> None:
    """Print the months of a snapshot, and what to cite."""
    table = _table("raw", "trips", "quarantined", "")
    for kept in snapshot.months:
        facts = kept.clean.facts
        counts = (f"{rows:,}" for rows in (facts.raw_rows, facts.trips_rows, facts.quarantined_rows))
        table.add_row(kept.month.dataset, kept.month.label, *counts, facts.version)
    console = _console()
    _print_whole(console, table)
    size = sum(size or 0 for kept in snapshot.months for size in kept.sizes.values())
    lines = {
        "snapshot": f"{snapshot.name}, made {snapshot.made_at}",
        "note": snapshot.note,
        "objects": f"{len(snapshot.paths):,}, {size:,} bytes",
        "sha256": snapshot.digest if snapshot.is_finished else "unfinished: make it again",
    }
    console.print(
        "\n" + "\n".join(f"{name:10} {line}" for name, line in lines.items() if line),
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def print_unneeded(unneeded: Sequence[Unneeded]) -> None:
    """Print a line for each raw version that nothing needs."""
    table = _table("bytes", "")
    table.add_column("unneeded since", no_wrap=True)
    for old in unneeded:
        table.add_row(old.month.dataset, old.month.label, f"{old.size:,}", old.name, old.since)
    _print_whole(_console(), table)


def print_upstream(reports: Sequence[MonthReport]) -> None:
    """Print what upstream has of every month, and then whatever the contracts do not expect."""
    table = _table("bytes", "rows", "columns", "")
    for report in reports:
        counts = ("-" if value is None else f"{value:,}" for value in (report.size, report.rows, report.columns))
        state = report.state.value if report.is_fine else f"[red]{report.state.value}[/red]"
        table.add_row(report.month.dataset, report.month.label, *counts, state)
    console = _console()
    _print_whole(console, table)
    for report in reports:
        for surprise in report.surprises:
            console.print(f"{report.month}: {surprise}", soft_wrap=True, highlight=False, markup=False)
    counted = Counter(report.state.value for report in reports)
    console.print(", ".join(f"{count:,} {state}" for state, count in counted.items()), highlight=False)


def _plain_table() -> Table:
    return Table(box=None, header_style="bold", pad_edge=False)


def _table(*columns: str) -> Table:
    """A table with dataset, month and these columns; a column with a name has numbers, one without has words."""
    table = _plain_table()
    table.add_column("dataset", no_wrap=True)
    table.add_column("month", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    return table


def _month(status: MonthStatus) -> tuple[str, str]:
    return status.dataset, f"{status.file_month:%Y-%m}"


def _counts(status: MonthStatus) -> list[str]:
    shown = ["-" if value is None else f"{value:,}" for value in _rows(status)]
    return ["off" if name in status.off else value for name, value in zip(_names(status), shown, strict=True)]


def _names(status: MonthStatus) -> tuple[str, ...]:
    """The names of the columns of numbers."""
    return (*_COUNTS, _MARTS) if status.mart_rows.keys() - set(status.off) else _COUNTS


def _rows(status: MonthStatus) -> tuple[int | None, ...]:
    """The numbers: rows of marts are the same in all stores that make them; None where one has none, or others."""
    if _names(status) == _COUNTS:
        return status.rows
    found = {count for name, count in status.mart_rows.items() if name not in status.off}
    return (*status.rows, found.pop() if len(found) == 1 else None)


def _totals(statuses: Sequence[MonthStatus]) -> list[str]:
    """Rows over all months in each store that is not off."""
    off, names = statuses[0].off, _names(statuses[0])
    columns = zip(*map(_rows, statuses), strict=True)
    sums = [f"{sum(rows or 0 for rows in column):,}" for column in columns]
    return ["off" if name in off else value for name, value in zip(names, sums, strict=True)]


def _states(statuses: Sequence[MonthStatus]) -> str:
    """The number of months in each state: ``12 whole, 1 behind``."""
    counted = Counter(status.state for status in statuses)
    return ", ".join(f"{count} {state}" for state, count in counted.most_common())


def _print_gaps(console: Console, statuses: Sequence[MonthStatus]) -> None:
    """Print a line for each month that is not complete: which layer, and why."""
    for status in statuses:
        month = f"{status.dataset} {status.file_month:%Y-%m}"
        gaps = {**status.behind, **({"refused": status.refused} if status.refused else {})}
        for layer, sentence in gaps.items():
            console.print(f"[yellow]{month} {layer}[/yellow]: {escape(sentence)}", soft_wrap=True, highlight=False)


def _speed(status: MonthStatus, done: MonthWork) -> tuple[str, str]:
    if not done.changed or not done.seconds or not status.raw_rows:
        return "", ""
    return f"{done.seconds:.1f}", f"{status.raw_rows / done.seconds:,.0f}"


def _verdict(status: MonthStatus, done: MonthWork | None = None) -> str:
    if done is not None and done.error:
        return "[red]failed[/red]"
    if status.state != "whole":
        return {
            "withdrawn": "withdrawn upstream",
            "under way": "under way",
            "refused": "[red]refused[/red]",
            "behind": f"[yellow]behind: {', '.join(status.behind)}[/yellow]",
        }[status.state]
    if done is not None and not done.changed:
        return "unchanged"
    if status.restored_from:
        return f"as in {status.restored_from}"
    return "selected version" if status.is_selected else ""


def _where(settings: Settings) -> str:
    """Where to look at the stores, without those that are off or that end with the run."""
    if is_emulated():
        return ""
    places = {
        "lake": settings.lake,
        "views": settings.views and str(settings.views),
        **{name: store.where_to_look for name, store in settings.tables.items()},
        "web": "taxi dev opens the Dagster UI on this data",
    }
    return "\n" + "\n".join(f"{name:10} {place}" for name, place in places.items() if place)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        # A file or a pipe has no width, and numbers must not be cut off there.
        console.width = _WIDTH_OF_FILES
    return console
