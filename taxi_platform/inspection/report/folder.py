"""The folder of the report: a page for each month and the index over all of them, each replaced as a whole.

Belongs here: files, and which marts a page was made from. Does not: which months (``cli``, ``orchestration``), and what
stands on a page (``page``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from taxi_platform import __version__
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.pages import STORE_TITLES, write_page
from taxi_platform.inspection.report.charts import zone_features
from taxi_platform.inspection.report.figures import MonthFigures, Series, month_figures, series
from taxi_platform.inspection.report.page import file_name, index_page, month_page
from taxi_platform.months import add_months, month_label
from taxi_platform.stores.bookkeeping import marts_version
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.snapshots import Snapshot
from taxi_platform.stores.model import StoreOfMarts

__all__ = ["INDEX", "ReportFolder", "made_from"]

INDEX = "index.html"
_MADE_FROM = re.compile(r'<meta name="made-from" content="([^"]*)">')
_HEAD = 1_000
"""Characters of a page within which that stands."""


def made_from(versions: Mapping[date, str], month: date) -> str:
    """The versions of the marts that a page shows: the month's, those of the month before and of the year before.

    Args:
        versions: first day of a month → the version of its marts.
        month: the page's.
    """
    return " ".join(versions.get(add_months(month, shift), "none") for shift in (0, -1, -12))


@dataclass(frozen=True)
class ReportFolder:
    """The pages of one store's marts."""

    folder: Path
    store: StoreOfMarts
    """An open one."""
    lake: Lake
    """Where the shapes of the zones are."""

    @property
    def store_title(self) -> str:
        """The store's name for people."""
        return STORE_TITLES.get(self.store.kind, self.store.kind)

    @cached_property
    def features(self) -> Sequence[Mapping[str, Any]]:
        """The zones' shapes; empty where the lake has none."""
        shapes = self.lake.zone_shapes()
        return [] if shapes is None else zone_features(shapes)

    def page(self, contract: Contract, month: date) -> Path:
        """Where the month's page is, or would be."""
        return self.folder / file_name(contract.dataset, month_label(month))

    def made_from(self, contract: Contract, month: date) -> str:
        """The versions of the marts that the store has now for the month's page; see `made_from`."""
        held = self.store.held_marts(contract, [add_months(month, shift) for shift in (-12, -1, 0)])
        return made_from({day: marts_version(marts) for day, marts in held.items()}, month)

    def named_by(self, contract: Contract, month: date) -> list[str]:
        """The snapshots that name the version that the month's marts were made from."""
        held = self.store.held_marts(contract, [month]).get(month, {})
        versions = {mart.data_version for mart in held.values()}
        named = ((s.name, kept) for s in self._snapshots for kept in s.months if kept.month == contract.month(month))
        return [name for name, kept in named if {kept.clean.facts.version} == versions]

    @cached_property
    def _snapshots(self) -> Sequence[Snapshot]:
        return [snapshot for snapshot in self.lake.snapshots.all() if snapshot.is_finished]

    def is_current(self, contract: Contract, month: date) -> bool:
        """Whether the page is there, by this release, from the marts and with the snapshots that there are now."""
        try:
            with self.page(contract, month).open(encoding="utf-8") as file:
                found = _MADE_FROM.search(file.read(_HEAD))
        except (OSError, UnicodeDecodeError):
            return False
        return found is not None and found[1] == self._mark(contract, month)

    def write_month(self, contract: Contract, month: date) -> MonthFigures:
        """Write the month's page; returns its numbers.

        Raises:
            StoreError: the store has no marts of that month.
            SettingsError: the page cannot be written.
        """
        mark = self._mark(contract, month)  # before the marts are read: a page of newer ones is then made once more
        figures = month_figures(self.store, contract, month)
        named_by = self.named_by(contract, month)
        write_page(self.page(contract, month), month_page(figures, self.store_title, self.features, mark, named_by))
        return figures

    def remove_month(self, contract: Contract, month: date) -> bool:
        """Remove the month's page; whether there was one."""
        page = self.page(contract, month)
        is_there = page.exists()
        page.unlink(missing_ok=True)
        return is_there

    def write_index(self, found: Series | None = None) -> Path:
        """Write the page over all months that the store has marts of.

        Args:
            found: the months, if the caller has read them.
        """
        contracts = list(CONTRACTS.values())
        pages = {path.name for path in self.folder.glob("*.html")}
        months = series(self.store, contracts) if found is None else found
        write_page(self.folder / INDEX, index_page(months, contracts, pages, self.store_title))
        return self.folder / INDEX

    def _mark(self, contract: Contract, month: date) -> str:
        return " ".join((__version__, self.made_from(contract, month), *self.named_by(contract, month)))
