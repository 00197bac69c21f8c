"""Columns and codes that several datasets share, with the sources of their meaning.

Belongs here: a declaration that two contract modules would otherwise both write. Does not: anything one dataset
alone has.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts.model import Column, ColumnType, Span

__all__ = [
    "CBD_FEE_SINCE",
    "CONGESTION_SURCHARGE_SINCE",
    "LOCATION_IDS_SINCE",
    "PAYMENT_CODES",
    "PAYMENT_RECODES",
    "RATE_CODES",
    "STORE_AND_FWD_CODES",
    "STORE_AND_FWD_RECODES",
    "TEXT_CODES_UNTIL",
    "coordinate",
    "money",
    "request_source",
]

TEXT_CODES_UNTIL = date(2014, 12, 1)
"""Yellow files carry vendors and payment types as text to 2014 (headers and rows of the published CSV files)."""
LOCATION_IDS_SINCE = date(2016, 7, 1)
"""Taxi zone ids replace longitude and latitude in the CSV files from this month."""
CONGESTION_SURCHARGE_SINCE = date(2019, 1, 1)
CBD_FEE_SINCE = date(2025, 1, 1)

RATE_CODES: dict[int | str, str] = {
    1: "standard rate",
    2: "JFK",
    3: "Newark",
    4: "Nassau or Westchester",
    5: "negotiated fare",
    6: "group ride",
    99: "null or unknown",
}
PAYMENT_CODES: dict[int | str, str] = {
    0: "flex fare trip",
    1: "credit card",
    2: "cash",
    3: "no charge",
    4: "dispute",
    5: "unknown",
    6: "voided trip",
}
PAYMENT_RECODES: dict[str, int | str] = {
    "credit": 1,
    "crd": 1,
    "cre": 1,
    "cash": 2,
    "cas": 2,
    "csh": 2,
    "no charge": 3,
    "noc": 3,
    "no": 3,
    "dispute": 4,
    "dis": 4,
    "unknown": 5,
    "unk": 5,
    "na": 5,
}
STORE_AND_FWD_CODES: dict[int | str, str] = {
    "Y": "held in the vehicle's memory before it was sent",
    "N": "sent at once",
}
STORE_AND_FWD_RECODES: dict[str, int | str] = {"0": "N", "0.0": "N", "1": "Y", "1.0": "Y", "n": "N", "y": "Y"}


def coordinate(name: str, end: str, *spellings: str, instead: str) -> Column:
    """A longitude or latitude of the coordinate era, which a file may replace by a zone id (``instead``)."""
    return Column(
        name,
        ColumnType.DOUBLE,
        f"Where the meter was {end}, to 2016-06; null since, when zone ids took its place.",
        spellings,
        unit="degrees (WGS 84)",
        required=Span(until=date(2016, 6, 1)),
        unless=(instead,),
    )


def money(
    name: str, description: str, *spellings: str, required: Span | None = None, source: str | None = None
) -> Column:
    """An amount in US dollars, as the meter or the base recorded it."""
    return Column(
        name,
        ColumnType.DOUBLE,
        description,
        spellings,
        unit="US dollars",
        source=source,
        required=required if required is not None else Span(date(9999, 1, 1), date(1, 1, 1)),
    )


def request_source() -> Column:
    """How a trip was requested, in files from 2026-06."""
    return Column(
        "request_source",
        ColumnType.TEXT,
        "How the trip was requested, as upstream writes it; files from 2026-06 have it.",
        ("request_source",),
    )
