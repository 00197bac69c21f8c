"""What a store of tables is: the warehouse and Postgres behind one protocol.

Belongs here: the protocol and its values. Does not: any database (one module each). Stores know nothing of Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import SCHEMA, Table
from taxi_platform.references import CleanMonth, MonthCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["SCHEMA", "HeldMonth", "LoadedMonth", "RawViews", "TableStore", "split_name"]


def split_name(qualified_name: str) -> tuple[str, str]:
    """``marts.revenue`` → schema and table; a name without a schema is one of the platform's own."""
    schema, dot, name = qualified_name.rpartition(".")
    return (schema, name) if dot else (SCHEMA, name)


@dataclass(frozen=True)
class HeldMonth:
    """What one store holds of a file month: equal versions mean equal rows, as long as the counts agree as well."""

    counts: MonthCounts
    """Counted in the store now."""
    data_version: str | None
    """By the store's own record, ``taxi.months``; None for rows that no load has recorded."""


@dataclass(frozen=True)
class LoadedMonth:
    """What loading a month did."""

    counts: MonthCounts
    changed: bool
    """False where the store already held exactly this data version."""
    table: str
    """Fully qualified name of the trips table."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Store-specific facts worth showing, such as BigQuery's bytes and slot milliseconds."""


class TableStore(Protocol):
    """A database of trips; every change of a month is atomic: readers see the month before or the one after."""

    @property
    def kind(self) -> str:
        """``duckdb``, ``bigquery`` or ``postgres``."""
        ...

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        """Make the store hold exactly the clean and quarantined rows of that month, creating what is missing.

        A month that already stands there in the same data version is left alone. On any error the month before stays.

        Raises:
            StoreError: the store cannot take it (address, permissions, disk full, contents against the contract).
            StoreBusyError: another process holds the store for too long.
        """
        ...

    def delete_month(self, contract: Contract, file_month: date) -> None:
        """Take a month's clean and quarantined rows out; nothing happens where there are none."""
        ...

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        """Rows per file month, counted by the store now: of those months, or of all that it has.

        A month that it has not is not in the answer; without such a table, or a store, none is.
        """
        ...

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        """As `count_months`, with the data version that each month was loaded from."""
        ...

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows of those file months of a table (``taxi.green_trips``), columns and months selected in the
        store; all rows for None.

        Raises:
            StoreError: no such table or column.
        """
        ...

    def existing_table(self, table: str) -> Table | None:
        """The declaration of a table (``marts.revenue``) by the store's catalogue; None where there is none."""
        ...

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        """Replace a table as a whole, or what it holds of one file month, atomically; returns the rows that came.

        As a whole the table also takes the declaration's columns, whatever it had before. With ``file_month`` it is
        created where it is missing and gains new columns; of a column that the rows lack, that month has nulls.

        Args:
            table: its declaration.
            rows: in the declaration's types. Nobody is kept waiting for them longer than need be, so they must not
                come from a slow place.
            file_month: the month that the rows are of, all of them.
        """
        ...

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace ``taxi.trips``, the view over all datasets with zone names joined."""
        ...


@runtime_checkable
class RawViews(Protocol):
    """A store that can show raw months as they lie in the lake."""

    def refresh_raw_view(self, dataset: str, lake: Lake) -> None:
        """Make ``taxi.raw_{dataset}`` the current version of every raw month that the lake has.

        Which versions are current is read while no other refresh can be under way, or again where one came between: the
        last one to end knows of all.
        """
        ...
