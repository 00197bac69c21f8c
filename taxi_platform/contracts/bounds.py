"""How many bad records a month may have. Beyond these bounds its format has changed, and the stored month is kept.

Belongs here: the bounds, and their sentence in the data dictionary. Does not: counting (``cleaning.format_change``).

No real month goes beyond these bounds. They were tried on 124 files: all four datasets, every generation since 2009.
Two kinds of file do: a month that another program saved again with every date in another form, and a file of another
month.
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
"""An optional column is judged from so many filled cells on."""
CELLS_PERCENT = 1
"""An optional column is judged only where it is filled in at least so many of a hundred records."""
FEWEST_RECORDS = 100
"""The two shares below count only from so many rejected records on."""
UNPARSEABLE_PERCENT = 5
"""The format has changed if more than so many of a hundred records are `unparseable`."""
OUTSIDE_PERCENT = 50
"""The format has changed if more than so many of a hundred records lie outside the month of the file."""

DESCRIPTION = (
    "a column that files of the month must have, or any with at least "
    f"{FEWEST_CELLS} filled cells in at least {CELLS_PERCENT} % of records, parses in no record; more than "
    f"{UNPARSEABLE_PERCENT} % and at least {FEWEST_RECORDS} records are `unparseable`; more than {OUTSIDE_PERCENT} % "
    f"and at least {FEWEST_RECORDS} lie outside the file's month; or no trip is left"
)
