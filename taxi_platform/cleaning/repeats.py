"""Finds rows that must be compared with other rows, exact duplicates and void pairs, without holding the month.

Belongs here: which rows are further copies and which are in a void pair. Does not: what is done with them
(``judging``).

A month is read at most twice for this:

1. The narrow columns that both rules share are hashed, and the hashes are written to buckets on disk. Rows whose hash
   occurs more than once in a bucket are suspects: usually a few in a thousand.
2. The values of the suspects are written to buckets likewise, and compared exactly, bucket by bucket.

Memory holds one bucket, and one byte for each row.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.keys import Hashes, cents, comparable, hash_rows
from taxi_platform.cleaning.reading import RawBatch, RawFile
from taxi_platform.cleaning.spilling import HashBuckets, RowBuckets
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.rules import ExactDuplicate, Rule, VoidPair
from taxi_platform.machine.pipeline import ahead

__all__ = ["Repeats", "find_repeats"]

Flags = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
AnyRule = TypeVar("AnyRule", bound=Rule)

_ROW, _CENTS = "_row", "_cents"
_MAY_PAIR, _MAY_COPY, _PAIRED, _COPY = (np.uint8(1 << bit) for bit in range(4))
_SIGN = np.uint64(1)
_AHEAD = 1
"""How many batches are read before the next is needed."""


@dataclass(frozen=True)
class Repeats:
    """Which rows of a month are copies or in void pairs."""

    marks: Marks

    def copies(self, rows: slice) -> Flags:
        """Flags of the further copies among those rows."""
        return _marked(self.marks[rows], _COPY)

    def paired(self, rows: slice) -> Flags:
        """Flags of those rows that are in a void pair."""
        return _marked(self.marks[rows], _PAIRED)


def find_repeats(contract: Contract, raw: RawFile, directory: Path) -> Repeats:
    """Find exact duplicates and void pairs, if the contract has these rules.

    Args:
        contract: the contract that has the rules.
        raw: the month; it is read once, and row groups with suspects once more.
        directory: where the buckets lie during the search; about 16 bytes per row, and the suspects.
    """
    marks = np.zeros(raw.num_rows, np.uint8)
    search = _Search(contract, raw)
    if search.is_needed:
        search.suspect(marks, directory)
        search.compare(marks, directory)
    return Repeats(marks)


class _Search:
    """The search in one month: what is hashed, and what is compared."""

    def __init__(self, contract: Contract, raw: RawFile) -> None:
        self._contract = contract
        self._raw = raw
        self._void = _rule(contract, VoidPair)
        self._wants_copies = _rule(contract, ExactDuplicate) is not None
        # Rows equal by either rule are equal in these columns too, so that one hash serves both.
        self._narrow = list(raw.upstream_columns) if self._void is None else raw.names_of(self._void.columns)

    @property
    def is_needed(self) -> bool:
        return self._raw.num_rows > 0 and (self._wants_copies or self._void is not None)

    def suspect(self, marks: Marks, directory: Path) -> None:
        """Mark every row that may be a copy or in a pair."""
        with (
            HashBuckets(directory / "hashes", self._raw.num_rows) as buckets,
            ahead(self._raw.batches(self._narrow), _AHEAD) as batches,
        ):
            for batch in batches:
                rows = np.arange(batch.first_row, batch.first_row + batch.num_rows)
                hashes = self._hashes(batch)
                parsed = _parsed(batch)
                buckets.add(hashes[parsed], rows[parsed])
            for hashes, rows in buckets:
                order = np.argsort(hashes)
                at, ordered = rows[order], hashes[order]
                if self._void is not None:
                    marks[at[_repeated(ordered >> _SIGN)]] |= _MAY_PAIR
                if self._wants_copies:
                    marks[at[_repeated(ordered)]] |= _MAY_COPY

    def compare(self, marks: Marks, directory: Path) -> None:
        """Compare the suspects exactly, and mark what is found."""
        pairs = RowBuckets(directory / "pairs", int(np.count_nonzero(marks & _MAY_PAIR)))
        copies = RowBuckets(directory / "copies", int(np.count_nonzero(marks & _MAY_COPY)))
        with pairs, copies:
            for group, rows in enumerate(self._raw.row_groups):
                here = marks[rows.start : rows.stop]
                if here.any():
                    self._scatter(group, marks, pairs, copies, wide=bool(_marked(here, _MAY_COPY).any()))
            for suspects in pairs:
                marks[_paired_rows(suspects)] |= _PAIRED
            for suspects in copies:
                marks[_copied_rows(suspects)] |= _COPY

    def _scatter(self, group: int, marks: Marks, pairs: RowBuckets, copies: RowBuckets, *, wide: bool) -> None:
        for batch in self._raw.batches(None if wide else self._narrow, group):
            here = marks[batch.first_row : batch.first_row + batch.num_rows]
            chosen = np.flatnonzero(here)
            if not len(chosen):
                continue
            suspects = RawBatch(0, batch.records.take(pa.array(chosen)))
            rows, hashes = chosen + batch.first_row, self._hashes(suspects)
            may_copy = _marked(here[chosen], _MAY_COPY)
            if may_copy.any():
                copies.add(self._copy_columns(suspects, rows).filter(pa.array(may_copy)), hashes[may_copy])
            if self._void is not None:
                may_pair, columns = self._pair_columns(self._void, suspects, rows)
                pairs.add(columns.filter(pa.array(may_pair)), hashes[may_pair])

    def _hashes(self, batch: RawBatch) -> Hashes:
        """A hash of each row: equal for equal rows and, except for the lowest bit, for a charge and its reversal."""
        if self._void is None:
            return hash_rows([batch.records.column(name) for name in self._narrow])
        key = [self._raw.cells(batch, self._contract.column(name)).values for name in self._void.key]
        amounts = cents(self._raw.cells(batch, self._contract.column(self._void.amount)).values)
        hashes = hash_rows([*key, pc.abs(amounts)])
        negative = pc.less(amounts, 0).fill_null(False).to_numpy(zero_copy_only=False)
        hashes &= ~_SIGN
        hashes |= negative.astype(np.uint64)
        return hashes

    def _copy_columns(self, batch: RawBatch, rows: Rows) -> pa.RecordBatch:
        columns = [comparable(batch.records.column(name)) for name in self._raw.upstream_columns]
        names = [str(position) for position in range(len(columns))]
        return pa.RecordBatch.from_arrays([pa.array(rows), *columns], [_ROW, *names])

    def _pair_columns(self, rule: VoidPair, batch: RawBatch, rows: Rows) -> tuple[Flags, pa.RecordBatch]:
        """The rule's columns, and the rows that can be in a pair: all their cells fit, and the amount is not 0."""
        cells = [self._raw.cells(batch, self._contract.column(name)) for name in rule.columns]
        amounts = cents(cells[-1].values)
        may_pair: Flags = pc.not_equal(amounts, 0).fill_null(False).to_numpy(zero_copy_only=False)
        for cell in cells:
            if cell.unfit is not None:
                may_pair &= ~cell.unfit.to_numpy(zero_copy_only=False)
        columns = [comparable(cell.values) for cell in cells[:-1]]
        return may_pair, pa.RecordBatch.from_arrays([pa.array(rows), *columns, amounts], [_ROW, *rule.key, _CENTS])


