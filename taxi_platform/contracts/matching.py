"""Which upstream column is which canonical one, in one file.

Belongs here: comparing a file's column names with a contract. Does not: reading values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Column, normalised
from taxi_platform.contracts.values.foreign_text import listed
from taxi_platform.errors import ContractError
from taxi_platform.months import TripMonth

__all__ = ["UNPARSED_COLUMN", "Match", "match_columns", "require_columns"]

UNPARSED_COLUMN = "_unparsed"
"""The last column of raw months that were converted from CSV, if any record does not fit its column types. It holds
such a record's text and is null for every other record. The name is this platform's own, never upstream's."""


@dataclass(frozen=True)
class Match:
    """How one file's columns fit a contract."""

    found: Mapping[str, tuple[str, ...]]
    """Canonical column → the file's own names for it, most trusted first."""
    unknown: tuple[str, ...]
    """The file's columns that the contract does not know, without `UNPARSED_COLUMN`."""
    missing: tuple[str, ...]
    """Canonical columns that the contract requires in that month and the file lacks."""

    def column_of(self, upstream: str) -> str | None:
        """The canonical column for one of the file's column names; None if the contract does not know the name."""
        return next((name for name, names in self.found.items() if upstream in names), None)


def match_columns(contract: Contract, upstream: Sequence[str], month: TripMonth) -> Match:
    """Match a file's column names with the contract's columns; never raises."""
    by_spelling: dict[str, list[str]] = {}
    for name in upstream:
        by_spelling.setdefault(normalised(name), []).append(name)
    found = {
        column.name: names
        for column in contract.columns
        if (names := tuple(n for spelling in column.known_as for n in by_spelling.get(spelling, ())))
    }
    known = {name for names in found.values() for name in names}
    return Match(
        found=found,
        unknown=tuple(name for name in upstream if name not in known and name != UNPARSED_COLUMN),
        missing=tuple(c.name for c in contract.columns if _is_missing(c, found, month)),
    )


def require_columns(contract: Contract, upstream: Sequence[str], month: TripMonth, where: str) -> Match:
    """The same as `match_columns`, for a file that must have every required column.

    Raises:
        ContractError: a required column is missing; the sentence names it and ``where``.
    """
    match = match_columns(contract, upstream, month)
    if match.missing:
        raise ContractError(
            f"{where} is not a {month} file: it has no column for {', '.join(match.missing)} "
            f"(its columns are {listed(upstream) or 'none'}); the month before it stays in place"
        )
    return match


def _is_missing(column: Column, found: Mapping[str, tuple[str, ...]], month: TripMonth) -> bool:
    return (
        month.first_day in column.required
        and column.name not in found
        and not any(other in found for other in column.unless)
    )
