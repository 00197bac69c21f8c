"""``taxi report``: pages of months and the index over all of them, as files.

Belongs here: which months, and where the pages go. Does not: what stands on them (``inspection.report``).
"""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from taxi_platform.cli.inspecting import all_or_named
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError
from taxi_platform.inspection.pages import STORE_TITLES, write_page
from taxi_platform.inspection.report.charts import zone_features
from taxi_platform.inspection.report.figures import Series, month_figures, series
from taxi_platform.inspection.report.page import file_name, index_page, month_page
from taxi_platform.months import month_label
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake

__all__ = ["write_reports"]

INDEX = "index.html"


def write_reports(
    settings: Settings, datasets: str | None, months: str | None, store: str | None, folder: Path | None, *, show: bool
) -> None:
    """Write the pages of the chosen months and the index.

    Args:
        settings: of the platform whose store is read.
        datasets: as in ``taxi status``.
        months: as in ``taxi status``; None is the newest month of each dataset.
        store: the layer's name; None is the first that is on.
        folder: where the pages go; None is ``report`` in the data root.
        show: whether a browser opens the page, or the index if there are several.

    Raises:
        SettingsError: there is no such store, or it has no marts of these months.
    """
    contracts, only = all_or_named(datasets, months)
    at, place = settings.store_at(store), folder or settings.data / "report"
    title = STORE_TITLES.get(at.kind, at.kind)
    with at.opened() as opened:
        there = series(opened, list(CONTRACTS.values()))
        chosen = list(_chosen(there, contracts, only))
        if not chosen:
            raise SettingsError(f"{title} has no marts of these months: taxi run brings them")
        features = _features(settings)
        for contract, month in chosen:
            page = month_page(month_figures(opened, contract, month), title, features)
            _written(place / file_name(contract.dataset, month_label(month)), page)
    pages = {path.name for path in place.glob("*.html")}
    _written(place / INDEX, index_page(there, list(CONTRACTS.values()), pages, title))
    if show:
        first = file_name(chosen[0][0].dataset, month_label(chosen[0][1]))
        webbrowser.open((place / (first if len(chosen) == 1 else INDEX)).as_uri())


def _chosen(
    there: Series, contracts: Sequence[Contract], only: Mapping[str, Sequence[date]] | None
) -> Iterator[tuple[Contract, date]]:
    for contract in contracts:
        held = sorted(there.months.loc[there.months["dataset"] == contract.dataset, "file_month"])
        wanted = held[-1:] if only is None else [month for month in held if month in only[contract.dataset]]
        yield from ((contract, month) for month in wanted)


def _features(settings: Settings) -> list[dict[str, Any]]:
    shapes = Lake(settings.lake, wait_seconds=settings.wait_seconds).zone_shapes()
    return [] if shapes is None else zone_features(shapes)


def _written(file: Path, page: str) -> None:
    write_page(file, page)
    click.echo(file)
