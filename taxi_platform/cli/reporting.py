"""``taxi report``: pages of months and the index over all of them, as files.

Belongs here: which months, and where the pages go. Does not: what stands on them (``inspection.report``).
"""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import click

from taxi_platform.cli.inspecting import all_or_named
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError
from taxi_platform.inspection.report.figures import Series, series
from taxi_platform.inspection.report.folder import ReportFolder
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import MartStore

__all__ = ["write_reports"]


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
    at, place = settings.store_at(store), folder or settings.report
    with at.opened() as opened:
        assert isinstance(opened, MartStore), "its layer says so"
        report = ReportFolder(place, opened, Lake(settings.lake, wait_seconds=settings.wait_seconds))
        there = series(opened, list(CONTRACTS.values()))
        chosen = list(_chosen(there, contracts, only))
        if not chosen:
            raise SettingsError(f"{report.store_title} has no marts of these months: taxi run brings them")
        for contract, month in chosen:
            report.write_month(contract, month)
            click.echo(report.page(contract, month))
        index = report.write_index(there)
        click.echo(index)
    if show:
        webbrowser.open((report.page(*chosen[0]) if len(chosen) == 1 else index).as_uri())


def _chosen(
    there: Series, contracts: Sequence[Contract], only: Mapping[str, Sequence[date]] | None
) -> Iterator[tuple[Contract, date]]:
    for contract in contracts:
        held = sorted(there.months.loc[there.months["dataset"] == contract.dataset, "file_month"])
        wanted = held[-1:] if only is None else [month for month in held if month in only[contract.dataset]]
        yield from ((contract, month) for month in wanted)
