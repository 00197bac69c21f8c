"""How much of a month may be dirt. Beyond these bounds its format has changed, and it does not replace the one before.

Belongs here: the bounds, and their sentence in the data dictionary. Does not: counting (``cleaning.format_change``).

No real month meets them: they were tried on 124 files of all four datasets and every generation since 2009. They are
met by a month that another program saved again, with every date in another form, and by another month's file.
"""

from __future__ import annotations

__all__ = [
    "CELLS_PERCENT",
    "DESCRIPTION",
    "FEWEST_CELLS",
    "FEWEST_RECORDS",
    "OUTSIDE_PERCENT",
    "UNPARSEABLE_PERCENT",
]

FEWEST_CELLS = 20
"""A column that no file must have is judged from so many filled cells on,"""
CELLS_PERCENT = 1
"""where they are in at least so many of a hundred records."""
FEWEST_RECORDS = 100
"""Shares of a month are judged from so many rejected records on:"""
UNPARSEABLE_PERCENT = 5
"""more of a hundred records than this are `unparseable`,"""
OUTSIDE_PERCENT = 50
"""or more than this lie outside the month of the file."""

DESCRIPTION = (
    "a column that files of the month must have, or any with at least "
    f"{FEWEST_CELLS} filled cells in at least {CELLS_PERCENT} % of records, parses in no record; more than "
    f"{UNPARSEABLE_PERCENT} % and at least {FEWEST_RECORDS} records are `unparseable`; more than {OUTSIDE_PERCENT} % "
    f"and at least {FEWEST_RECORDS} lie outside the file's month; or no trip is left"
)
