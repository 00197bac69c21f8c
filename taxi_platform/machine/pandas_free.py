"""Keeps pandas out of the processes of commands that make no DataFrame, and lets it into those that do.

Belongs here: making ``import pandas`` fail, and undoing that. Does not: which command needs it.

Arrow's first array imports pandas if it is there, in order to know its objects. That is a third of a second of
computing, and 70 MB for as long as the process lasts. No asset of users runs in a command: those run in Dagster's own
processes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

__all__ = ["go_without_pandas", "let_pandas_in"]


class _WithoutPandas(MetaPathFinder):
    """Makes ``import pandas`` fail as if it were not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        if name == "pandas":
            raise ModuleNotFoundError("the taxi command goes without pandas", name=name)


def go_without_pandas() -> None:
    """Make every later import of pandas in this process fail."""
    sys.meta_path.insert(0, _WithoutPandas())


def let_pandas_in() -> None:
    """Undo `go_without_pandas`; before the process has made its first Arrow array, because Arrow looks only then."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _WithoutPandas)]
