"""``taxi shell``: SQL on a store, statement after statement.

Belongs here: the conversation, on a terminal or from a pipe. Does not: lines and keys (``prompting``), results on the
screen (``showing``) and running SQL (``stores``).

Each statement has a connection of its own. So a shell that waits for its user holds nothing, and a run can load.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from taxi_platform.cli.showing import SHOWN_ROWS, show_rows
from taxi_platform.cli.statements import split_statements
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import describe
from taxi_platform.errors import StoreError, TaxiError
from taxi_platform.settings import Settings
from taxi_platform.stores.model import TableStore

__all__ = ["run_shell"]

_HELP = """\
SELECT …;     a query, which may go over lines and ends with a semicolon; nothing can be changed
\\d            the tables and views
\\d NAME       the columns of one, with what they mean
\\?            this list
\\q            the end, as Ctrl-D; Ctrl-C stops a query, or forgets what was typed"""
_ENDS = ("\\q", "quit", "exit")


def run_shell(settings: Settings, store: str | None) -> None:
    """Answer statements until there are no more.

    Args:
        settings: of the platform whose stores are asked.
        store: the layer's name; None is the first that is on.

    Raises:
        SettingsError: there is no such store.
        StoreError: a statement from a pipe is refused. On a terminal the next one is waited for.
    """
    at = settings.store_at(store)
    with at.opened() as opened:
        if sys.stdin.isatty() and sys.stdout.isatty():
            title = f"{at.layer.title[:1].upper()}{at.layer.title[1:]}"
            click.echo(f"{title}, read-only. A query ends with a semicolon; \\? tells what else there is.")
            _converse(opened, _typed(settings, at.layer.name))
        else:
            for statement in _piped():
                if statement.rstrip(";") in _ENDS:
                    return
                _answer(opened, statement)


def _typed(settings: Settings, name: str) -> Iterator[str]:
    from taxi_platform.cli.prompting import prompted

    return prompted(f"{name}> ", settings.data / ".shell-history")


def _piped() -> Iterator[str]:
    """The statements of the whole text; a command has a line of its own."""
    text = ""
    for line in sys.stdin:
        if not text.strip() and line.strip().startswith("\\"):
            yield line.strip()
            continue
        statements, text = split_statements(text + line)
        yield from statements
    if text:
        yield text


def _converse(store: TableStore, typed: Iterator[str]) -> None:
    """Answer what is typed; after an error the rest of the text is left out."""
    for text in typed:
        try:
            word = text.strip()
            if word.rstrip(";") in _ENDS:
                return
            statements, left = ([word], "") if word.startswith("\\") else split_statements(text)
            for statement in (*statements, *filter(None, [left])):
                _answer(store, statement)
        except TaxiError as error:  # noqa: PERF203 - a person types them
            click.echo(f"Error: {error}", err=True)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def _answer(store: TableStore, statement: str) -> None:
    command, _, name = statement.partition(" ")
    if command == "\\d" and name.strip():
        _show_columns(_table(store, name.strip().rstrip(";")))
    elif command.rstrip(";") == "\\d":
        _show_tables(store)
    elif command == "\\?":
        click.echo(_HELP)
    elif command.startswith("\\"):
        raise StoreError(f"there is no {command}: \\? lists what there is")
    else:
        with store.query(statement) as rows:
            if not show_rows(rows):
                click.echo(f"the first {SHOWN_ROWS} rows: taxi query gives all as a file", err=True)


def _table(store: TableStore, name: str) -> Table:
    """The table of that name in SQL, or in the platform's schema."""
    try:
        found = store.existing_table(name)
    except StoreError:
        if name not in store.tables():
            raise
        # Where settings name the platform's schema, its tables are declared by their names alone.
        found = store.existing_table(name.rpartition(".")[2])
    if found is None:
        raise StoreError(f"there is no table {name}: \\d lists those there are")
    return found


def _show_tables(store: TableStore) -> None:
    _print([(Text(name), Text(said)) for name, said in store.tables().items()])


def _show_columns(table: Table) -> None:
    _print([(Text(c.name), Text(c.type.name.lower(), style="dim"), Text(describe(c))) for c in table.columns])


def _print(lines: list[tuple[Text, ...]]) -> None:
    """Columns of text; the last has what the terminal leaves."""
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for line in lines[:1]:
        for _ in line[:-1]:
            grid.add_column(no_wrap=True)
        grid.add_column()
    for line in lines:
        grid.add_row(*line)
    console = Console(highlight=False)
    (console if console.is_terminal else Console(width=1_000, highlight=False)).print(grid)
