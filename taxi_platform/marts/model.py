"""The language marts are declared in: a mart's table, its grain and what it reads; a view over marts.

Belongs here: immutable declarations and what follows from one declaration alone. Does not: any mart (one module a
subject), and their SQL (``sql``).

A mart's month is computed from one file month of one dataset, so that it is replaced when its trips are. What is stored
adds up: counts, sums of whole numbers, rows of fixed bins. A mean or a percentile is computed in a view. Money is in
whole cents, rounded a row at a time, because sums of doubles depend on their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table

__all__ = ["DATASET", "Mart", "MartView"]

DATASET = Column("dataset", ColumnType.TEXT, "The dataset whose trips the row is about.")


@dataclass(frozen=True)
class Mart:
    """One mart. Each dataset that it suits has a table of it, and a view unites them."""

    name: str
    """The name of the view: ``mart_service_day``."""
    description: str
    columns: tuple[Column, ...]
    """What the SELECT gives, by name, and labels; ``file_month`` comes before them."""
    key: tuple[str, ...]
    """The columns that tell the rows of a dataset's file month apart: the grain. Their values may be null."""
    reads: tuple[str, ...] = ("trips",)
    """The relations that the SELECT is over: ``trips`` and ``quarantine`` of the month, ``zones``, and marts that are
    made before."""
    needs: tuple[str, ...] = ()
    """Columns of ``taxi.trips`` without which a dataset has no such mart."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Column → the column of ``taxi.trips`` and of the key whose codes it names. No SELECT gives it: a label is known
    from the contract for a row of the mart, and need not be compared a trip at a time."""
    datasets: tuple[str, ...] = ()
    """The only datasets that have it; empty for all."""
    adds_up: bool = True
    """Whether the sum of its column ``trips`` over a month's rows is the month's number of trips."""

    def suits(self, contract: Contract) -> bool:
        """Whether the dataset has this mart."""
        own = set(contract.trips.column_names)
        has_columns = all(contract.unified.get(name, name) in own for name in self.needs)
        return has_columns and (not self.datasets or contract.dataset in self.datasets)

    def table(self, contract: Contract) -> Table:
        """The dataset's own table, such as ``green_mart_service_day``."""
        return Table(f"{contract.dataset}_{self.name}", self.description, (FILE_MONTH, *self.columns))

    @property
    def view(self) -> Table:
        """The view over the tables of all datasets."""
        return Table(self.name, self.description, (DATASET, replace(FILE_MONTH, nullable=True), *self.columns))


@dataclass(frozen=True)
class MartView:
    """A view over marts, for what does not add up, or is too large to be stored."""

    name: str
    description: str
    columns: tuple[Column, ...]
    """What the SELECT gives, in its order."""
    reads: tuple[str, ...]
    """The relations that the SELECT is over: views of marts, ``trips``, ``zones``, ``dates`` and other views."""

    @property
    def view(self) -> Table:
        """The view as catalogues describe it."""
        return Table(self.name, self.description, self.columns)
