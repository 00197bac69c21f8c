"""``taxi.trips``: every dataset as one view in one shape, with labels of codes, names of zones and derived columns.

Belongs here: the columns of the view, and the SQL that DuckDB, PostgreSQL and BigQuery share. Does not: running it, and
what the three spell differently (``dialects``).

The columns of a release stand before those of the next, so that PostgreSQL can replace the view in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import Dialect
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.zones import AIRPORTS, CONGESTION_ZONE, ZONES

__all__ = [
    "PLAUSIBLE",
    "UNIFIED",
    "UNIFIED_COLUMNS",
    "airports_sql",
    "label_sql",
    "origins",
    "unified_month_sql",
    "unified_view_sql",
]

_ENDS = {"pickup": "began", "dropoff": "ended"}
_ZONE_NAMES = {"borough": "Borough", "zone": "Name of the taxi zone"}
_SERVICE_ZONE = "service_zone"
_AIRPORT_RATES = (2, 3)
"""Rate codes of trips to or from an airport: JFK and Newark."""

PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "duration_seconds": (60, 21_600),
    "trip_distance": (0.01, 100),
    "fare_amount": (0.01, 500),
    "speed_mph": (1, 80),
}
"""Column → its least and its greatest plausible value, both included: one minute to six hours, up to 100 miles."""
_PLAUSIBLE_RULE = (
    "Whether no value of the trip is absurd, which is what most analyses filter by: "
    + ", ".join(f"{name} from {least:,} to {most:,}" for name, (least, most) in PLAUSIBLE.items())
    + ", each included; what is null is not judged."
)

_DERIVED_FROM_POINTS = "derived_"
"""What the name of a column begins with that has the same from coordinates, where upstream gives nothing."""

_SHARED = (
    FILE_MONTH,
    Column("vendor", ColumnType.TEXT, "Who made the record: a taxi's vendor id, a company's or base's licence number."),
    common.PICKUP_DATETIME,
    common.DROPOFF_DATETIME,
    common.PICKUP_LOCATION_ID,
    common.DROPOFF_LOCATION_ID,
    common.PASSENGER_COUNT,
    replace(common.TRIP_DISTANCE, description="Distance of the trip, by the taximeter or as the company reports it."),
    replace(common.FARE_AMOUNT, description="Fare without tips, tolls, taxes and fees."),
    replace(common.TIP_AMOUNT, description="Tips; of taxis those paid by card only."),
    common.TOLLS_AMOUNT,
    common.TOTAL_AMOUNT,
    common.PAYMENT_TYPE,
    common.CONGESTION_SURCHARGE,
    common.AIRPORT_FEE,
    common.CBD_CONGESTION_FEE,
)
_SHARED_CODES = (common.RATE_CODE_ID, common.TRIP_TYPE)
_LABELS = {
    "vendor_name": ("vendor", "Name of the vendor or company; null for a base and for an unknown code."),
    "payment_type_name": ("payment_type", "Label of payment_type; null for an unknown code."),
    "rate_code_name": ("rate_code_id", "Label of rate_code_id; null for an unknown code."),
    "trip_type_name": ("trip_type", "Label of trip_type; null for an unknown code."),
}
"""Column → the column whose codes it names, and its description."""
_AIRPORTS_LISTED = ", ".join(f"{code} ({location})" for location, code in AIRPORTS.items())

_DERIVED = (
    *(Column(name, ColumnType.TEXT, description) for name, (_, description) in _LABELS.items()),
    *(
        Column(f"{end}_{_SERVICE_ZONE}", ColumnType.TEXT, f"Service zone of the zone in which the trip {happened}.")
        for end, happened in _ENDS.items()
    ),
    *(
        Column(f"{end}_airport", ColumnType.TEXT, f"Airport in whose zone the trip {happened}: {_AIRPORTS_LISTED}.")
        for end, happened in _ENDS.items()
    ),
    Column(
        "duration_seconds",
        ColumnType.BIGINT,
        "From pickup to drop-off; null without a drop-off.",
        unit="seconds",
    ),
    Column(
        "speed_mph",
        ColumnType.DOUBLE,
        "Mean speed, trip_distance by duration_seconds; null without either, or where the duration is not positive.",
        unit="miles per hour",
    ),
    Column(
        "is_airport_trip",
        ColumnType.BOOLEAN,
        "Whether an end is in an airport's zone, or the rate is that of JFK or Newark.",
        nullable=False,
    ),
    Column("is_plausible", ColumnType.BOOLEAN, _PLAUSIBLE_RULE, nullable=False),
    *(
        Column(
            f"{end}_location_is_derived",
            ColumnType.BOOLEAN,
            f"Whether {end}_location_id is derived from longitude and latitude, because upstream gives no zone.",
            nullable=False,
        )
        for end in _ENDS
    ),
    *(
        Column(
            f"{end}_in_cbd",
            ColumnType.BOOLEAN,
            f"Whether the trip {happened} in the congestion relief zone: a zone of Manhattan south of 60th Street.",
            nullable=False,
        )
        for end, happened in _ENDS.items()
    ),
)

UNIFIED = Table(
    "trips",
    "Every dataset's clean trips in one shape, with labels, names of zones, duration and speed; "
    "null where a dataset has no such column.",
    (
        Column("dataset", ColumnType.TEXT, "The dataset whose table the row stands in."),
        *(replace(column, nullable=True) for column in _SHARED),
        *(
            Column(f"{end}_{name}", ColumnType.TEXT, f"{what} in which the trip {happened}.")
            for end, happened in _ENDS.items()
            for name, what in _ZONE_NAMES.items()
        ),
        *(replace(column, nullable=True) for column in (*_SHARED_CODES, *_DERIVED)),
    ),
)
"""The view as the stores' catalogues describe it."""

