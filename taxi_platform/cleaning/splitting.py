"""Writes clean rows to one file and rejected rows to the other, and counts both.

Belongs here: the pass that combines reading, judging and writing. Does not: any of these themselves.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taxi_platform.cleaning.casting import Cells
from taxi_platform.cleaning.format_change import FormatWatch
from taxi_platform.cleaning.judging import Evidence, ZeroPassengers, hits
from taxi_platform.cleaning.locating import Locator
from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.cleaning.rawtext import json_objects
from taxi_platform.cleaning.reading import RawBatch, RawFile
from taxi_platform.cleaning.repeats import Repeats, find_repeats
from taxi_platform.cleaning.version import clean_version
from taxi_platform.cleaning.writing import TableFile
from taxi_platform.cleaning.zone_shapes import ZoneShapes
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.rules import ZERO_PASSENGERS, ExactDuplicate, Rule
from taxi_platform.errors import BrokenFileError, ChangedFormatError, StoreError
from taxi_platform.machine.pipeline import ahead
from taxi_platform.references import CleanFacts, RawMonth, StagedClean

__all__ = ["split_month"]

Flags = npt.NDArray[np.bool_]

_PASSENGERS = "passenger_count"
_AHEAD = 1
"""How many batches are judged before the next is written."""


def split_month(
    contract: Contract,
    raw: RawMonth,
    source: Path | BinaryIO,
    directory: Path,
    options: CleaningOptions,
    shapes: ZoneShapes | None,
) -> StagedClean:
    """Does the work of ``cleaning.clean_month``, whose docstring holds here too."""
    with (
        contextlib.closing(RawFile(contract, raw, source)) as file,
        _kept_if_whole(raw, directory) as (trips, rejected),
    ):
        with tempfile.TemporaryDirectory(prefix="repeats-", dir=directory) as folder:
            repeats = find_repeats(contract, file, Path(folder))
        with TableFile(contract.trips, trips) as clean_rows, TableFile(contract.quarantine, rejected) as rejected_rows:
            facts = _Split(contract, raw, file, options, shapes).into(clean_rows, rejected_rows, repeats)
        return StagedClean(raw.month, facts, trips, rejected)


@contextlib.contextmanager
def _kept_if_whole(raw: RawMonth, directory: Path) -> Iterator[tuple[Path, Path]]:
    files = directory / "trips.parquet", directory / "quarantine.parquet"
    try:
        yield files
    except BaseException as error:
        for file in files:
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(f"the cleaned rows of {raw.month} cannot be written below {directory}: {error}") from error
        raise


class _Split:
    """The pass over the month, and its counts."""

    def __init__(
        self, contract: Contract, raw: RawMonth, file: RawFile, options: CleaningOptions, shapes: ZoneShapes | None
    ) -> None:
        self._contract = contract
        self._raw = raw
        self._file = file
        self._options = options
        self._rules = _rules(contract, options)
        self._reasons = ("unparseable", *(rule.reason for rule in self._rules))
        self._filled = frozenset(c.name for c in contract.columns if raw.month.first_day in c.filled)
        self._rejections = np.zeros(len(self._reasons), np.int64)
        self._nulls: Counter[str] = Counter({column.name: 0 for column in contract.columns})
        self._unknown_codes: dict[str, Counter[str]] = {}
        self._equal_rows = 0
        self._watch = FormatWatch(contract, raw, file)
        self._locator = Locator(contract, file.match, shapes)

    def into(self, trips: TableFile, quarantine: TableFile, repeats: Repeats) -> CleanFacts:
        """Write every row to one of the two files.

        Returns:
            The facts, whose counts add up to the raw month.

        Raises:
            BrokenFileError: the counts do not add up to the raw month.
            ChangedFormatError: too much does not fit, and the options do not accept that.
        """
        with ahead(self._parts(repeats), _AHEAD) as parts:
            for clean, rejected in parts:
                if rejected is not None:
                    quarantine.add(rejected)
                if clean is not None:
                    trips.add(clean)
        facts = self._facts(trips, quarantine)
        if not facts.is_conserved:
            raise BrokenFileError(
                f"{self._raw.path} should have {facts.raw_rows:,} rows, but {facts.trips_rows:,} clean and "
                f"{facts.quarantined_rows:,} rejected rows came of it: nothing was kept; fetch {self._raw.month} again"
            )
        if not self._options.accept_changed_format and (change := self._watch.change(facts)):
            raise ChangedFormatError(change)
        trips.finish(facts)
        quarantine.finish(facts)
        return facts

    def _parts(self, repeats: Repeats) -> Iterator[tuple[list[pa.Array] | None, list[pa.Array] | None]]:
        """The columns of each batch's clean and of its rejected rows; None where it has no such rows."""
        for batch in self._file.batches():
            cells = {column.name: self._file.cells(batch, column) for column in self._contract.columns}
            self._count_unknown(cells)
            self._watch.see(batch, cells)
            verdicts = self._judge(batch, cells, repeats)
            is_rejected = np.logical_or.reduce(verdicts)
            clean = rejected = None
            if is_rejected.any():
                self._watch.see_rejected(batch, self._rules, verdicts)
                rejected = self._rejected_columns(batch, verdicts, np.flatnonzero(is_rejected))
            if not is_rejected.all():
                clean = self._clean_columns(cells, ~is_rejected)
            yield clean, rejected

    def _judge(self, batch: RawBatch, cells: Mapping[str, Cells], repeats: Repeats) -> Flags:
        """Flags by reason and row; a record that was never parsed has only one reason."""
        rows = slice(batch.first_row, batch.first_row + batch.num_rows)
        evidence = Evidence(self._raw.month, cells, self._filled, repeats.copies(rows), repeats.paired(rows))
        unparseable = np.zeros(batch.num_rows, np.bool_)
        for cell in cells.values():
            if cell.unfit is not None:
                unparseable |= cell.unfit.to_numpy(zero_copy_only=False)
        verdicts = np.stack([unparseable, *(hits(rule, evidence) for rule in self._rules)])
        judged_copies = [
            v for rule, v in zip(self._rules, verdicts[1:], strict=True) if isinstance(rule, ExactDuplicate)
        ]
        self._equal_rows += sum(int(np.count_nonzero(evidence.copies & ~judged)) for judged in judged_copies)
        if batch.unparsed is not None:
            never_parsed = batch.unparsed.is_valid().to_numpy(zero_copy_only=False)
            verdicts[:, never_parsed] = False
            verdicts[0, never_parsed] = True
        return verdicts

    def _rejected_columns(self, batch: RawBatch, verdicts: Flags, rows: npt.NDArray[np.int64]) -> list[pa.Array]:
        reasons = verdicts[:, rows]
        self._rejections += np.count_nonzero(reasons, axis=1)
        ends = np.cumsum(np.count_nonzero(reasons, axis=0), dtype=np.int32)
        names = pa.array(self._reasons).take(pa.array(np.nonzero(reasons.T)[1]))
        return [
            self._file_month(len(rows)),
            pa.array(rows + batch.first_row),
            pa.ListArray.from_arrays(np.concatenate([np.zeros(1, np.int32), ends]), names),
            json_objects(RawBatch(batch.first_row, batch.records.take(pa.array(rows)))),
        ]

    def _clean_columns(self, cells: Mapping[str, Cells], clean: Flags) -> list[pa.Array]:
        mask = None if clean.all() else pa.array(clean)
        columns = {}
        for name, cell in cells.items():
            values = cell.values if mask is None else cell.values.filter(mask)
            if name == _PASSENGERS and self._options.fill_missing_passengers:
                values = values.fill_null(0)
            columns[name] = values
        columns.update(self._locator.located(columns))
        self._nulls.update({name: values.null_count for name, values in columns.items()})
        return [self._file_month(int(np.count_nonzero(clean))), *columns.values()]

    def _file_month(self, rows: int) -> pa.Array:
        return pa.repeat(pa.scalar(self._raw.month.first_day, pa.date32()), rows)

    def _count_unknown(self, cells: Mapping[str, Cells]) -> None:
        for name, cell in cells.items():
            if cell.unknown:
                self._unknown_codes.setdefault(name, Counter()).update(cell.unknown)

    def _facts(self, trips: TableFile, quarantine: TableFile) -> CleanFacts:
        return CleanFacts(
            version=clean_version(self._contract, self._raw.version, self._options, self._locator.version),
            raw_version=self._raw.version,
            raw_rows=self._raw.rows,
            trips_rows=trips.num_rows,
            quarantined_rows=quarantine.num_rows,
            reasons=dict(zip(self._reasons, self._rejections.tolist(), strict=True)),
            unknown_columns=self._file.match.unknown,
            unknown_codes={name: dict(sorted(codes.items())) for name, codes in sorted(self._unknown_codes.items())},
            null_counts=dict(self._nulls),
            options=dict.fromkeys(self._options.switched_on, True),
            equal_rows=self._equal_rows,
            decoded_rows=self._raw.decoded_rows,
            zones=dict(self._file.clock.zones),
            located=self._locator.counts,
            zone_shapes=self._locator.version,
        )


def _rules(contract: Contract, options: CleaningOptions) -> tuple[Rule, ...]:
    """The contract's rules, and the option's rule if the dataset counts passengers."""
    if options.drop_zero_passengers and _PASSENGERS in contract.trips.column_names:
        return (*contract.rules, ZeroPassengers(ZERO_PASSENGERS, _PASSENGERS))
    return contract.rules
