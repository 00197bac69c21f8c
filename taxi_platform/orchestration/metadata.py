"""Metadata of months and tables in Dagster's catalogue, under the keys that its web interface understands.

Belongs here: turning references and contracts into metadata. Does not: recording it (``io_managers``).
Keys: https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import describe
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.marts import marts_of
from taxi_platform.marts.model import Mart
from taxi_platform.marts.queries import origins
from taxi_platform.references import CleanFacts, CleanMonth, RawMonth
from taxi_platform.stores.lake.dimensions import StoredDimension
from taxi_platform.stores.lake.shapes import StoredShapes
from taxi_platform.stores.lake.zones import StoredZones
from taxi_platform.stores.model import LoadedMonth, MadeMarts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "DATA_VERSION",
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
    "column_schema",
    "dimension_metadata",
    "loaded_metadata",
    "made_metadata",
    "mart_columns",
    "raw_metadata",
    "withdrawn_metadata",
    "zone_shapes_metadata",
    "zones_metadata",
]

ROWS = "dagster/partition_row_count"
URI = "dagster/uri"
TABLE = "dagster/table_name"
COLUMNS = "dagster/column_schema"
LINEAGE = "dagster/column_lineage"
WITHDRAWN = "withdrawn"
"""True on the materialization that removed a month from a store, because Dagster has no event for a removal."""
VERSION = "version"
"""Of a raw month: its version."""
RAW_VERSION = "raw_version"
"""Of trips and tables: the raw version that the rows came from."""
DATA_VERSION = "data_version"
"""Of trips and tables: raw version, contract, cleaning code and options."""
SHA256 = "sha256"
"""The digest of upstream's file, which is the version of the zone lookup and its tables."""
ZONE_SHAPES = "zone_shapes"
"""Of trips with points: the version of the zones' shapes that their zones are derived by, or `NO_SHAPES`."""
NO_SHAPES = "none"
VERSION_NAMES = (VERSION, RAW_VERSION, DATA_VERSION, SHA256, ZONE_SHAPES)
"""The names that automation compares; every materialization has all that apply to it."""

_MOST_CODES = 100
"""The number of a column's unknown codes that are shown, the most frequent first. Free text has one per row."""


def column_schema(table: Table) -> Mapping[str, Any]:
    """The table's columns, with types and descriptions, as an asset's definition metadata."""
    columns = [
        dg.TableColumn(
            c.name,
            c.type.postgres,
            description=describe(c),
            constraints=dg.TableColumnConstraints(nullable=c.nullable),
        )
        for c in table.columns
    ]
    return {
        COLUMNS: dg.TableSchema(
            columns=columns, constraints=dg.TableConstraints(other=[f"clustered by {', '.join(table.cluster_by)}"])
        )
        if table.cluster_by
        else dg.TableSchema(columns=columns)
    }


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


def clean_metadata(clean: CleanMonth, uri: str, *, changed: bool) -> Mapping[str, Any]:
    """Counts, and each reason as a number of its own, so that the web interface plots it over the months."""
    facts = clean.facts
    table = "\n".join(f"| {reason} | {rows:,} |" for reason, rows in facts.reasons.items() if rows)
    return {
        ROWS: facts.trips_rows,
        URI: uri,
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


def made_metadata(made: MadeMarts, days: pa.Table | None = None) -> Mapping[str, Any]:
    """Rows of each mart, and what the web interface plots over the months: trips and revenue.

    Args:
        made: the month's marts.
        days: ``trips`` and ``total_cents`` of its days, if they were read.
    """
    sums = {} if days is None else {name: sum(filter(None, days[name].to_pylist())) for name in days.column_names}
    cents = sums.pop("total_cents", 0)
    return {
        ROWS: sum(made.rows.values()),
        **{f"rows/{name}": rows for name, rows in made.rows.items()},
        **sums,
        **({"revenue_dollars": cents / 100} if cents else {}),
        DATA_VERSION: made.data_version,
        "changed": made.changed,
        **{name: dict(facts) for name, facts in made.facts.items()},
    }


def mart_columns(contract: Contract, tables: dg.AssetKey) -> Mapping[str, Any]:
    """Columns of a dataset's marts with the columns of its tables that they come from, as definition metadata.

    A column's name is ``mart_service_day.trips``, because one asset has all marts of a dataset.
    """
    marts = {mart.name: mart for mart in marts_of(contract)}
    columns = [
        dg.TableColumn(f"{mart.name}.{c.name}", c.type.postgres, description=describe(c))
        for mart in marts.values()
        for c in mart.columns
    ]
    lineage = {
        f"{name}.{column}": [
            dg.TableColumnDep(tables, own)
            for own in dict.fromkeys(contract.unified.get(of, of) for of in _trips_columns(sources, marts))
            if own in contract.trips.column_names
        ]
        for name in marts
        for column, sources in origins()[name].items()
    }
    return {COLUMNS: dg.TableSchema(columns=columns), LINEAGE: dg.TableColumnLineage(lineage)}


def _trips_columns(sources: Sequence[str], marts: Mapping[str, Mart]) -> Iterator[str]:
    """The columns of trips that these columns come from, through other marts if need be."""
    for source in sources:
        relation, _, column = source.partition(".")
        if relation in marts:
            yield from _trips_columns(origins()[relation][column], marts)
        elif relation == "trips":
            yield column


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
