"""Metadata of months in Dagster's catalogue, under the keys that its web interface understands.

Belongs here: turning references into metadata. Does not: recording it (``io_managers``), and columns (``columns``).
Keys: https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.marts import marts_of
from taxi_platform.references import CleanFacts, CleanMonth, RawMonth
from taxi_platform.stores.bookkeeping import definitions, marts_version
from taxi_platform.stores.lake.dimensions import StoredDimension
from taxi_platform.stores.lake.shapes import StoredShapes
from taxi_platform.stores.lake.zones import StoredZones
from taxi_platform.stores.model import HeldMart, LoadedMonth, MadeMarts

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.inspection.report.figures import MonthFigures

__all__ = [
    "DATA_VERSION",
    "MADE_FROM",
    "NO_SHAPES",
    "RAW_VERSION",
    "ROWS",
    "SHA256",
    "TABLE",
    "VERSION",
    "VERSION_NAMES",
    "WITHDRAWN",
    "ZONE_SHAPES",
    "clean_metadata",
    "dimension_metadata",
    "loaded_metadata",
    "made_metadata",
    "quarantine_metadata",
    "raw_metadata",
    "report_metadata",
    "withdrawn_metadata",
    "zone_shapes_metadata",
    "zones_metadata",
]

ROWS = "dagster/partition_row_count"
URI = "dagster/uri"
TABLE = "dagster/table_name"
WITHDRAWN = "withdrawn"
"""True on the materialization that removed a month from a store, because Dagster has no event for a removal."""
VERSION = "version"
"""Of a raw month: its version. Of marts: the version of all marts of the month."""
RAW_VERSION = "raw_version"
"""Of trips and tables: the raw version that the rows came from."""
DATA_VERSION = "data_version"
"""Of trips and tables: raw version, contract, cleaning code and options."""
SHA256 = "sha256"
"""The digest of upstream's file, which is the version of the zone lookup and its tables."""
ZONE_SHAPES = "zone_shapes"
"""Of trips with points: the version of the zones' shapes that their zones are derived by, or `NO_SHAPES`."""
NO_SHAPES = "none"
MADE_FROM = "made_from"
"""Of a month's page of the report: the versions of the marts that it shows."""
VERSION_NAMES = (VERSION, RAW_VERSION, DATA_VERSION, SHA256, ZONE_SHAPES, MADE_FROM)
"""The names that automation compares; every materialization has all that apply to it."""

_MOST_CODES = 100
"""The number of a column's unknown codes that are shown, the most frequent first. Free text has one per row."""


def raw_metadata(raw: RawMonth, uri: str, *, changed: bool) -> Mapping[str, Any]:
    """Counts and provenance of a raw month."""
    return {
        ROWS: raw.rows,
        URI: uri,
        "unparsed_rows": raw.unparsed_rows,
        "decoded_rows": raw.decoded_rows,
        VERSION: raw.version,
        "source_url": raw.source_url,
        "source_version": raw.source_token,
        "source_bytes": raw.source_size,
        "bytes": raw.size,
        SHA256: raw.sha256,
        "schema_fingerprint": raw.schema_fingerprint,
        "fetched_at": raw.fetched_at,
        "accepts_changed_format": raw.accepts_changed_format,
        "changed": changed,
    }


def clean_metadata(clean: CleanMonth, uri: Callable[[str], str], *, changed: bool) -> Mapping[str, Any]:
    """Counts, and each reason as a number of its own, so that the web interface plots it over the months.

    Args:
        clean: the month.
        uri: gives the address of an object of the lake.
        changed: whether the month was cleaned again.
    """
    facts = clean.facts
    table = "\n".join(f"| {reason} | {rows:,} |" for reason, rows in facts.reasons.items() if rows)
    return {
        ROWS: facts.trips_rows,
        URI: uri(clean.trips_path),
        "quarantine_uri": uri(clean.quarantine_path),
        "raw_rows": facts.raw_rows,
        "quarantined_rows": facts.quarantined_rows,
        DATA_VERSION: facts.version,
        RAW_VERSION: facts.raw_version,
        "reasons": dg.MetadataValue.md(f"| reason | rows |\n|---|---:|\n{table}" if table else "no row was rejected"),
        **{f"rejected/{reason}": rows for reason, rows in facts.reasons.items()},
        "options": dict(facts.options),
        "unknown_columns": [excerpt(column) for column in facts.unknown_columns],
        "unknown_codes": {column: _most_frequent(codes) for column, codes in facts.unknown_codes.items()},
        "equal_rows": facts.equal_rows,
        "decoded_rows": facts.decoded_rows,
        "zones": dict(facts.zones),
        **_located(facts),
        "bytes": clean.trips_size + clean.quarantine_size,
        "changed": changed,
    }


