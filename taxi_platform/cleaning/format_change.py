"""Decides whether a month's format has changed: too much does not fit to be single bad records, so the month stops.

Belongs here: counting, by column, what fits and what does not, and the sentence of the error. Does not: the bounds
(``contracts.bounds``), reading a cell (``casting``), judging a row (``judging``), and what becomes of a refused version
(``stores``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.casting import Cells, read_cells
from taxi_platform.cleaning.rawtext import json_objects, json_values
from taxi_platform.cleaning.reading import RawBatch, RawFile
from taxi_platform.contracts import bounds
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Column
from taxi_platform.contracts.rules import UNPARSEABLE, PickupOutsideFileMonth, Rule
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.references import CleanFacts, RawMonth

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]

__all__ = ["FormatWatch"]

_CONSENT = (
    "the month before it stays in place; look at what upstream publishes, or take it as it is with the option "
    "accept_changed_format (taxi run --accept-changed-format)"
)


@dataclass
class _Seen:
    """What was seen of one canonical column so far."""

    reads: int = 0
    unfit: int = 0
    upstream: str = ""
    """Upstream's name of the column that had the first cell that does not fit."""
    example: str = ""
    """That cell."""

    def note(self, upstream: str, cell: str) -> None:
        if not self.upstream:
            self.upstream, self.example = upstream, cell


