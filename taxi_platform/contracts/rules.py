"""The rules that send a row to quarantine, as declarations.

Belongs here: what each rule means and which columns it reads. Does not: how a rule is evaluated over
batches (``cleaning``) and which dataset has which rules (one contract module each).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from taxi_platform.contracts.values.limits import LONGEST_TEXT

__all__ = [
    "UNPARSEABLE",
    "UNPARSEABLE_DESCRIPTION",
    "ZERO_PASSENGERS",
    "DropoffBeforePickup",
    "DurationOver",
    "ExactDuplicate",
    "NegativeTotal",
    "OutsideRange",
    "PickupOutsideFileMonth",
    "Rule",
    "TimestampMissing",
    "VoidPair",
    "trip_rules",
]

UNPARSEABLE = "unparseable"
"""The reason every dataset has, whatever its rules."""
UNPARSEABLE_DESCRIPTION = (
    "a cell, or the whole record, does not fit its type, or the cell is one that not every store can hold: an infinite "
    f"number, a time outside years 1 to 9999, text that is not UTF-8, has NUL or more than {LONGEST_TEXT:,} bytes"
)
ZERO_PASSENGERS = "zero_passengers"
"""The reason of the one rule that is a run option (``cleaning.options``), never part of a contract."""


@dataclass(frozen=True)
class Rule:
    """A rule that rejects rows; ``reason`` is what a rejected row lists."""

    reason: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Canonical columns the rule reads."""
        raise NotImplementedError

    @property
    def description(self) -> str:
        """Exactly when the rule hits, for the data dictionary."""
        raise NotImplementedError


@dataclass(frozen=True)
class TimestampMissing(Rule):
    """Null in a timestamp that the contract says is filled in that file month (``Column.filled``)."""

    timestamps: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.timestamps

    @property
    def description(self) -> str:
        return f"null in {_either(self.timestamps)} in a file month in which it is always filled"


@dataclass(frozen=True)
class PickupOutsideFileMonth(Rule):
    """Before the month's first instant less a day, or at or after the next month's plus a day."""

    pickup: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.pickup,)

    @property
    def description(self) -> str:
        return (
            f"{self.pickup} earlier than a day before the first instant of the file's month, or a day or more after "
            "its end"
        )


@dataclass(frozen=True)
class DropoffBeforePickup(Rule):
    """Strictly before."""

    pickup: str
    dropoff: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.pickup, self.dropoff)

    @property
    def description(self) -> str:
        return f"{self.dropoff} earlier than {self.pickup} (not equal)"


@dataclass(frozen=True)
class DurationOver(Rule):
    """Strictly longer than ``limit``."""

    pickup: str
    dropoff: str
    limit: timedelta

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.pickup, self.dropoff)

    @property
    def description(self) -> str:
        hours = self.limit / timedelta(hours=1)
        return f"{self.dropoff} more than {hours:g} hours after {self.pickup}"


@dataclass(frozen=True)
class OutsideRange(Rule):
    """Not null and below ``low`` or above ``high`` in any of ``values``."""

    values: tuple[str, ...]
    low: float
    high: float

    @property
    def columns(self) -> tuple[str, ...]:
        return self.values

    @property
    def description(self) -> str:
        return f"{_either(self.values)} not null and below {self.low:g} or above {self.high:g}"


@dataclass(frozen=True)
class ExactDuplicate(Rule):
    """The second and further copies, in file order, of a row that is equal in every upstream column, where the row says
    enough to tell two trips apart: every column of ``filled``, and all columns of any one of ``details``."""

    filled: tuple[str, ...] = ()
    details: tuple[tuple[str, ...], ...] = ()
    """None: every row says enough."""
    unknown: tuple[int, ...] = ()
    """Values of whole numbers in ``details`` that stand for nothing known."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.filled, *(name for names in self.details for name in names)]))

    @property
    def description(self) -> str:
        copies = "second and further copies of a row that is equal in every upstream column"
        if not self.details:
            return copies
        either = " or ".join(f"both {' and '.join(names)}" for names in self.details)
        return (
            f"{copies}, where {' and '.join(self.filled)} are filled and so are {either} (not "
            f"{_either(tuple(map(str, self.unknown)))}); rows that say less are equal although they are several trips "
            "(to 2017, for-hire files have little more than a base and a rounded time): they stay and are counted"
        )


@dataclass(frozen=True)
class VoidPair(Rule):
    """A charge and its exact reversal: rows equal in ``key`` (nulls equal) whose ``amount``, rounded to cents, is
    opposite and not 0; the k-th negative goes with the k-th positive, and both are rejected."""

    key: tuple[str, ...]
    amount: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, self.amount)

    @property
    def description(self) -> str:
        return (
            f"rows equal in {', '.join(self.key)} (nulls equal) whose {self.amount}, rounded to cents, is exactly "
            "opposite and not 0: the k-th negative with the k-th positive, both"
        )


@dataclass(frozen=True)
class NegativeTotal(Rule):
    """Below 0 and in no void pair."""

    amount: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.amount,)

    @property
    def description(self) -> str:
        return f"{self.amount} below 0 and in no void pair"


def trip_rules(
    *,
    pickup: str = "pickup_datetime",
    dropoff: str = "dropoff_datetime",
    locations: tuple[str, ...] = ("pickup_location_id", "dropoff_location_id"),
    distance: str | None = None,
    total: str | None = None,
    vendor: str | None = None,
    telling: tuple[tuple[str, ...], ...] = (),
) -> tuple[Rule, ...]:
    """The rules every trip dataset shares; the last two need a distance, a total and a vendor to judge by.

    ``telling``: sets of columns of which one must be filled, besides the times, for equal rows to be copies of one
    trip; none where every row says enough.
    """
    rules: list[Rule] = [
        TimestampMissing("timestamp_missing", (pickup, dropoff)),
        PickupOutsideFileMonth("pickup_outside_file_month", pickup),
        DropoffBeforePickup("dropoff_before_pickup", pickup, dropoff),
        DurationOver("duration_over_24h", pickup, dropoff, timedelta(hours=24)),
        OutsideRange("unknown_location", locations, 1, 265),
    ]
    if distance:
        rules.append(OutsideRange("distance_impossible", (distance,), 0, 1000))
    copies = ExactDuplicate("exact_duplicate")
    rules.append(replace(copies, filled=(pickup, dropoff), details=telling, unknown=(264, 265)) if telling else copies)
    if total and vendor and distance:
        key = (vendor, pickup, dropoff, *locations, distance)
        rules.append(VoidPair("void_pair", key, total))
    if total:
        rules.append(NegativeTotal("negative_total", total))
    return tuple(rules)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
