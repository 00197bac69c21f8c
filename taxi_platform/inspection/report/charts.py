"""The pictures of a report, drawn once and for all: SVG for the page, PNG for the Dagster UI.

Belongs here: what each picture shows and how. Does not: where its numbers come from (``figures``).

The page has no script, so a picture answers to the page's own colours: ink is ``currentColor``, and the series are CSS
variables. Scales of many colours are readable on light and dark alike.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    import pyarrow as pa

__all__ = ["WEEKDAYS", "bars", "days", "heat_map", "png", "shares", "svg", "zone_features", "zone_map"]

WIDTH = 460
"""In pixels, for a column of a page on a desktop; a phone shows it at three quarters of that, still readable."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SIMPLIFIED_FEET = 150
"""A border may be so far from where it is: a pixel of the map is about 250 feet."""


def days(rows: pd.DataFrame, column: str, title: str, axis_format: str) -> alt.Chart:
    """One column of `MonthFigures.days` by day."""
    import altair as alt

    return (
        alt.Chart(rows.assign(day=[day.day for day in rows["pickup_date"]])[["day", column]])
        .mark_bar(color="var(--series-1)")
        .encode(
            alt.X("day:O", title="day of the month", axis=alt.Axis(values=[1, 5, 10, 15, 20, 25, 30], labelAngle=0)),
            alt.Y(f"{column}:Q", title=title, axis=alt.Axis(format=axis_format, tickCount=5)),
        )
        .properties(width=WIDTH, height=180)
    )


def heat_map(hours: pd.DataFrame) -> alt.Chart:
    """`MonthFigures.hours`: trips an hour by hour and weekday."""
    import altair as alt

    named = hours.assign(day=[WEEKDAYS[int(day)] for day in hours["weekday"]])
    return (
        alt.Chart(named)
        .mark_rect()
        .encode(
            alt.X("hour:O", title="hour of the day", axis=alt.Axis(values=list(range(0, 24, 3)), labelAngle=0)),
            alt.Y("day:N", sort=list(WEEKDAYS), title=None),
            alt.Color("trips:Q", scale=alt.Scale(scheme="viridis"), legend=_legend("trips an hour")),
        )
        .properties(width=WIDTH - 20, height=170)
    )


def bars(rows: pd.DataFrame, label: str, value: str, title: str, axis_format: str = "~s") -> alt.Chart:
    """Horizontal bars in the order of the rows."""
    import altair as alt

    return (
        alt.Chart(rows)
        .mark_bar(color="var(--series-1)")
        .encode(
            alt.Y(
                f"{label}:N",
                sort=None,
                title=None,
                axis=alt.Axis(labelLimit=150, minExtent=190, ticks=False, domain=False),
            ),
            alt.X(f"{value}:Q", title=title, axis=alt.Axis(format=axis_format, tickCount=4)),
        )
        .properties(width=WIDTH - 200, height=alt.Step(22))
    )


def zone_features(shapes: pa.Table) -> list[dict[str, Any]]:
    """The zones' polygons in feet as GeoJSON features with simpler borders; ``id`` is the location id."""
    import shapely

    polygons = shapely.simplify(shapely.from_wkb(shapes["geometry_feet"].to_pylist()), _SIMPLIFIED_FEET)
    return [
        {"type": "Feature", "id": location, "geometry": shapely.geometry.mapping(shapely.set_precision(shape, 10))}
        for location, shape in zip(shapes["location_id"].to_pylist(), polygons, strict=True)
    ]


def zone_map(
    features: Sequence[Mapping[str, Any]], values: Mapping[int, float | None], title: str, *, is_change: bool
) -> alt.LayerChart:
    """Zones coloured by a value; those without one are grey.

    Args:
        features: as `zone_features` gives them.
        values: by location id; null and missing ones are the same.
        title: of the legend.
        is_change: whether the value is a change, and 0 the middle of the scale.
    """
    import altair as alt

    coloured = [
        {**feature, "properties": {"value": value}}
        for feature in features
        if (value := values.get(feature["id"])) is not None
    ]
    scale = (
        alt.Scale(scheme="blueorange", domain=[-1, 1], domainMid=0, clamp=True, reverse=True)
        if is_change
        else alt.Scale(scheme="viridis", type="sqrt")
    )
    legend = _legend(title, "+.0%" if is_change else "~s")
    base = alt.Chart(alt.Data(values=list(features))).mark_geoshape(
        fill="var(--no-value)", stroke="var(--paper)", strokeWidth=0.4
    )
    colour = alt.Color("properties.value:Q", scale=scale, legend=legend)
    top = alt.Chart(alt.Data(values=coloured)).mark_geoshape(stroke="var(--paper)", strokeWidth=0.4).encode(colour)
    return alt.layer(base, top).project(type="identity", reflectY=True).properties(width=WIDTH, height=WIDTH)


