"""The ``taxi`` command as a process, also ``python -m taxi_platform.cli`` if its script is not on the path.

Belongs here: what is the process's own affair. Does not: the commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

from taxi_platform.cli import main

__all__ = ["start"]


class _WithoutPandas(MetaPathFinder):
    """Makes ``import pandas`` fail as if it were not installed.

    Arrow's first array imports pandas if it is there, in order to know its objects. That is a third of a second of
    computing, and 70 MB for as long as the process lasts. No command makes or takes a DataFrame, and no asset of users
    runs in one: those run in Dagster's own processes.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        if name == "pandas":
            raise ModuleNotFoundError("the taxi command goes without pandas", name=name)


def start() -> None:
    """Run the command of this process, without pandas."""
    sys.meta_path.insert(0, _WithoutPandas())
    main()


if __name__ == "__main__":
    start()
