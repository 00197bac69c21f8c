"""Makes the raw month that goes into the lake from an upstream file that was fetched.

Belongs here: the choice between keeping (Parquet) and converting (CSV), the version and the provenance. Does not: how
a CSV file is read (``conversion``). Arrow is imported when the first file is staged, not with this module.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.contracts.contract import Contract
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth, StagedRaw
from taxi_platform.sources.model import Download

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CONVERTER_REVISION", "is_current_conversion", "schema_fingerprint", "stage_raw"]

CONVERTER_REVISION = 3
"""Part of a raw month's version. Raise it with every change that makes another Parquet file of the same CSV file."""


def is_current_conversion(raw: RawMonth) -> bool:
    """Whether this converter would make the same file; false for a CSV month that an earlier revision converted."""
    _, converted, revision = raw.version.partition("-r")
    return not converted or revision == str(CONVERTER_REVISION)


def stage_raw(
    contract: Contract, month: TripMonth, download: Download, directory: Path, *, fetched_at: datetime | None = None
) -> StagedRaw:
    """Make the raw month of a fetched file: Parquet is kept byte for byte, CSV is converted record by record.

    The result is a file in ``directory``; nothing is in the lake yet.

    Args:
        contract: the dataset's contract, which types the columns of a CSV file.
        month: the month that the file is named after.
        download: the upstream file, whole; its URL says which format it has.
        directory: where a converted file is made.
        fetched_at: when the download was made; the default is now.

    Raises:
        BrokenFileError: the file is not what its name says, is cut off or damaged, or has no records.
        ContractError: a column that the contract requires is missing, or the file is another dataset's.
        StoreError: ``directory`` cannot be written to.
    """
    version, readable = download.sha256[:16], None
    if download.is_parquet:
        from taxi_platform.ingest.readable import readable_copy
        from taxi_platform.ingest.upstream_parquet import inspect_parquet

        file, unparsed_rows, decoded_rows = download.file, 0, 0
        rows, schema = inspect_parquet(contract, month, file, download.version.url)
        copy = directory / f"{month.dataset}-{month.label}-{version}.readable.parquet"
        readable = readable_copy(file, download.version.url, copy)
    else:
        from taxi_platform.ingest.conversion import convert_csv

        version = f"{version}-r{CONVERTER_REVISION}"
        file = directory / f"{month.dataset}-{month.label}-{version}.parquet"
        converted = convert_csv(contract, month, download.file, download.version.url, file)
        rows, schema = converted.rows, converted.schema
        unparsed_rows, decoded_rows = converted.unparsed_rows, converted.decoded_rows
    raw = RawMonth(
        month=month,
        version=version,
        path=f"raw/{month.dataset}/month={month.label}/{version}.parquet",
        rows=rows,
        unparsed_rows=unparsed_rows,
        size=file.stat().st_size,
        source_url=download.version.url,
        source_token=download.version.token,
        etag=download.version.etag,
        sha256=download.sha256,
        source_size=download.size,
        schema_fingerprint=schema_fingerprint(schema),
        fetched_at=(fetched_at or datetime.now(timezone.utc)).astimezone(timezone.utc).isoformat(timespec="seconds"),
        decoded_rows=decoded_rows,
    )
    return StagedRaw(raw, file, readable)


def schema_fingerprint(schema: pa.Schema) -> str:
    """Twelve hex digits that change exactly when column names, their order or their Arrow types change."""
    text = "\n".join(f"{field.name!r} {field.type}" for field in schema)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
