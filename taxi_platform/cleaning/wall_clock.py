"""Converts times with a zone to New York's wall clock, which the contract promises. Other times are that already.

Belongs here: which times of a file have a zone, whether the label UTC is true, and the conversion. Does not: which
texts are times (``casting``).

A zone other than UTC says which instant is meant, and that instant has one time on New York's clocks. UTC needs a
decision: Spark, Iceberg and BigQuery know no time without a zone, so that copies they saved say UTC although the digits
are New York's. So both readings are tried, in one pass over these columns before anything else. The reading that puts
more pickups inside the file's month wins. If only another time has the label, the reading with more drop-offs after
their pickup wins. A tie, or a difference below one in a thousand of the labelled times, keeps the digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.casting import read_cells
from taxi_platform.cleaning.storable import sound_text
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import Match
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.rules import DropoffBeforePickup
from taxi_platform.contracts.values.arrow_text import is_text
from taxi_platform.contracts.values.arrow_times import UTC_TEXTS, has_zone, without_zone
from taxi_platform.months import TripMonth

__all__ = ["WallClock", "wall_clock"]

_NEW_YORK = "America/New_York"
_UTC_NAMES = frozenset(
    {*UTC_TEXTS, *(f"{area}{name}" for area in ("", "ETC/") for name in ("UTC", "UCT", "GMT", "ZULU", "UNIVERSAL"))}
    | {"ETC/GREENWICH", "GREENWICH", "GMT0", "GMT+0", "GMT-0", "ETC/GMT0", "ETC/GMT+0", "ETC/GMT-0"}
)
_TELLING_SHARE = 1_000
"""Readings differ only if they do so for one in so many labelled times, or more."""
_A_TIME = Column("time", ColumnType.TIMESTAMP, "Whatever a text stands for.")


@dataclass(frozen=True)
class WallClock:
    """How the times of one file are read."""

    zones: Mapping[str, str] = field(default_factory=dict)
    """Upstream's column → its zones and how they were read, for people; a column without a zone is left out."""
    utc_is_meant: bool = False

    def local(self, source: pa.Array) -> pa.Array:
        """The column of times or text without its zones; a value that has no zone, or is no time, stays as it is."""
        if pa.types.is_timestamp(source.type):
            return source if source.type.tz is None else self._local_times(source)
        text = _text(source)
        if text is None or not has_zone(text):
            return source
        digits, zones = without_zone(text)
        is_kept = pc.and_(_is_utc(zones), not self.utc_is_meant)
        moved = pc.if_else(is_kept, pa.scalar(None, pa.timestamp("us")), _moved(digits, zones))
        return pc.coalesce(moved.cast(pa.string()), pc.if_else(is_kept, digits, pa.scalar(None, pa.string())), text)

    def _local_times(self, source: pa.Array) -> pa.Array:
        if source.type.tz.upper() in _UTC_NAMES and not self.utc_is_meant:
            return _digits(source)
        return _on_new_yorks_clocks(source)


def wall_clock(
    contract: Contract,
    month: TripMonth,
    schema: pa.Schema,
    match: Match,
    batches: Callable[[Sequence[str]], Iterable[pa.RecordBatch]],
) -> WallClock:
    """Decide how to read the times of a file. If some are text or labelled UTC, this takes a pass over them.

    Args:
        contract: which columns are times, and which of them begin and end a trip.
        month: the month that the file is named after.
        schema: the file's schema.
        match: how the file's columns fit the contract.
        batches: reads upstream's columns of those names.
    """
    times = [name for c in contract.columns if c.type is ColumnType.TIMESTAMP for name in match.found.get(c.name, ())]
    look = _Look({name: schema.field(name).type for name in times}, month, *_ends_of_a_trip(contract, match))
    if look.is_needed:
        for batch in batches(times):
            look.at(batch)
    return look.verdict()


def _ends_of_a_trip(contract: Contract, match: Match) -> Iterator[tuple[str, ...]]:
    """Upstream's names of pickups, then of drop-offs."""
    rule = next((rule for rule in contract.rules if isinstance(rule, DropoffBeforePickup)), None)
    for name in (rule.pickup, rule.dropoff) if rule else ("", ""):
        yield match.found.get(name, ())


