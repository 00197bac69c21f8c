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
    """A rule that rejects rows; a rejected row lists the rule's ``reason``."""

    reason: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The canonical columns that the rule reads."""
        raise NotImplementedError

    @property
    def description(self) -> str:
        """The exact condition under which the rule rejects a row, for the data dictionary."""
        raise NotImplementedError


@dataclass(frozen=True)
class TimestampMissing(Rule):
    """Rejects a row with a null in a timestamp that is always filled in that file month (``Column.filled``)."""

    timestamps: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The timestamps."""
        return self.timestamps

    @property
    def description(self) -> str:
        """The condition, naming the timestamps."""
        return f"null in {_either(self.timestamps)} in a file month in which it is always filled"


@dataclass(frozen=True)
class PickupOutsideFileMonth(Rule):
    """Rejects a pickup more than a day before the file's month begins, or a day or more after it has ended."""

    pickup: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The pickup."""
        return (self.pickup,)

    @property
    def description(self) -> str:
        """The condition, naming the pickup."""
        return (
            f"{self.pickup} earlier than a day before the first instant of the file's month, or a day or more after "
            "its end"
        )


@dataclass(frozen=True)
class DropoffBeforePickup(Rule):
    """Rejects a drop-off strictly before the pickup."""

    pickup: str
    dropoff: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Pickup and drop-off."""
        return (self.pickup, self.dropoff)

    @property
    def description(self) -> str:
        """The condition, naming both columns."""
        return f"{self.dropoff} earlier than {self.pickup} (not equal)"


@dataclass(frozen=True)
class DurationOver(Rule):
    """Rejects a trip strictly longer than ``limit``."""

    pickup: str
    dropoff: str
    limit: timedelta

    @property
    def columns(self) -> tuple[str, ...]:
        """Pickup and drop-off."""
        return (self.pickup, self.dropoff)

    @property
    def description(self) -> str:
        """The condition, with the limit in hours."""
        hours = self.limit / timedelta(hours=1)
        return f"{self.dropoff} more than {hours:g} hours after {self.pickup}"


@dataclass(frozen=True)
class OutsideRange(Rule):
    """Rejects a row in which any of ``values`` is not null and below ``low`` or above ``high``."""

    values: tuple[str, ...]
    low: float
    high: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose range is checked."""
        return self.values

    @property
    def description(self) -> str:
        """The condition, with both bounds."""
        return f"{_either(self.values)} not null and below {self.low:g} or above {self.high:g}"


@dataclass(frozen=True)
class ExactDuplicate(Rule):
    """Rejects the second and further copies, in file order, of a row that is equal in every upstream column.

    A row counts as a copy only if it says enough to identify a trip: every column of ``filled`` is filled, and so are
    all columns of at least one entry of ``details``.
    """

    filled: tuple[str, ...] = ()
    details: tuple[tuple[str, ...], ...] = ()
    """Empty: every row says enough."""
    unknown: tuple[int, ...] = ()
    """Whole numbers that count as not filled in ``details``, because they mean "unknown"."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide whether a row says enough."""
        return tuple(dict.fromkeys([*self.filled, *(name for names in self.details for name in names)]))

    @property
    def description(self) -> str:
        """The condition, and why rows that say less stay."""
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
    """Rejects a charge and its exact reversal: rows equal in ``key`` (null equals null) with opposite ``amount``.

    Amounts are rounded to cents and are not 0. The k-th negative row is paired with the k-th positive one.
    """

    key: tuple[str, ...]
    amount: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The key and the amount."""
        return (*self.key, self.amount)

    @property
    def description(self) -> str:
        """The condition, naming the key and the amount."""
        return (
            f"rows equal in {', '.join(self.key)} (nulls equal) whose {self.amount}, rounded to cents, is exactly "
            "opposite and not 0: the k-th negative with the k-th positive, both"
        )


@dataclass(frozen=True)
class NegativeTotal(Rule):
    """Rejects an amount below 0 that is in no void pair."""

    amount: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The amount."""
        return (self.amount,)

    @property
    def description(self) -> str:
        """The condition, naming the amount."""
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
    """The rules that every trip dataset shares, in the order in which rows list their reasons.

    Args:
        pickup: the column of the trip's start.
        dropoff: the column of the trip's end.
        locations: columns that hold a zone id from 1 to 265.
        distance: the column of the distance in miles, if the dataset has one.
        total: the column of the total in US dollars, if the dataset has one; void pairs also need ``vendor`` and
            ``distance``.
        vendor: the column of the vendor, if the dataset has one.
        telling: sets of columns. Equal rows are copies of one trip only if, besides the times, all columns of one of
            these sets are filled. Empty: every row says enough.
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