class FormatWatch:
    """Watches a month while it is cleaned, and decides at its end whether its format has changed."""

    def __init__(self, contract: Contract, raw: RawMonth, file: RawFile) -> None:
        self._contract = contract
        self._raw = raw
        self._file = file
        self._seen = {column.name: _Seen() for column in contract.columns}
        self._examples: dict[str, str] = {}
        """Reason → the first record, or cell, that was rejected for it."""
        self._outside = next((rule for rule in contract.rules if isinstance(rule, PickupOutsideFileMonth)), None)
        self._count_text_records()

    def see(self, batch: RawBatch, cells: Mapping[str, Cells]) -> None:
        """Count the cells of a batch."""
        for name, cell in cells.items():
            seen = self._seen[name]
            if cell.unfit is None:
                seen.reads += len(cell.values) - cell.values.null_count
                continue
            seen.reads += pc.sum(pc.and_not(cell.values.is_valid(), cell.unfit)).as_py() or 0
            seen.unfit += pc.sum(cell.unfit).as_py() or 0
            if not seen.upstream and (row := pc.index(cell.unfit, True).as_py()) >= 0:
                seen.note(*self._unfit_cell(batch, self._contract.column(name), row))

    def see_rejected(self, batch: RawBatch, rules: tuple[Rule, ...], verdicts: Flags) -> None:
        """Keep the first record that each rule rejects.

        Args:
            batch: the records.
            rules: the rules that judged them.
            verdicts: flags by reason and row; the first reason is `UNPARSEABLE`, the others follow ``rules``.
        """
        for reason, rejected in zip((UNPARSEABLE, *(rule.reason for rule in rules)), verdicts, strict=True):
            if reason not in self._examples and rejected.any():
                row = int(rejected.argmax())
                self._examples[reason] = self._example(batch, reason, row)

    def change(self, facts: CleanFacts) -> str | None:
        """One sentence that describes the change; None if the format is unchanged."""
        what = next(self._changes(facts), None)
        return None if what is None else f"{self._raw.month} has another format than the contract's: {what}; {_CONSENT}"

    def _changes(self, facts: CleanFacts) -> Iterator[str]:
        yield from self._columns_that_do_not_read(facts.raw_rows)
        if _is_more(facts.reasons[UNPARSEABLE], bounds.UNPARSEABLE_PERCENT, facts.raw_rows):
            yield self._too_much_unparseable(facts)
        outside = facts.reasons[self._outside.reason] if self._outside else 0
        if self._outside and _is_more(outside, bounds.OUTSIDE_PERCENT, facts.raw_rows):
            yield (
                f"{outside:,} of its {facts.raw_rows:,} records lie outside the month by "
                f"{self._upstream(self._outside.pickup)}, the first with {self._examples[self._outside.reason]}"
            )
        if facts.raw_rows and not facts.trips_rows:
            reason, rows = max(facts.reasons.items(), key=lambda entry: entry[1])
            yield (
                f"no trip is left of its {facts.raw_rows:,} records, {rows:,} of them rejected as {reason}, the first "
                f"with {self._examples[reason]}"
            )

    def _columns_that_do_not_read(self, records: int) -> Iterator[str]:
        dead = [column.name for column in self._contract.columns if self._is_dead(column, records)]
        if dead:
            # Name the column with most cells, so that the sentence is about what matters most: usually the pickup.
            first = max(dead, key=lambda name: self._seen[name].unfit)
            seen = self._seen[first]
            more = [self._seen[name].upstream for name in dead if name != first]
            yield (
                f"{seen.upstream} reads in none of the {seen.unfit:,} records that have it, the first with "
                f"{_quoted(seen.example)}" + (f", nor does {excerpt(', '.join(more))}" if more else "")
            )

    def _is_dead(self, column: Column, records: int) -> bool:
        """Whether the column has enough filled cells to judge by, and none of them fits."""
        seen = self._seen[column.name]
        if seen.reads or not seen.unfit:
            return False
        is_usual = seen.unfit >= bounds.FEWEST_CELLS and seen.unfit * 100 >= bounds.CELLS_PERCENT * records
        return is_usual or self._raw.month.first_day in column.required

    def _too_much_unparseable(self, facts: CleanFacts) -> str:
        count = f"{facts.reasons[UNPARSEABLE]:,} of its {facts.raw_rows:,} records do not fit their types"
        ragged = self._file.misfits.ragged
        worst = max(self._seen.values(), key=lambda seen: seen.unfit)
        if ragged >= worst.unfit and self._file.misfits.ragged_example is not None:
            example = self._file.misfits.ragged_example
            return f"{count}, {ragged:,} by the number of their fields, the first being {_quoted(example)}"
        if worst.unfit:
            return f"{count}, {worst.unfit:,} by {worst.upstream}, the first with {_quoted(worst.example)}"
        return f"{count}, the first being {self._examples[UNPARSEABLE]}"

    def _count_text_records(self) -> None:
        """Add the counts that ingest made of records that it could only keep as text."""
        for upstream, counts in self._file.misfits.columns.items():
            name = self._file.match.column_of(upstream)
            if name is not None:
                seen = self._seen[name]
                seen.reads += counts.filled - counts.unfit
                seen.unfit += counts.unfit
                if counts.example is not None:
                    seen.note(upstream, counts.example)

    def _unfit_cell(self, batch: RawBatch, column: Column, row: int) -> tuple[str, str]:
        """Upstream's name of the source that does not fit in that row, and its cell."""
        names = self._file.match.found[column.name]
        sources = {name: batch.records.column(name).slice(row, 1) for name in names}
        unfit = next((n for n, source in sources.items() if read_cells(column, [source]).unfit is not None), names[0])
        return unfit, excerpt(_as_it_came(sources[unfit]))

    def _example(self, batch: RawBatch, reason: str, row: int) -> str:
        """What to quote for a reason: the pickup cell if it is outside the month, otherwise the record."""
        if self._outside is not None and reason == self._outside.reason:
            name = self._upstream(self._outside.pickup)
            return _quoted(excerpt(_as_it_came(batch.records.column(name).slice(row, 1))))
        record = RawBatch(0, batch.records.slice(row, 1))
        return excerpt(json_objects(record)[0].as_py())

    def _upstream(self, name: str) -> str:
        return next(iter(self._file.match.found.get(name, ())), name)


def _is_more(rows: int, percent: int, records: int) -> bool:
    return rows >= bounds.FEWEST_RECORDS and rows * 100 > percent * records


def _as_it_came(cell: pa.Array) -> Any:
    """The one value of an array in quarantine's form; a time in the form that people use."""
    value = json.loads(json_values(cell)[0].as_py())
    return value.replace("T", " ") if pa.types.is_timestamp(cell.type) and value else value


def _quoted(text: str) -> str:
    return f"'{text}'"
