"""The pages of the report: sentences, tables and pictures in HTML that needs nothing else.

Belongs here: what stands where, and how numbers are written. Does not: numbers (``figures``) and pictures (``charts``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.pages import count, environment
from taxi_platform.inspection.report import charts
from taxi_platform.inspection.report.breakdowns import Breakdown, breakdowns
from taxi_platform.inspection.report.figures import Figure, MonthFigures, Series
from taxi_platform.months import month_label

if TYPE_CHECKING:
    import jinja2
    import pandas as pd

__all__ = ["file_name", "index_page", "month_page"]

_TOP = 12
_NOTHING = "n/a"


@dataclass(frozen=True)
class Picture:
    """A picture with the numbers that it shows, for those who cannot see it or want them."""

    caption: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """Pictures under a heading."""

    title: str
    pictures: Sequence[Picture]
    text: str = ""


def file_name(dataset: str, label: str) -> str:
    """The name of a month's page: ``green-2020-03.html``."""
    return f"{dataset}-{label}.html"


def month_page(
    figures: MonthFigures,
    store: str,
    features: Sequence[Mapping[str, Any]],
    made_from: str,
    named_by: Sequence[str],
) -> str:
    """The page of one month.

    Args:
        figures: its numbers.
        store: where they were counted, for people.
        features: the zones' shapes as `charts.zone_features` gives them; without any the page has no map.
        made_from: what the page says of its origin, for programs.
        named_by: the snapshots that name the month as the page shows it.
    """
    sections = {section.title: section for section in (_when(figures), _where(figures, features))}
    for found in breakdowns(figures.marts, _named(figures.zones)):
        section = sections.setdefault(found.section, Section(found.section, ()))
        sections[found.section] = replace(section, pictures=[*section.pictures, _broken_down(found)])
    return _template("month.html").render(
        title=f"{_capital(figures.title)}, {figures.month:%B %Y}",
        store=store,
        made_from=made_from,
        named_by=named_by,
        head=[_head(figure) for figure in figures.head],
        sections=[section for section in sections.values() if section.pictures],
        quality=_quality(figures),
    )


def index_page(series: Series, contracts: Sequence[Contract], pages: Collection[str], store: str) -> str:
    """The page over all months; a month whose page is among ``pages`` is a link."""
    months = series.months.sort_values(["file_month", "dataset"])
    titles = {contract.dataset: contract.title for contract in contracts}
    rows = [[month_label(m), titles[d], count(n)] for d, m, n in _cells(months, "dataset", "file_month", "trips")]
    columns = ["Month", "Dataset", "Trips"]
    pictures = [
        Picture(
            "Trips a month", charts.svg(charts.shares(months, "trips", "trips", is_share=False), "trips"), columns, rows
        ),
        Picture(
            "Share of each service in all trips",
            charts.svg(charts.shares(months, "trips", "share of trips", is_share=True), "shares"),
            columns,
            rows,
        ),
    ]
    return _template("index.html").render(
        title="New York taxi trips by month",
        store=store,
        pictures=pictures,
        datasets=[
            {"name": name, "title": _capital(title), "months": _listed(months[months["dataset"] == name], name, pages)}
            for name, title in titles.items()
            if (months["dataset"] == name).any()
        ],
    )


def _listed(months: pd.DataFrame, dataset: str, pages: Collection[str]) -> list[dict[str, str | None]]:
    found = []
    for month, trips, total in _cells(months.iloc[::-1], "file_month", "trips", "total"):
        page = file_name(dataset, month_label(month))
        row = {"label": month_label(month), "trips": count(trips), "total": _dollars(total)}
        found.append({**row, "page": page if page in pages else None})
    return found


# ---- sections


def _when(figures: MonthFigures) -> Section:
    left_out = f"{count(figures.strays)} trips of the file began in another month and are in no day or hour."
    return Section("When", [*_by_day(figures.days), *_by_hour(figures.hours)], left_out if figures.strays else "")


def _by_day(days: pd.DataFrame) -> Iterable[Picture]:
    dated = [f"{day:%a %-d %b}" for day in days["pickup_date"]]
    if len(days):
        rows = [[day, count(trips)] for day, trips in zip(dated, days["trips"], strict=True)]
        chart = charts.days(days, "trips", "trips a day", "~s")
        yield Picture("Trips by day", charts.svg(chart, "days"), ["Day", "Trips"], rows)
    if days["total"].notna().any():
        rows = [[day, _dollars(total)] for day, total in zip(dated, days["total"], strict=True)]
        chart = charts.days(days, "total", "dollars a day", "$~s")
        yield Picture("Revenue by day", charts.svg(chart, "revenue"), ["Day", "Revenue"], rows)


def _by_hour(hours: pd.DataFrame) -> Iterable[Picture]:
    if hours.empty:
        return
    rows = [
        [f"{charts.WEEKDAYS[int(day)]} {int(hour):02}:00", count(trips)]
        for day, hour, trips in _cells(hours, "weekday", "hour", "trips")
    ]
    chart = charts.svg(charts.heat_map(hours), "hours")
    yield Picture("Trips an hour, the mean of the month's days", chart, ["Hour", "Trips"], rows)


