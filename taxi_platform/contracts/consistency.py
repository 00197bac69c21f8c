"""What must be true of a contract before anything is built from it.

Belongs here: checks of one declaration against itself, run when it is made. Does not: comparing files with a contract
(``matching``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from taxi_platform.contracts.rules import TimestampMissing

if TYPE_CHECKING:
    from taxi_platform.contracts.model import Contract

__all__ = ["contradictions"]


def contradictions(contract: Contract) -> list[str]:
    """What is wrong with a contract, one phrase each; empty for one that can be used."""
    return [*_repeated(contract), *_nowhere(contract), *_untyped(contract), *_nullable(contract)]


def _repeated(contract: Contract) -> Iterator[str]:
    for what, names in (
        ("column", contract.trips.column_names),
        ("upstream name", [spelling for column in contract.columns for spelling in column.known_as]),
        ("reason", contract.reasons),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"the {what} {name!r} is declared more than once"


def _nowhere(contract: Contract) -> Iterator[str]:
    """Names that stand for no column."""
    references: list[tuple[str, Iterable[str]]] = [
        ("cluster_by", contract.cluster_by),
        ("unified", contract.unified.values()),
        *((f"the rule {rule.reason!r}", rule.columns) for rule in contract.rules),
        *((f"unless of {column.name!r}", column.unless) for column in contract.columns),
    ]
    for where, names in references:
        if unknown := sorted(set(names).difference(contract.trips.column_names)):
            yield f"{where} names columns that do not exist: {', '.join(unknown)}"


def _untyped(contract: Contract) -> Iterator[str]:
    """Codes that are not of their column's type."""
    for column in contract.columns:
        values = [*column.codes, *column.recodes.values()]
        if wrong := [value for value in values if isinstance(value, str) is column.type.is_number]:
            yield f"codes of {column.name!r} are not of its type: {wrong}"


def _nullable(contract: Contract) -> Iterator[str]:
    """Only a column whose nulls go to quarantine in every month can promise to have none."""
    judged = {name for rule in contract.rules if isinstance(rule, TimestampMissing) for name in rule.timestamps}
    for column in contract.columns:
        if not column.filled.is_never and column.name not in judged:
            yield f"{column.name!r} must be filled, but no rule judges by that"
        if not column.nullable and not column.filled.is_always:
            yield f"{column.name!r} cannot be null, but no rule keeps nulls out in every month"
