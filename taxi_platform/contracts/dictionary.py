"""The data dictionary: everything the contracts declare, as one page of Markdown.

Belongs here: the page's layout. Does not: any fact about the data (the contracts' own) and where the page lies
(``tools.docs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from taxi_platform.contracts.bounds import DESCRIPTION
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.rules import ZERO_PASSENGERS
from taxi_platform.contracts.unified import UNIFIED, UNIFIED_COLUMNS, origins
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES

__all__ = ["render_dictionary"]

_NONE = "-"
_INTRODUCTION = """\
# Data dictionary

<!-- Written by `make docs` from taxi_platform/contracts; not to be edited by hand. -->

What every table holds, where it comes from and which rows are kept out of it. The tables have the same names and
columns in every store: below the schema `taxi` in DuckDB, in the configured schema of PostgreSQL and dataset of
BigQuery, and as Parquet files in the lake.

* A **month is the upstream file**, named `file_month`, never the month of a pickup.
* **Nothing is lost**: the rows of a raw month are those of its trips and of its quarantine together.
* What is computed from trips has [a page of its own](marts.md).
* Times are New York wall-clock time without a zone, as upstream writes them. Where a file has a zone all the same, its
  times are converted; UTC, which copies of a month say of New York's digits, is read both ways: the reading with more
  pickups inside the file's month holds (where only another time has the label: with more drop-offs after their pickup),
  and a tie, or a difference below 0.1 %, keeps the digits. A check warns of it.
