"""One raw month → its two files: runs the steps of this package in their order.

Belongs here: the one function that other packages call. Does not: any single step.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.cleaning.zone_shapes import ZoneShapes
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import RawMonth, StagedClean

__all__ = ["clean_month"]


def clean_month(
    contract: Contract,
    raw: RawMonth,
    source: Path | BinaryIO,
    directory: Path,
    options: CleaningOptions | None = None,
    shapes: ZoneShapes | None = None,
) -> StagedClean:
    """Clean a raw month into ``trips.parquet`` and ``quarantine.parquet`` below ``directory``.

    Args:
        contract: the dataset's contract.
        raw: the month to clean; each of its rows arrives in one of the two files.
        source: its Parquet file, as a local path or an object that reads ranges; it is read two to three times.
        directory: an existing private folder; for a while it also holds some bytes per row.
        options: choices beyond the contract; all off by default.
        shapes: what taxi zones are derived by, where the file has points and no zones; without, they stay null.

    Returns:
        The pair of files and its facts, which both footers have too. Rows are in the order of the raw file.

    Raises:
        BrokenFileError: the raw file cannot be read, or has other rows than ``raw`` says.
        ContractError: it lacks a column that the contract requires in that month.
        ChangedFormatError: too much does not fit, so the format has changed, and ``options`` do not accept that.
        StoreError: the files cannot be written.
        On any error neither file is left behind.
    """
    from taxi_platform.cleaning.splitting import split_month

    return split_month(contract, raw, source, directory, options or CleaningOptions(), shapes)
