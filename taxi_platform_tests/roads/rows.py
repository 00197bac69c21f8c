"""The rows of the road matrix: which stores and source go together in a test.

Belongs here: the table, and that it covers every pair. Does not: opening any of it (``conftest``).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FACTORS", "ROWS", "SHORT", "WALKED", "Row", "markdown"]


class Row(NamedTuple):
    """One platform: where PostgreSQL, the warehouse and the lake are, and where months come from."""

    postgres: str
    warehouse: str
    lake: str
    source: str

    def __str__(self) -> str:
        return "-".join(self).replace(" ", "_")


FACTORS: dict[str, tuple[str, ...]] = {
    "postgres": ("embedded", "own", "own with password", "own percent-encoded", "off"),
    "warehouse": ("DuckDB", "BigQuery", "off"),
    "lake": ("disk", "GCS", "S3", "Azure"),
    "source": ("folder", "http"),
}

ROWS = tuple(
    Row(
        postgres,
        FACTORS["warehouse"][(i + j) % len(FACTORS["warehouse"])],
        lake,
        FACTORS["source"][(i + j) % len(FACTORS["source"])],
    )
    for i, postgres in enumerate(FACTORS["postgres"])
    for j, lake in enumerate(FACTORS["lake"])
)
"""Every pair of two values is in a row: twenty are the fewest, for five kinds of PostgreSQL times four of lakes."""

SHORT = (ROWS[1], ROWS[15])
"""Two rows for the short suite, with no value in common.

Their fellows are on in other tests of it: both stores of tables off, a server without a password, a lake on disk, and
one in S3."""

WALKED = (ROWS[12], ROWS[10])
"""Two rows with no default in them, on which every other documented command is walked."""


def markdown() -> str:
    """The table of the documentation; rows on which every other command is walked are in bold."""
    lines = ["| PostgreSQL | warehouse | lake | source |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(_bold(row) if row in WALKED else row)} |" for row in ROWS]
    return "\n".join(lines)


def _bold(row: Row) -> list[str]:
    return [f"**{value}**" for value in row]