def _rule(contract: Contract, kind: type[AnyRule]) -> AnyRule | None:
    return next((rule for rule in contract.rules if isinstance(rule, kind)), None)


def _marked(marks: Marks, mark: np.uint8) -> Flags:
    marked: Flags = (marks & mark) != 0
    return marked


def _parsed(batch: RawBatch) -> Flags:
    text = batch.unparsed
    if text is None:
        return np.ones(batch.num_rows, np.bool_)
    parsed: Flags = text.is_null().to_numpy(zero_copy_only=False)
    return parsed


def _repeated(hashes: Hashes) -> Flags:
    """Flags of the hashes that occur more than once among those, which are sorted."""
    same = hashes[1:] == hashes[:-1]
    repeated = np.zeros(len(hashes), np.bool_)
    repeated[1:] = same
    repeated[:-1] |= same
    return repeated


def _copied_rows(suspects: pa.Table) -> Rows:
    """All rows except the first of each group of rows that are equal in every column."""
    groups, rows = _grouped(suspects, [name for name in suspects.column_names if name != _ROW], [_ROW])
    first = np.zeros(len(rows[0]), np.bool_)
    first[groups[:-1]] = True
    return rows[0][~first]


def _paired_rows(suspects: pa.Table) -> Rows:
    """The k-th negative and the k-th positive row of each group with equal keys and opposite amounts in cents."""
    key = [name for name in suspects.column_names if name not in (_ROW, _CENTS)]
    sizes = suspects.append_column("_size", pc.abs(suspects[_CENTS]))
    groups, (rows, amounts) = _grouped(sizes, [*key, "_size"], [_ROW, _CENTS])
    negative = amounts < 0
    lengths = np.diff(groups)
    negatives = np.add.reduceat(negative, groups[:-1], dtype=np.int64) if len(lengths) else lengths
    pairs = np.repeat(np.minimum(negatives, lengths - negatives), lengths)
    rank = np.where(negative, _rank(negative, groups), _rank(~negative, groups))
    return rows[rank <= pairs]


def _rank(flags: Flags, groups: Rows) -> Rows:
    """For each row, the number of flagged rows of its group up to and including it."""
    counted = np.concatenate([[0], np.cumsum(flags)])
    ranks: Rows = counted[1:] - np.repeat(counted[groups[:-1]], np.diff(groups))
    return ranks


def _grouped(table: pa.Table, key: Sequence[str], values: Sequence[str]) -> tuple[Rows, list[Rows]]:
    """The values ordered by group, then by the table's order, and where each group starts."""
    lists = table.group_by(list(key), use_threads=False).aggregate([(name, "list") for name in values])
    columns = [lists[f"{name}_list"].combine_chunks() for name in values]
    starts = columns[0].offsets.to_numpy().astype(np.int64)
    return starts, [column.flatten().to_numpy() for column in columns]
