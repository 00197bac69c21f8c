"""What assets return and take: references and lazy months, never rows of trips.

Belongs here: the values. Does not: storing them (the IO managers beside this).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Table
from taxi_platform.months import TripMonth
from taxi_platform.references import (
    AcceptedRaw,
    CleanMonth,
    RawMonth,
    SelectedRaw,
    StagedClean,
    StagedRaw,
    WithdrawnMonth,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.sources.model import Download
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["CleanMonths", "Months", "RawMonths", "ReferenceTable", "TableMonths", "ZonesFile"]

T = TypeVar("T")


class Months(Generic[T]):
    """Months in calendar order; each one's value is made when it is opened and cleared away when it is closed.

    Laziness keeps the staging disk small: a run over ten years has one month per worker on disk, not all of them.
    """

    def __init__(self, months: Sequence[TripMonth], make: Callable[[TripMonth], AbstractContextManager[T]]) -> None:
        self.months = tuple(months)
        self._make = make

    def open(self, month: TripMonth) -> AbstractContextManager[T]:
        """The month's value, for as long as the context lasts."""
        return self._make(month)

    def __iter__(self) -> Iterator[TripMonth]:
        return iter(self.months)

    def __len__(self) -> int:
        return len(self.months)


class RawMonths(Months[StagedRaw | SelectedRaw | AcceptedRaw | RawMonth | WithdrawnMonth]):
    """Raw months: staged ones still to be put into the lake, references to what it has, and withdrawn ones."""


class CleanMonths(Months[StagedClean | CleanMonth | WithdrawnMonth]):
    """Cleaned months: staged ones still to be put into the lake, references to what it has, and withdrawn ones."""


class TableMonths(Months[CleanMonth | WithdrawnMonth]):
    """Cleaned months of the lake on their way into a table, and withdrawn ones on their way out of it."""

    def __init__(self, contract: Contract, clean: CleanMonths, all_contracts: Sequence[Contract]) -> None:
        super().__init__(clean.months, clean.open)  # type: ignore[arg-type]  # what comes from the lake is stored
        self.contract = contract
        self.all_contracts = tuple(all_contracts)
        """Every dataset of the platform: the view over all of them follows their tables."""


@dataclass(frozen=True)
class ZonesFile:
    """The zone lookup as upstream publishes it; opens to None where the lake already has that version."""

    open: Callable[[], AbstractContextManager[Download | None]]


@dataclass(frozen=True)
class ReferenceTable:
    """A small table that every store holds as a whole, and how to read its rows from the lake."""

    table: Table
    sha256: str
    """Of the upstream file that the rows are from."""
    read: Callable[[Lake], pa.Table]