def shares(rows: pd.DataFrame, column: str, title: str, *, is_share: bool) -> alt.Chart:
    """A column of `Series.months` by month and dataset: lines, or areas that add up to all."""
    import altair as alt

    chart = alt.Chart(_dated(rows, "file_month"))
    colour = alt.Color(
        "dataset:N",
        scale=alt.Scale(
            domain=["yellow", "green", "fhv", "fhvhv"],
            range=[f"var(--{n})" for n in ("yellow", "green", "fhv", "fhvhv")],
        ),
        legend=alt.Legend(orient="top", title=None),
    )
    x = alt.X("file_month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=5))
    if is_share:
        y = alt.Y(f"{column}:Q", stack="normalize", title=title, axis=alt.Axis(format="%"))
        return (
            chart.mark_bar()
            .encode(alt.X("yearmonth(file_month):T", title=None, axis=alt.Axis(format="%b %Y", tickCount=5)), y, colour)
            .properties(width=WIDTH, height=220)
        )
    y = alt.Y(f"{column}:Q", title=title, axis=alt.Axis(format="~s"))
    return chart.mark_line(point=True).encode(x, y, colour).properties(width=WIDTH, height=220)


def svg(chart: alt.TopLevelMixin, name: str) -> str:
    """The picture as SVG for a page; ``name`` keeps its ids apart from those of the page's other pictures."""
    import vl_convert

    text = vl_convert.vegalite_to_svg(_specification(chart, "currentColor"))
    # Numbered anew: vl-convert counts on from picture to picture, and the same numbers are to give the same page.
    ids = {found: f"{name}-{i}" for i, found in enumerate(re.findall(r'\bid="([^"]+)"', text))}
    text = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{ids[found[1]]}"', text)
    text = re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{ids[found[1]]})", text)
    # The figure around it has the words; within, a screen reader would hear every bar.
    return re.sub(r"<svg ", '<svg aria-hidden="true" ', text, count=1)


def png(chart: alt.TopLevelMixin) -> bytes:
    """The picture as PNG on white, one pixel a pixel: a picture of a report takes 5 to 20 kB, a map 130."""
    import vl_convert

    text = _specification(chart, "#222222")
    for name, colour in {"series-1": "#2b6cb0", "no-value": "#d9d9d9", "paper": "#ffffff"}.items():
        text = text.replace(f"var(--{name})", colour)
    return _packed(vl_convert.vegalite_to_png(text.replace('"transparent"', '"white"', 1), scale=1))


def _packed(image: bytes) -> bytes:
    """The PNG with its rows compressed as well as they can be: vl-convert's is up to eight times as large.

    A PNG is eight bytes, then chunks of length, name, content and checksum; the rows are in those named IDAT, which
    stand together (https://www.w3.org/TR/png-3/).
    """
    rows: list[bytes] = []
    chunks: list[bytes] = []
    place = 8
    while place < len(image):
        length, name = struct.unpack_from(">I4s", image, place)
        chunk = image[place : place + 12 + length]
        (rows if name == b"IDAT" else chunks).append(chunk)
        place += len(chunk)
    content = b"IDAT" + zlib.compress(zlib.decompress(b"".join(chunk[8:-4] for chunk in rows)), 9)
    packed = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return image[:8] + b"".join((*chunks[:-1], packed, chunks[-1]))


def _specification(chart: alt.TopLevelMixin, ink: str) -> str:
    axis = {
        "labelColor": ink,
        "titleColor": ink,
        "domainColor": ink,
        "tickColor": ink,
        "gridColor": ink,
        "gridOpacity": 0.15,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    legend = {
        "labelColor": ink,
        "titleColor": ink,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    configured = chart.configure(
        aria=False,
        background="transparent",
        font="Arial, sans-serif",
        padding=6,
        axis=axis,
        legend=legend,
        view={"stroke": None},
    )
    return str(configured.to_json())


def _legend(title: str, label_format: str = "~s") -> alt.Legend:
    import altair as alt

    return alt.Legend(orient="bottom", title=title, format=label_format, gradientLength=WIDTH - 60, tickCount=4)


def _dated(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    import pandas as pd

    return rows.assign(**{column: pd.to_datetime(rows[column])})