UNIFIED_COLUMNS: tuple[tuple[str, ColumnType], ...] = tuple(
    (column.name, column.type) for column in (*_SHARED, *_SHARED_CODES)
)
"""Columns that come from the datasets' own tables: the view without ``dataset`` and what is derived."""


def unified_view_sql(
    contracts: Sequence[Contract], existing: Collection[str], table: Callable[[str], str], dialect: Dialect
) -> str:
    """The view's SELECT over the datasets whose trips table is in ``existing``; empty text if there are none.

    A condition on ``file_month`` reaches each dataset's table as it is, so that stores read those months alone. The
    zones table must exist.

    Args:
        contracts: the datasets, in the order of the union.
        existing: names of the tables that the store has.
        table: a table's qualified name in the store's dialect.
        dialect: the store's SQL.
    """
    parts = [_dataset_sql(c, table, dialect) for c in contracts if c.trips.name in existing]
    return "\nUNION ALL\n".join(parts)


def unified_month_sql(contract: Contract, file_month: date, table: Callable[[str], str], dialect: Dialect) -> str:
    """A SELECT of one dataset's trips of one file month: the view's columns that the dataset's own table has.

    Beside them stand ``duration_seconds``, as an integer, because no clean trip is longer than a day, and whether the
    trip's ends are in the congestion relief zone. The month is a constant, so that every store reads its partition
    alone.

    Args:
        contract: the dataset.
        file_month: the month.
        table: a table's qualified name in the store's dialect.
        dialect: the store's SQL.
    """
    own = _own(contract, dialect)
    seconds = dialect.seconds(own["pickup_datetime"], own["dropoff_datetime"])
    whole = f"CAST({seconds} AS {dialect.type_name(ColumnType.INTEGER)})"
    columns = {**own, "duration_seconds": whole, **_in_cbd(own, dialect)}
    selected = ",\n  ".join(f"{value} AS {name}" for name, value in columns.items())
    month = f"t.{FILE_MONTH.name} = DATE '{file_month}'"
    return f"SELECT {selected}\nFROM {table(contract.trips.name)} AS t\nWHERE {month}"


def airports_sql(own: Mapping[str, str], dialect: Dialect) -> dict[str, str]:
    """Columns of the view about airports → their SQL.

    Args:
        own: SQL of the zone of the pickup, of the drop-off and of ``rate_code_id``, by the names of these columns.
        dialect: the store's SQL.
    """
    zones = {end: own[f"{end}_location_id"] for end in _ENDS}
    special = [*(_is_in(zone, AIRPORTS) for zone in zones.values()), _is_in(own["rate_code_id"], _AIRPORT_RATES)]
    codes = {f"{end}_airport": _case(zone, AIRPORTS, dialect) for end, zone in zones.items()}
    return {**codes, "is_airport_trip": f"({' OR '.join(special)})"}


def label_sql(contract: Contract, name: str, dialect: Dialect) -> str:
    """The label of a value of that column of the view, by the dataset's own codes; the column stands there by its name.

    Args:
        contract: the dataset.
        name: a column of the view.
        dialect: the store's SQL.
    """
    origin = _origin(contract, name)
    if origin is None or not origin.codes:
        return _null(ColumnType.TEXT, dialect)
    as_text = dict(UNIFIED_COLUMNS)[name] is ColumnType.TEXT
    return _case(name, {str(code) if as_text else code: label for code, label in origin.codes.items()}, dialect)


