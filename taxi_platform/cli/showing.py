"""What a query finds, on a screen: as a table, or a row under another where a table would be too wide.

Belongs here: laying out the first rows. Does not: files (``querying``) and running SQL (``stores``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SHOWN_ROWS", "show_rows"]

SHOWN_ROWS = 100
"""A screen shows no more of a result."""
_WIDEST = 1_000
_GAP = 2


def show_rows(rows: pa.RecordBatchReader) -> bool:
    """Print the first rows to the terminal's width; returns whether these are all.

    Where not even the columns' names fit beside one another, each row is a list of names and values.
    """
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDEST, highlight=False)
    shown, is_all = _first(rows)
    names = rows.schema.names
    if sum(len(name) + _GAP for name in names) - _GAP > console.width:
        _print_lists(console, names, shown)
    else:
        _print_table(console, rows.schema, shown)
    return is_all


def _first(rows: pa.RecordBatchReader) -> tuple[list[list[Any]], bool]:
    """The first rows, a list of cells each, and whether there are no more."""
    shown: list[list[Any]] = []
    for batch in rows:
        left = SHOWN_ROWS - len(shown)
        columns = [_values(column) for column in batch.slice(0, left).columns]
        shown += map(list, zip(*columns, strict=True))
        if batch.num_rows > left:
            return shown, False
    return shown, True


def _values(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return values


def _print_table(console: Console, schema: pa.Schema, rows: list[list[Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for field in schema:
        table.add_column(Text(field.name), justify="right" if _is_number(field.type) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _print_lists(console: Console, names: list[str], rows: list[list[Any]]) -> None:
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"row {number}", style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            table.add_row(Text(name), Text(_cell(value)))
        console.print(table)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"  # 0.1 + 0.2 is 0.3 to people
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
