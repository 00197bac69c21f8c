"""What a dataset's sensor keeps in its cursor between two looks at upstream.

Belongs here: the cursor's form, and what one look adds to it. Does not: deciding anything that the stores can answer:
a cursor that is reset only makes a month that has vanished be looked at anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from pydantic import BaseModel, Field

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.comparison import Comparison, version_label
from taxi_platform.months import TripMonth
from taxi_platform.sources.looking import Look

__all__ = ["Memory"]

T = TypeVar("T")


class _Cursor(BaseModel):
    published: dict[date, str] = Field(default_factory=dict)
    denied: dict[date, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """What upstream had when it last answered, for people; and how many looks in a row denied a month of the lake."""

    published: Mapping[TripMonth, str] = field(default_factory=dict)
    """Month → version."""
    denied: Mapping[TripMonth, int] = field(default_factory=dict)
    """Month → looks in a row that denied it; a look without an answer changes nothing."""

    @classmethod
    def from_cursor(cls, contract: Contract, cursor: str | None) -> Memory:
        """The memory in a cursor; empty if there is no cursor.

        Raises:
            ValueError: a cursor of another form, as another release or somebody's hand leaves it.
        """
        known = _Cursor.model_validate_json(cursor or "{}")
        return cls(
            {contract.month(day): version for day, version in known.published.items()},
            {contract.month(day): looks for day, looks in known.denied.items()},
        )

    def to_cursor(self) -> str:
        """The memory as the text of a sensor's cursor."""
        return json.dumps(
            {
                "published": {month.partition_key: version for month, version in sorted(self.published.items())},
                "denied": {month.partition_key: looks for month, looks in sorted(self.denied.items())},
            }
        )

    def after(self, look: Look, found: Comparison) -> Memory:
        """The memory after one more look. A look that denies too many months sets all counts back to 0."""
        published = {month: version_label(version) for month, version in look.published.items()}
        denied = {month: self.denied.get(month, 0) + 1 for month in found.vanished}
        return Memory(
            {**_kept(self.published, look), **published},
            {} if found.is_outage else {**_kept(self.denied, look), **denied},
        )


def _kept(known: Mapping[TripMonth, T], look: Look) -> dict[TripMonth, T]:
    """What was known of the months that this look has no answer for."""
    return {month: known[month] for month in look.unknown if month in known}