* What is not a number (NaN) is null, spaces at the end of a text are no part of it, and empty text is null.
* A rejected row's `raw` is what came, as JSON. Bytes that are no characters, and NUL, stand there as `\\xHH`
  ([the rule](architecture.md#cells-and-text)).
* Upstream names are compared without regard to letter case and to spaces around them. A column or code that is
  not listed here stops nothing: the file is kept, what is known is loaded, and a check names the rest.
"""
_CHANGED_FORMAT = f"""\
* **A changed format is not dirt.** A month stops, and the one before it stays, where
  {DESCRIPTION}.
  Other reasons never stop a month. The option `accept_changed_format` takes such a month as it is.
"""
_RULES = """\
A row goes to quarantine if any of these is true of it, and lists every reason that is. Where a cell is null, only
`timestamp_missing` and the comparisons of whole rows can hit.
"""
_OPTION = (
    f"One more reason exists only where a run asks for it (`drop_zero_passengers`): `{ZERO_PASSENGERS}`, "
    "a trip with a reported passenger_count of 0.\n"
)


def render_dictionary(contracts: Sequence[Contract]) -> str:
    """The data dictionary of these datasets as Markdown."""
    sections = [
        _INTRODUCTION + _CHANGED_FORMAT,
        _contents(contracts),
        _types(),
        *(section for contract in contracts for section in _dataset(contract)),
        *_view(contracts),
        *_zones(),
        *_dimensions(),
        _links([*(contract.trips for contract in contracts), MAPPED_ZONES, ZONE_SHAPES]),
    ]
    return "\n".join(sections)


def _contents(contracts: Sequence[Contract]) -> str:
    headings = ["Types", *map(_heading, contracts), "All trips in one view", "Zones", "Dates and codes"]
    return "".join(f"* [{heading}](#{_anchor(heading)})\n" for heading in headings)


def _types() -> str:
    rows = [
        (
            f"`{kind.name.lower()}`",
            f"`{kind.arrow}`",
            kind.duckdb,
            kind.postgres,
            kind.bigquery + (", repeated" if kind is ColumnType.TEXT_LIST else ""),
        )
        for kind in ColumnType
    ]
    return "## Types\n\n" + _table(("type", "Arrow and Parquet", "DuckDB", "PostgreSQL", "BigQuery"), rows)


def _dataset(contract: Contract) -> Iterator[str]:
    yield f"## {_heading(contract)}\n\n{contract.description} Months from {contract.first_month:%Y-%m} on.\n"
    yield f"### `{contract.trips.name}`\n\n{_clustering(contract.trips)}\n" + _columns(contract.trips)
    yield from _codes(contract.trips)
    yield f"### `{contract.quarantine.name}`\n\n{contract.quarantine.description}\n\n" + _plain(contract.quarantine)
    reasons = [(f"`{reason}`", meaning) for reason, meaning in contract.reason_descriptions.items()]
    yield f"### Rules of {contract.dataset}\n\n{_RULES}\n" + _table(("reason", "exactly when"), reasons)
    if "passenger_count" in contract.trips.column_names:
        yield _OPTION


def _view(contracts: Sequence[Contract]) -> Iterator[str]:
    yield f"## All trips in one view\n\n`{UNIFIED.name}`: {UNIFIED.description}\n\n" + _plain(UNIFIED)
    rows = [(f"`{name}`", *(_origin(contract, name) for contract in contracts)) for name, _ in UNIFIED_COLUMNS]
    yield "Where its columns come from:\n\n" + _table(("column", *(f"`{c.trips.name}`" for c in contracts)), rows)


def _zones() -> Iterator[str]:
    described = f"`{MAPPED_ZONES.name}`: {MAPPED_ZONES.description} The texts NA and N/A are data, never null."
    yield f"## Zones\n\n{described}\n"
    yield _columns(MAPPED_ZONES)
    yield f"`{ZONE_SHAPES.name}`: {ZONE_SHAPES.description}\n"
    yield _columns(ZONE_SHAPES)


def _dimensions() -> Iterator[str]:
    yield "## Dates and codes\n\nTables that the platform makes by itself, to be joined with trips.\n"
    for dimension in DIMENSIONS.values():
        yield f"`{dimension.table.name}`: {dimension.table.description}\n\n" + _plain(dimension.table)


def _columns(table: Table) -> str:
    heads = ("column", "type", "unit", "null", "meaning", "upstream's names", "required in files", "source")
    rows = [
        (
            f"`{column.name}`",
            f"`{column.type.name.lower()}`",
            column.unit or _NONE,
            _nullability(column),
            column.description,
            _spellings(column),
            _required(column),
            _link(column.source),
        )
        for column in table.columns
    ]
    return _table(heads, rows)


def _plain(table: Table) -> str:
    """A table's columns as Markdown, without the facts about upstream, which such a table does not have."""
    rows = [(f"`{c.name}`", f"`{c.type.name.lower()}`", c.unit or _NONE, c.description) for c in table.columns]
    return _table(("column", "type", "unit", "meaning"), rows)


def _codes(table: Table) -> Iterator[str]:
    for column in table.columns:
        if column.codes:
            until = f" CSV files to {column.text_until:%Y-%m} carry it as text." if column.text_until else ""
            rows = [(f"`{code}`", meaning, _texts(column, code)) for code, meaning in column.codes.items()]
            yield f"Codes of `{column.name}`.{until}\n\n" + _table(
                ("value", "meaning", "also written, in any letter case"), rows
            )


def _texts(column: Column, code: int | str) -> str:
    return ", ".join(f"`{text}`" for text, value in column.recodes.items() if value == code) or _NONE


def _nullability(column: Column) -> str:
    if not column.nullable:
        return "no"
    return "yes" if column.filled.is_never else f"no, {column.filled}"


def _spellings(column: Column) -> str:
    if column.derived_from:
        return "none: derived from " + ", ".join(f"`{name}`" for name in column.derived_from)
    if column.source is None:
        return _NONE
    return ", ".join(f"`{spelling}`" for spelling in column.spellings or (column.name,))


def _required(column: Column) -> str:
    if column.required.is_never:
        return _NONE
    instead = f", unless there is {' or '.join(f'`{name}`' for name in column.unless)}" if column.unless else ""
    return f"{column.required}{instead}"


def _origin(contract: Contract, name: str) -> str:
    return ", else ".join(f"`{column.name}`" for column in origins(contract, name)) or _NONE


def _clustering(table: Table) -> str:
    return f"Clustered or indexed by {', '.join(f'`{name}`' for name in table.cluster_by)}.\n"


def _link(source: str | None) -> str:
    return f"[{_document(source)}]" if source else _NONE


def _links(tables: Iterable[Table]) -> str:
    """Markdown's link definitions for the documents that the columns name as their source."""
    sources = {column.source for table in tables for column in table.columns if column.source}
    return "".join(f"[{_document(source)}]: {source}\n" for source in sorted(sources))


def _document(source: str) -> str:
    """A short name for a document: the stem of its file name."""
    return PurePosixPath(urlsplit(source).path).stem


def _heading(contract: Contract) -> str:
    return f"{contract.title[:1].upper()}{contract.title[1:]} trips ({contract.dataset})"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