class _Look:
    """What a pass over the times of a file finds."""

    def __init__(
        self, types: Mapping[str, pa.DataType], month: TripMonth, pickups: Sequence[str], dropoffs: Sequence[str]
    ) -> None:
        self._month = month
        self._pickups, self._dropoffs = pickups, dropoffs
        self._tagged = {name: kind.tz for name, kind in types.items() if pa.types.is_timestamp(kind) and kind.tz}
        self._texts = [name for name, kind in types.items() if is_text(kind)]
        self._zones: dict[str, set[str]] = {name: set() for name in self._texts}
        self._by_pickups, self._by_dropoffs = _Evidence(), _Evidence()

    @property
    def is_needed(self) -> bool:
        return bool(self._texts) or any(zone.upper() in _UTC_NAMES for zone in self._tagged.values())

    def at(self, batch: pa.RecordBatch) -> None:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in self._texts:
            if (text := _text(columns[name])) is not None and has_zone(text):
                _, zones = without_zone(text)
                self._zones[name].update(pc.unique(zones.drop_null()).to_pylist())
        for name in self._pickups:
            if (readings := _readings(columns[name])) is not None:
                self._by_pickups.add(readings, self._is_inside)
        for name in self._dropoffs if self._pickups else ():
            if (readings := _readings(columns[name])) is not None:
                pickups = pc.coalesce(*(_naive(WallClock().local(columns[pickup])) for pickup in self._pickups))
                self._by_dropoffs.add(readings, partial(pc.less, pickups))

    def verdict(self) -> WallClock:
        evidence, what = self._by_pickups, "pickups inside the month"
        if not evidence.labelled:
            evidence, what = self._by_dropoffs, "drop-offs after their pickup"
        counts = f"{what}: {evidence.kept:,} by its digits, {evidence.moved:,} converted"
        utc = f"UTC, {'converted' if evidence.is_for_moving else 'its digits kept'} ({counts})"
        found = {name: [zone] for name, zone in self._tagged.items()}
        found |= {name: sorted(zones) for name, zones in self._zones.items() if zones}
        described = {
            name: "; ".join(dict.fromkeys(utc if z.upper() in _UTC_NAMES else f"{z}, converted" for z in zones))
            for name, zones in found.items()
        }
        return WallClock(described, evidence.is_for_moving)

    def _is_inside(self, pickups: pa.Array) -> pa.BooleanArray:
        start, end = self._month.bounds
        return pc.and_(pc.greater_equal(pickups, start), pc.less(pickups, end))


@dataclass
class _Readings:
    """Times that say UTC, in both readings; null where a row has none."""

    kept: pa.Array
    moved: pa.Array


@dataclass
class _Evidence:
    """How many labelled times make sense in each reading."""

    labelled: int = 0
    kept: int = 0
    moved: int = 0

    def add(self, readings: _Readings, makes_sense: Callable[[pa.Array], pa.BooleanArray]) -> None:
        self.labelled += len(readings.kept) - readings.kept.null_count
        self.kept += pc.sum(makes_sense(readings.kept)).as_py() or 0
        self.moved += pc.sum(makes_sense(readings.moved)).as_py() or 0

    @property
    def is_for_moving(self) -> bool:
        return self.moved > self.kept and (self.moved - self.kept) * _TELLING_SHARE >= self.labelled


def _readings(source: pa.Array) -> _Readings | None:
    """Both readings of a column's times that say UTC; None where none does."""
    if pa.types.is_timestamp(source.type):
        is_utc = source.type.tz is not None and source.type.tz.upper() in _UTC_NAMES
        return _Readings(_digits(source), _on_new_yorks_clocks(source)) if is_utc else None
    text = _text(source)
    if text is None or not has_zone(text):
        return None
    digits, zones = without_zone(text)
    kept = _naive(pc.if_else(_is_utc(zones), digits, pa.scalar(None, pa.string())))
    return _Readings(kept, _on_new_yorks_clocks(kept))


def _moved(digits: pa.StringArray, zones: pa.StringArray) -> pa.Array:
    """Digits at an offset → New York's wall clock; null where they are no time."""
    encoded = zones.dictionary_encode()
    offsets = pa.array([_seconds(zone) for zone in encoded.dictionary.to_pylist()], pa.int64()).take(encoded.indices)
    instants = pc.subtract(_naive(digits), offsets.cast(pa.duration("s")))
    return _on_new_yorks_clocks(instants)


def _seconds(zone: str) -> int:
    """``-05:30`` → -19800."""
    if zone[0] not in "+-":
        return 0
    figures = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(figures[:2]) * 3600 + int(figures[2:]) * 60)


def _is_utc(zones: pa.StringArray) -> pa.BooleanArray:
    return pc.is_in(zones, pa.array(UTC_TEXTS))


def _naive(source: pa.Array) -> pa.Array:
    """Times, or texts without zones, in the contract's type; null where a text is no time."""
    return read_cells(_A_TIME, [source]).values


def _digits(instants: pa.Array) -> pa.Array:
    return instants.cast(pa.timestamp(instants.type.unit))


def _on_new_yorks_clocks(instants: pa.Array) -> pa.Array:
    """Instants, in whatever zone or as UTC's digits; where clocks are set back, an hour's digits come twice."""
    return pc.local_timestamp(instants.cast(pa.timestamp(instants.type.unit, _NEW_YORK)))


def _text(source: pa.Array) -> pa.StringArray | None:
    """A column of text as plain strings, something that is no time for what is none; None for any other column."""
    if not is_text(source.type):
        return None
    text, unsound = sound_text(source)
    if unsound is not None:
        return pc.if_else(unsound, "\ufffd", text)
    return text.dictionary_decode() if pa.types.is_dictionary(text.type) else text
