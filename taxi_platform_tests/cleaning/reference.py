"""The rules once more, row by row in plain Python, for comparison: nothing of the package's own code is used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = Mapping[str, Any]

_PICKUP, _DROPOFF = "tpep_pickup_datetime", "tpep_dropoff_datetime"
_LOCATIONS = ("PULocationID", "DOLocationID")
_ORDER = (
    "unparseable",
    "timestamp_missing",
    "pickup_outside_file_month",
    "dropoff_before_pickup",
    "duration_over_24h",
    "unknown_location",
    "distance_impossible",
    "exact_duplicate",
    "void_pair",
    "negative_total",
)


def judge(rows: Sequence[Row], start: datetime, end: datetime) -> dict[int, list[str]]:
    """Row number → reasons, for yellow rows whose values fit their types, infinite ones aside."""
    found: dict[int, set[str]] = defaultdict(set)
    for number in _copies(rows):
        found[number].add("exact_duplicate")
    for number, row in enumerate(rows):
        if any(isinstance(value, float) and math.isinf(value) for value in row.values()):
            found[number].add("unparseable")
    rows = [{name: _number(value) for name, value in row.items()} for row in rows]
    for number, row in enumerate(rows):
        found[number] |= _own_reasons(row, start, end)
    paired = _paired(rows)
    for number in paired:
        found[number].add("void_pair")
    for number, row in enumerate(rows):
        if row["total_amount"] is not None and row["total_amount"] < 0 and number not in paired:
            found[number].add("negative_total")
    return {number: sorted(reasons, key=_ORDER.index) for number, reasons in sorted(found.items()) if reasons}


def _number(value: Any) -> Any:
    """What rules see: nothing in place of what is not a number or infinite."""
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _own_reasons(row: Row, start: datetime, end: datetime) -> set[str]:
    reasons = set()
    pickup, dropoff, distance = row[_PICKUP], row[_DROPOFF], row["trip_distance"]
    if pickup is None or dropoff is None:
        reasons.add("timestamp_missing")
    if pickup is not None and not start - timedelta(days=1) <= pickup < end + timedelta(days=1):
        reasons.add("pickup_outside_file_month")
    if pickup is not None and dropoff is not None:
        if dropoff < pickup:
            reasons.add("dropoff_before_pickup")
        if dropoff - pickup > timedelta(days=1):
            reasons.add("duration_over_24h")
    if any(row[name] is not None and not 1 <= row[name] <= 265 for name in _LOCATIONS):
        reasons.add("unknown_location")
    if distance is not None and (distance < 0 or distance > 1000):
        reasons.add("distance_impossible")
    return reasons


def _same(value: Any) -> Any:
    """Equal for values that count as equal: NaN with NaN, -0.0 with 0.0."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def _copies(rows: Sequence[Row]) -> set[int]:
    seen: set[tuple[Any, ...]] = set()
    copies = set()
    for number, row in enumerate(rows):
        values = tuple(_same(value) for value in row.values())
        if values in seen:
            copies.add(number)
        seen.add(values)
    return copies


def _paired(rows: Sequence[Row]) -> set[int]:
    charges: dict[Any, list[int]] = defaultdict(list)
    reversals: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        total = row["total_amount"]
        if total is None:
            continue
        cents = int(Decimal(repr(abs(total) * 100)).quantize(Decimal(1), ROUND_HALF_UP))
        locations = tuple(row[name] for name in _LOCATIONS)
        key = (row["VendorID"], row[_PICKUP], row[_DROPOFF], locations, _same(row["trip_distance"]), cents)
        if cents:
            (reversals if total < 0 else charges)[key].append(number)
    return {
        number
        for key, negatives in reversals.items()
        for pair in zip(negatives, charges[key], strict=False)
        for number in pair
    }