def quarantine_metadata(trips: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `clean_metadata` or `withdrawn_metadata` says of a month's trips, of its quarantine."""
    if trips.get(WITHDRAWN):
        return trips
    same = ("raw_rows", DATA_VERSION, RAW_VERSION, "reasons", "changed")
    return {
        ROWS: trips["quarantined_rows"],
        URI: trips["quarantine_uri"],
        **{name: value for name, value in trips.items() if name in same or name.startswith("rejected/")},
    }


def _located(facts: CleanFacts) -> dict[str, Any]:
    """What became of the trips' points, each kind as a number of its own; nothing for a file without points."""
    if not facts.located:
        return {}
    counts = {f"{column}/{kind}": rows for column, by_kind in facts.located.items() for kind, rows in by_kind.items()}
    return {ZONE_SHAPES: facts.zone_shapes or NO_SHAPES, **counts}


def _most_frequent(codes: Mapping[str, int]) -> dict[str, int]:
    return {excerpt(code): rows for code, rows in Counter(codes).most_common(_MOST_CODES)}


def loaded_metadata(clean: CleanMonth, loaded: LoadedMonth) -> Mapping[str, Any]:
    """Counts of a month in a table, counted there."""
    return {
        ROWS: loaded.counts.trips,
        "quarantined_rows": loaded.counts.quarantined,
        DATA_VERSION: clean.facts.version,
        RAW_VERSION: clean.facts.raw_version,
        "changed": loaded.changed,
        **loaded.facts,
    }


def made_metadata(contract: Contract, made: MadeMarts, days: pa.Table | None = None) -> Mapping[str, Any]:
    """Rows of each mart, and what the web interface plots over the months: trips and revenue.

    Args:
        contract: the dataset.
        made: the month's marts.
        days: ``trips`` and ``total_cents`` of its days, if they were read.
    """
    sums = {} if days is None else {name: sum(filter(None, days[name].to_pylist())) for name in days.column_names}
    cents = sums.pop("total_cents", 0)
    made_by = definitions(marts_of(contract), contract)
    return {
        ROWS: sum(made.rows.values()),
        **{f"rows/{name}": rows for name, rows in made.rows.items()},
        **sums,
        **({"revenue_dollars": cents / 100} if cents else {}),
        VERSION: marts_version({name: HeldMart(made.data_version, by, 0) for name, by in made_by.items()}),
        DATA_VERSION: made.data_version,
        "changed": made.changed,
        **{name: dict(facts) for name, facts in made.facts.items()},
    }


def report_metadata(figures: MonthFigures, page: Path, made_from: str) -> Mapping[str, Any]:
    """Where the page is, the numbers at its head and two of its pictures.

    An event is a row of the instance's database, and a page of the web interface loads those of many months. So there
    are no more pictures than 30 kB, and the map is on the page alone.

    Args:
        figures: the month's numbers.
        page: the file.
        made_from: the versions of the marts that it shows.
    """
    from taxi_platform.inspection.report import charts

    pictures = {"Trips by day": charts.days(figures.days, "trips", "trips a day", "~s")} if len(figures.days) else {}
    if len(figures.hours):
        pictures["Trips an hour, the mean of the month's days"] = charts.heat_map(figures.hours)
    shown = (
        f"**{name}**\n\n![{name}](data:image/png;base64,{b64encode(charts.png(of)).decode()})"
        for name, of in pictures.items()
    )
    units = {"trips": "", "dollars": "_dollars", "mi": "_miles", "min": "_minutes"}
    return {
        "page": dg.MetadataValue.path(page),
        "pictures": dg.MetadataValue.md("\n\n".join(shown)),
        **{
            f"{figure.name.lower().replace(' ', '_')}{units[figure.unit]}": round(figure.value, 2)
            for figure in figures.head
            if figure.value is not None
        },
        "bytes": page.stat().st_size,
        MADE_FROM: made_from,
        "changed": True,
    }


def withdrawn_metadata(*, changed: bool) -> Mapping[str, Any]:
    """Metadata of a month that upstream has withdrawn: the store has no row of it."""
    return {ROWS: 0, WITHDRAWN: True, "changed": changed}


def zones_metadata(stored: StoredZones) -> Mapping[str, Any]:
    """Rows and provenance of the zone lookup."""
    return {
        "dagster/row_count": stored.rows,
        "source_url": stored.source_url,
        "source_version": stored.source_token,
        SHA256: stored.sha256,
        "fetched_at": stored.fetched_at,
    }


def dimension_metadata(stored: StoredDimension) -> Mapping[str, Any]:
    """Rows and version of a table that the platform makes by itself."""
    return {"dagster/row_count": stored.rows, SHA256: stored.sha256, "made_at": stored.made_at}


def zone_shapes_metadata(stored: StoredShapes) -> Mapping[str, Any]:
    """Rows, provenance and mended faults of the zones' shapes."""
    return {
        "dagster/row_count": stored.zones,
        "source_url": stored.source_url,
        "source_version": stored.source_token,
        VERSION: stored.version,
        SHA256: stored.sha256,
        "fetched_at": stored.fetched_at,
        "faults": list(stored.faults),
    }
