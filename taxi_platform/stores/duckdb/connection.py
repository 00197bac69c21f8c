"""One DuckDB file that many processes share: opening it in turn.

Belongs here: connections and how long they live. Does not: tables and rows (``store``), what errors mean
(``errors``).

DuckDB lets one process write or several read, and refuses all others at once. Here they wait instead: writers for each
other by a lock file beside the database, and everybody for DuckDB's own lock, which a notebook may hold too. Only
DuckDB may open the file: if other code closed it, the kernel would drop DuckDB's lock.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreError
from taxi_platform.machine.locks import HeldError, exclusive, keep_trying
from taxi_platform.stores.duckdb.errors import refusal
from taxi_platform.stores.model import SCHEMA

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["DuckDBFile", "closed_whole"]

_HOLDER = re.compile(r"PID (\d+)")
_HELD_HERE = ("different configuration", "Unique file handle conflict")


@contextlib.contextmanager
def closed_whole(connection: DuckDBPyConnection, path: Path) -> Iterator[DuckDBPyConnection]:
    """A connection to a new file that is closed when the context ends, with all that was committed in the file itself.

    DuckDB moves it there from its log at the end, and tells nobody if the disk refuses: the file alone, under another
    name, would then be an empty database.

    Raises:
        StoreError: something is in the log after all.
        duckdb.Error: the disk refuses.
    """
    with contextlib.closing(connection):
        yield connection
        connection.execute("CHECKPOINT")
    if path.with_name(f"{path.name}.wal").exists():
        raise StoreError(f"{path} could not be written to its end: free space there, then run it again")


class DuckDBFile:
    """A DuckDB database file with the schema ``taxi``."""

    def __init__(self, path: Path, *, memory_limit: str, threads: int, wait_seconds: float) -> None:
        """Check the path only; raises `StoreError` for a name that DuckDB cannot use."""
        if path.stem == SCHEMA:
            raise StoreError(
                f"the DuckDB file {path} needs another name: DuckDB cannot tell a database called {SCHEMA} from the "
                f"schema {SCHEMA} within it"
            )
        self.path = path
        self._wait_seconds = wait_seconds
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            # The order of insertion has no meaning here, and keeping it would hold the whole month in memory.
            "preserve_insertion_order": False,
            "temp_directory": f"{path}.tmp",
            # An extension is code. None is downloaded just because a query names it.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }

    def __str__(self) -> str:
        return f"the DuckDB file {self.path}"

    @contextlib.contextmanager
    def writing(self) -> Iterator[DuckDBPyConnection]:
        """The only connection to the file, which is made if it does not exist."""
        with self.clear_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self.path.with_name(f"{self.path.name}.lock"), str(self), self._wait_seconds):
                if not self.path.exists():
                    self._create()
                with contextlib.closing(self._connect(self.path, read_only=False)) as connection:
                    yield connection

    def reader(self) -> DuckDBPyConnection | None:
        """A read-only connection, which the caller closes; None if there is no file yet."""
        with self.clear_errors():
            return self._connect(self.path, read_only=True) if self.path.exists() else None

    def _create(self) -> None:
        """Make the file under a temporary name and rename it, so that a kill leaves no file that cannot be read."""
        new = self.path.with_name(f"{self.path.name}.new")
        for leftover in (new, new.with_name(f"{new.name}.wal")):
            leftover.unlink(missing_ok=True)
        with closed_whole(self._connect(new, read_only=False), new) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        new.replace(self.path)

    def _connect(self, path: Path, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        def attempt() -> DuckDBPyConnection:
            try:
                connection = duckdb.connect(str(path), read_only=read_only, config=self._config)
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise
                holder = _HOLDER.search(str(error))
                raise HeldError(int(holder[1]) if holder else None) from error
            except duckdb.Error as error:
                # Another thread has the file open in the other mode, or is opening or closing it now.
                if not any(text in str(error) for text in _HELD_HERE):
                    raise
                raise HeldError(os.getpid()) from error
            # Otherwise DuckDB prints a progress bar in processes that were not started from a file, such as a daemon's
            # workers. In a notebook without ipywidgets it can print none, and refuses to be told so.
            with contextlib.suppress(duckdb.InvalidInputException):
                connection.execute("SET enable_progress_bar_print = false")
            return connection

        return keep_trying(attempt, str(self), self._wait_seconds)

    @contextlib.contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Turn what DuckDB or the disk refuses into one sentence."""
        import duckdb

        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise refusal(str(self), error) from error
