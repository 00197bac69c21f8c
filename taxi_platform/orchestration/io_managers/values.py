"""What assets return and take: references and months that are made when opened, never rows of trips.

Belongs here: the values. Does not: storing them (the IO managers beside this module).

An asset returns months with a function that makes one month. The function runs when the IO manager opens the month.
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
    RestoredMonth,
    SelectedRaw,
    StagedClean,
    StagedRaw,
    WithdrawnMonth,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.sources.model import Download
    from taxi_platform.stores.lake.lake import Lake

__all__ = [
    "CleanMonths",
    "MartMonths",
    "Months",
    "RawMonths",
    "ReferenceTable",
    "ReportMonths",
    "TableMonths",
    "ZoneShapesFile",
    "ZonesFile",
]

T = TypeVar("T")


class Months(Generic[T]):
    """Months in calendar order. Opening a month makes its value, and closing it removes the month's temporary files.

    So the staging disk stays small: a run over ten years has one month per worker on disk, not all of them.

    Args:
        months: the months, in calendar order.
        make: makes the value of one month; the IO manager calls it, through `open`.
    """

    def __init__(self, months: Sequence[TripMonth], make: Callable[[TripMonth], AbstractContextManager[T]]) -> None:
        self.months = tuple(months)
        self._make = make

    def open(self, month: TripMonth) -> AbstractContextManager[T]:
        """Make the month's value, which lasts as long as the context. IO managers call this, once for each month."""
        return self._make(month)

    def __iter__(self) -> Iterator[TripMonth]:
        return iter(self.months)

    def __len__(self) -> int:
        return len(self.months)


class RawMonths(Months[StagedRaw | SelectedRaw | RestoredMonth | AcceptedRaw | RawMonth | WithdrawnMonth]):
    """Raw months: staged ones to be stored, references to what the lake has, and withdrawn ones."""


class CleanMonths(Months[StagedClean | CleanMonth | WithdrawnMonth]):
    """Cleaned months: staged ones to be stored, references to what the lake has, and withdrawn ones."""


class TableMonths(Months[CleanMonth | WithdrawnMonth]):
    """Cleaned months of the lake to be loaded into a table, and withdrawn ones to be removed from it."""

    def __init__(self, contract: Contract, clean: CleanMonths, all_contracts: Sequence[Contract]) -> None:
        super().__init__(clean.months, clean.open)  # type: ignore[arg-type]  # what comes from the lake is stored
        self.contract = contract
        self.all_contracts = tuple(all_contracts)
        """Every dataset of the platform, for the view over all of them."""


@dataclass(frozen=True)
class MartMonths:
    """Months of a store's tables whose marts are to be made there."""

    contract: Contract
    months: tuple[TripMonth, ...]
    """In calendar order."""
    all_contracts: Sequence[Contract]
    """Every dataset of the platform, for the views over all of them."""


@dataclass(frozen=True)
class ReportMonths:
    """Months whose pages of the report are to be made from a store's marts."""

    contract: Contract
    months: tuple[TripMonth, ...]
    """In calendar order."""


@dataclass(frozen=True)
class ZonesFile:
    """The zone lookup as upstream publishes it; opening gives None if the lake already has that version."""

    open: Callable[[], AbstractContextManager[Download | None]]


@dataclass(frozen=True)
class ZoneShapesFile:
    """The zones' shapes as upstream publishes them; opens to None if there is nothing to store."""

    open: Callable[[], AbstractContextManager[Download | None]]


@dataclass(frozen=True)
class ReferenceTable:
    """A small table that stores replace as a whole, and the function that reads its rows from the lake."""

    table: Table
    sha256: str
    """The digest of the upstream file that the rows are from."""
    read: Callable[[Lake], pa.Table]
    has_shapes: bool = False
    """Whether the rows depend on the zones' shapes too."""
