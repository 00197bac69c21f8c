"""One raw month → its two files: the order in which the parts of this package do their work.

Belongs here: splitting batches into clean and rejected rows, and counting. Does not: any single step of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import RawMonth, StagedClean

__all__ = ["clean_month"]


def clean_month(
    contract: Contract,
    raw: RawMonth,
    source: Path | BinaryIO,
    directory: Path,
    options: CleaningOptions | None = None,
) -> StagedClean:
    """Clean a raw month into ``trips.parquet`` and ``quarantine.parquet`` below ``directory``.

    Args:
        contract: the dataset's.
        raw: what is cleaned; its rows must all arrive in one of the two files.
        source: its Parquet file, local, or an object that reads ranges; it is read two to three times.
        directory: an existing private folder; besides the two files it briefly holds some bytes per row.
        options: choices beyond the contract; all off by default.

    Returns:
        The pair and its facts, which also stand in both footers. Rows are in the order of the raw file.

    Raises:
        BrokenFileError: the raw file cannot be read, or has other rows than ``raw`` says.
        ContractError: it lacks a column that the contract requires in that month.
        ChangedFormatError: so much does not fit that the format has changed, and ``options`` do not consent to it.
        StoreError: the files cannot be written.
        On any error neither file is left behind.
    """
    from taxi_platform.cleaning.splitting import split_month

    return split_month(contract, raw, source, directory, options or CleaningOptions())