def _where(figures: MonthFigures, features: Sequence[Mapping[str, Any]]) -> Section:
    zones = figures.zones
    if zones.empty:
        return Section("Where", [])
    names = _named(zones)
    top = zones[zones["trips"] > 0].head(_TOP)
    top = top.assign(label=top["location_id"].map(names))
    rows = [[name, count(trips)] for name, trips in _cells(top, "label", "trips")]
    chart = charts.svg(charts.bars(top, "label", "trips", "pickups"), "zones")
    pictures = [Picture(f"The {len(top)} zones with the most pickups", chart, ["Zone", "Pickups"], rows)]
    return Section("Where", [*pictures, *_maps(zones, features)])


def _named(zones: pd.DataFrame) -> dict[int, str]:
    """The zones' names, with the number where several share one."""
    twice = zones["zone"].duplicated(keep=False)
    return {
        int(number): f"{zone} ({number})" if is_shared else zone
        for number, zone, is_shared in zip(zones["location_id"], zones["zone"], twice, strict=True)
    }


def _broken_down(found: Breakdown) -> Picture:
    axis_format, written = (".0%", _part) if found.is_share else ("~s", count)
    rows = [[label, written(value)] for label, value in _cells(found.rows, "label", "value")]
    chart = charts.bars(found.rows, "label", "value", found.value, axis_format)
    name = re.sub(r"\W+", "-", found.caption.lower())
    return Picture(found.caption, charts.svg(chart, name), [found.label, _capital(found.value)], rows)


def _maps(zones: pd.DataFrame, features: Sequence[Mapping[str, Any]]) -> Iterable[Picture]:
    if not features:
        return
    named = [f"{zone} ({int(number)})" for number, zone in _cells(zones, "location_id", "zone")]
    pickups = {int(number): float(trips) for number, trips in _cells(zones, "location_id", "trips") if trips}
    rows = [[name, count(trips)] for name, trips in zip(named, zones["trips"], strict=True)]
    chart = charts.zone_map(features, pickups, "pickups", is_change=False)
    yield Picture("Pickups by zone", charts.svg(chart, "pickups"), ["Zone", "Pickups"], rows)
    known = zones[zones["before"] > 0]
    if len(known):
        change = known["trips"] / known["before"] - 1
        by_zone = {int(number): float(value) for number, value in zip(known["location_id"], change, strict=True)}
        listed = [f"{zone} ({int(number)})" for number, zone in _cells(known, "location_id", "zone")]
        rows = [[name, _change(value)] for name, value in zip(listed, change, strict=True)]
        chart = charts.zone_map(features, by_zone, "change on the year before", is_change=True)
        yield Picture("Change of pickups on the year before", charts.svg(chart, "change"), ["Zone", "Change"], rows)


def _quality(figures: MonthFigures) -> dict[str, Any] | None:
    marts = figures.marts.get("mart_quality_month")
    if marts is None or marts.empty:
        return None
    counts = {
        (kind, name if isinstance(name, str) else ""): int(n)
        for kind, name, n in _cells(marts, "kind", "name", "row_count")
    }
    raw, trips, rejected = (counts.get((kind, ""), 0) for kind in ("raw", "trips", "quarantine"))
    reasons = sorted(((n, name) for (kind, name), n in counts.items() if kind == "reason"), reverse=True)
    nulls = sorted(((n, name) for (kind, name), n in counts.items() if kind == "null" and n), reverse=True)
    return {
        "text": f"Of {count(raw)} records {count(trips)} are trips, and {count(rejected)} are in quarantine "
        f"({_share(rejected, raw)}), where each says why. None is lost.",
        "reasons": [[_words(name), count(n), _share(n, raw)] for n, name in reasons],
        "nulls": [[_words(name), count(n), _share(n, trips)] for n, name in nulls],
    }


# ---- numbers as text


def _head(figure: Figure) -> dict[str, str]:
    return {
        "name": figure.name,
        "value": _in_unit(figure.value, figure.unit),
        "month_before": _change(figure.change(figure.month_before)),
        "year_before": _change(figure.change(figure.year_before)),
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return _NOTHING
    return {"trips": count(value), "dollars": _dollars(value)}.get(unit, f"{value:,.1f} {unit}")


def _dollars(value: float) -> str:
    if math.isnan(value):
        return _NOTHING
    return f"${value:,.2f}" if abs(value) < 1_000 else f"${value:,.0f}"


def _change(value: float | None) -> str:
    return _NOTHING if value is None or math.isnan(value) else f"{value:+.1%}"


def _part(value: float) -> str:
    return f"{value:.1%}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else _NOTHING


def _cells(rows: pd.DataFrame, *columns: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[column] for column in columns), strict=True)


@cache
def _environment() -> jinja2.Environment:
    return environment(Path(__file__).parent)


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