def _dataset_sql(contract: Contract, table: Callable[[str], str], dialect: Dialect) -> str:
    columns = _columns(contract, dialect)
    joins = []
    for end in _ENDS:
        names = (*_ZONE_NAMES, _SERVICE_ZONE)
        if _origin(contract, f"{end}_location_id") is None:
            columns |= {f"{end}_{name}": _null(ColumnType.TEXT, dialect) for name in names}
        else:
            location = columns[f"{end}_location_id"]
            columns |= {f"{end}_{name}": f"{end}_zones.{name}" for name in names}
            joins.append(f"\nLEFT JOIN {table(ZONES.name)} AS {end}_zones ON {end}_zones.location_id = {location}")
    selected = ",\n  ".join(f"{columns[name]} AS {name}" for name in UNIFIED.column_names)
    return f"SELECT {selected}\nFROM {table(contract.trips.name)} AS t{''.join(joins)}"


def _columns(contract: Contract, dialect: Dialect) -> dict[str, str]:
    """Column of the view → its SQL for one dataset, of all that the dataset's own table tells."""
    own = _own(contract, dialect)
    return {"dataset": f"'{contract.dataset}'", **own, **_derived(contract, own, dialect)}


def _own(contract: Contract, dialect: Dialect) -> dict[str, str]:
    """Column of the view → its SQL, of those in the dataset's own table; null where it has none."""
    return {name: _value(contract, name, kind, dialect) for name, kind in UNIFIED_COLUMNS}


def _origin(contract: Contract, name: str) -> Column | None:
    """The dataset's own column for a column of the view, as upstream gives it."""
    return next(iter(origins(contract, name)), None)


def origins(contract: Contract, name: str) -> tuple[Column, ...]:
    """The dataset's own columns for a column of the view; the first that is not null counts."""
    own = contract.unified.get(name, name)
    return tuple(column for column in contract.trips.columns if column.name in (own, f"{_DERIVED_FROM_POINTS}{own}"))


def _value(contract: Contract, name: str, kind: ColumnType, dialect: Dialect) -> str:
    """A column of the view from the dataset's own columns, cast only where the types differ."""
    columns = origins(contract, name)
    if not columns:
        return _null(kind, dialect)
    values = [f"t.{c.name}" if c.type is kind else f"CAST(t.{c.name} AS {dialect.type_name(kind)})" for c in columns]
    return values[0] if len(values) == 1 else f"COALESCE({', '.join(values)})"


def _is_derived(contract: Contract, name: str) -> str:
    columns = origins(contract, name)
    return f"(t.{columns[0].name} IS NULL AND t.{columns[1].name} IS NOT NULL)" if len(columns) > 1 else "FALSE"


def _null(kind: ColumnType, dialect: Dialect) -> str:
    return f"CAST(NULL AS {dialect.type_name(kind)})"


def _derived(contract: Contract, own: Mapping[str, str], dialect: Dialect) -> dict[str, str]:
    """What is computed from the values of one row."""
    duration = dialect.seconds(own["pickup_datetime"], own["dropoff_datetime"])
    seconds = f"CAST({duration} AS {dialect.type_name(ColumnType.BIGINT)})"
    speed = f"CASE WHEN {seconds} > 0 THEN {own['trip_distance']} * 3600.0 / {seconds} END"
    judged = {**own, "duration_seconds": seconds, "speed_mph": speed}
    bounds = [f"COALESCE({judged[name]} BETWEEN {low} AND {high}, TRUE)" for name, (low, high) in PLAUSIBLE.items()]
    return {
        **{name: _label(_origin(contract, of), dialect) for name, (of, _) in _LABELS.items()},
        **airports_sql(own, dialect),
        **_in_cbd(own, dialect),
        "duration_seconds": seconds,
        "speed_mph": speed,
        "is_plausible": f"({' AND '.join(bounds)})",
        **{f"{end}_location_is_derived": _is_derived(contract, f"{end}_location_id") for end in _ENDS},
    }


def _in_cbd(own: Mapping[str, str], dialect: Dialect) -> dict[str, str]:
    # PostgreSQL looks a value up in a hash table, but only if the many numbers are of its type.
    whole = dialect.type_name(ColumnType.INTEGER)
    return {f"{end}_in_cbd": _is_in(f"CAST({own[f'{end}_location_id']} AS {whole})", CONGESTION_ZONE) for end in _ENDS}


def _is_in(value: str, codes: Iterable[int]) -> str:
    return f"COALESCE({value} IN ({', '.join(map(str, sorted(codes)))}), FALSE)"


def _label(column: Column | None, dialect: Dialect) -> str:
    if column is None or not column.codes:
        return _null(ColumnType.TEXT, dialect)
    return _case(f"t.{column.name}", column.codes, dialect)


def _case(value: str, names: Mapping[int, str] | Mapping[int | str, str], dialect: Dialect) -> str:
    codes = {code: dialect.literal(code) if isinstance(code, str) else str(code) for code in names}
    whens = " ".join(f"WHEN {codes[code]} THEN {dialect.literal(name)}" for code, name in names.items())
    return f"CASE {value} {whens} END"
