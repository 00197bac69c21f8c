"""The ``taxi`` command as a process, also ``python -m taxi_platform.cli`` if its script is not on the path.

Belongs here: what is the process's own affair. Does not: the commands.
"""

from __future__ import annotations

from taxi_platform.cli import main
from taxi_platform.machine.pandas_free import go_without_pandas

__all__ = ["start"]


def start() -> None:
    """Run the command of this process; one that makes DataFrames lets pandas in again."""
    go_without_pandas()
    main()


if __name__ == "__main__":
    start()
