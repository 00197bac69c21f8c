"""A dataset's contract: what upstream publishes as it, and what the platform promises about it.

Belongs here: the declaration, what follows from it, and the checks that it does not contradict itself. Does not: any
dataset's facts (one module each), and comparing files with a contract (``matching``).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.rules import UNPARSEABLE, UNPARSEABLE_DESCRIPTION, Rule, TimestampMissing
from taxi_platform.months import TripMonth

__all__ = ["Contract"]

_QUARANTINE_COLUMNS = (
    FILE_MONTH,
    Column("raw_row", ColumnType.BIGINT, "Position of the row in its raw month, counted from 0.", nullable=False),
    Column("reasons", ColumnType.TEXT_LIST, "Every rule that rejected the row.", nullable=False),
    Column("raw", ColumnType.TEXT, "The row's upstream columns as they came, as a JSON object.", nullable=False),
)


@dataclass(frozen=True)
class Contract:
    """One dataset: what upstream publishes as it and what this platform promises about it."""

    dataset: str
    """Upstream's name for it in file names; also the name of its assets and the stem of its tables."""
    title: str
    description: str
    first_month: date
    columns: tuple[Column, ...]
    """Canonical columns without ``file_month``, which every table gets first."""
    rules: tuple[Rule, ...]
    unified: Mapping[str, str] = field(default_factory=dict)
    """Column of the view over all datasets → this dataset's column, where the names differ."""
    cluster_by: tuple[str, ...] = ("pickup_datetime",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unified", MappingProxyType(dict(self.unified)))
        if wrong := _contradictions(self):
            raise ValueError(f"the contract of {self.dataset} contradicts itself: {'; '.join(wrong)}")

    @cached_property
    def trips(self) -> Table:
        """The table of clean rows."""
        return Table(f"{self.dataset}_trips", self.description, (FILE_MONTH, *self.columns), self.cluster_by)

    @cached_property
    def quarantine(self) -> Table:
        """The table of rejected rows."""
        return Table(
            f"{self.dataset}_quarantine",
            f"Rows of {self.title} files that a rule rejected, with every reason: "
            "trips and quarantine together make up the raw month.",
            _QUARANTINE_COLUMNS,
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason a row of this dataset can be rejected for, in the order rows list them."""
        return (UNPARSEABLE, *(rule.reason for rule in self.rules))

    @property
    def reason_descriptions(self) -> Mapping[str, str]:
        """Reason → the exact condition under which it applies, in the order of `reasons`."""
        return {UNPARSEABLE: UNPARSEABLE_DESCRIPTION} | {rule.reason: rule.description for rule in self.rules}

    def column(self, name: str) -> Column:
        """The column with that canonical name; raises `KeyError` if the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def derived(self) -> tuple[Column, ...]:
        """The columns that no file has, because cleaning computes them."""
        return tuple(column for column in self.columns if column.derived_from)

    def month(self, first_day: date) -> TripMonth:
        """The dataset's month that begins on ``first_day``."""
        return TripMonth(self.dataset, first_day)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that change exactly when rows would be read, judged or stored differently.

        They also change when the set of known codes does, because other codes would then be warned of. They do not
        change with a description, a source, or the months in which a file must carry a column.
        """
        facts = [[_reading(column) for column in self.columns], [repr(rule) for rule in self.rules]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _reading(column: Column) -> list[object]:
    """The fields of a column that decide how upstream's values are read."""
    return [
        column.name,
        column.type.name,
        column.nullable,
        column.known_as,
        sorted(column.recodes.items()),
        sorted(map(repr, column.codes)),
        str(column.text_until),
        str(column.filled),
    ]


def _contradictions(contract: Contract) -> list[str]:
    """The contradictions in a contract, one phrase each; an empty list if there are none."""
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
    """References to columns that do not exist."""
    references: list[tuple[str, Iterable[str]]] = [
        ("cluster_by", contract.cluster_by),
        ("unified", contract.unified.values()),
        *((f"the rule {rule.reason!r}", rule.columns) for rule in contract.rules),
        *((f"the origin of {column.name!r}", column.derived_from) for column in contract.columns),
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
    """Promises about nulls that no rule keeps: a column is free of nulls only if a rule rejects its nulls."""
    judged = {name for rule in contract.rules if isinstance(rule, TimestampMissing) for name in rule.timestamps}
    for column in contract.columns:
        if not column.filled.is_never and column.name not in judged:
            yield f"{column.name!r} must be filled, but no rule judges by that"
        if not column.nullable and not column.filled.is_always:
            yield f"{column.name!r} cannot be null, but no rule keeps nulls out in every month"
