"""What a way that is compared says of itself, and what it is given.

Belongs here: the standard library alone, because every peer's environment imports it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AMOUNT", "MONTH", "TABLE", "Peer", "Work"]

MONTH = "2019-03"
"""The month that everybody brings: ``{url}/yellow/yellow_tripdata_2019-03.csv.gz``."""
TABLE = "yellow_trips"
AMOUNT = "total_amount"
"""The column whose sum tells whether every row is there."""


@dataclass(frozen=True)
class Peer:
    """A way that is compared.

    Args:
        title: its name in the table.
        does: what it brings where.
        leaves_out: what the platform does and it does not.
        settings: where its settings are from.
        requirements: of its environment, as pip takes them; none means the platform's own environment.
        own_versions: its libraries do not go with the platform's versions (``constraints.txt``).
        check: a query of one row, the number of all rows in PostgreSQL and the sum of their amounts.
    """

    title: str
    does: str
    leaves_out: str
    settings: str
    requirements: tuple[str, ...]
    own_versions: bool = False
    check: str = f"SELECT count(*), sum({AMOUNT}) FROM {TABLE}"


@dataclass(frozen=True)
class Work:
    """What a way is given: upstream's address, PostgreSQL's, and an empty folder."""

    url: str
    postgres: str
    folder: Path

    @classmethod
    def of_command(cls) -> Work:
        """The work that this command was called with."""
        url, postgres, folder = sys.argv[1:]
        return cls(url, postgres, Path(folder))

    @property
    def file(self) -> str:
        """The address of the month."""
        return f"{self.url}/yellow/yellow_tripdata_{MONTH}.csv.gz"
