"""``taxi catalog``: the catalog as a folder of pages.

Belongs here: where the pages go, and bringing together what the stores and Dagster know. Does not: what stands on the
pages (``inspection.catalog``).
"""

from __future__ import annotations

import contextlib
import os
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from taxi_platform.cli.inspecting import with_runs
from taxi_platform.cli.instance import has_instance, opened_instance
from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.catalog.evidence import Check, gathered
from taxi_platform.inspection.catalog.site import INDEX, Reports, Site
from taxi_platform.inspection.pages import write_page
from taxi_platform.settings import Settings

__all__ = ["write_catalog"]


def write_catalog(settings: Settings, folder: Path | None, *, show: bool) -> None:
    """Write every page of the catalog, and say where the index is.

    Args:
        settings: of the platform whose stores are looked at.
        folder: where the pages go; None is ``catalog`` in the data root.
        show: whether a browser opens the index.

    Raises:
        StoreError: a store does not answer.
        SettingsError: nothing can be written there.
    """
    place, contracts = (folder or settings.data / "catalog").absolute(), list(CONTRACTS.values())
    found = gathered(settings, contracts)
    evidence = replace(
        found,
        statuses=with_runs(settings, contracts, found.statuses),
        checks=_checks(settings),
        has_instance=has_instance(settings),
    )
    for name, text in Site(contracts, evidence, _reports(settings, place)).files():
        write_page(place / name, text)
    click.echo(place / INDEX)
    if show:
        webbrowser.open((place / INDEX).as_uri())


def _checks(settings: Settings) -> Sequence[Check]:
    from taxi_platform.cli.launch import build_repository
    from taxi_platform.orchestration.check_history import check_history

    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(opened_instance(settings)) if has_instance(settings) else None
        return list(check_history(build_repository(settings), instance))


def _reports(settings: Settings, place: Path) -> Reports:
    """The report's pages in the data root, by how they are reached from the catalog."""
    folder = settings.data / "report"
    link = Path(os.path.relpath(folder.absolute(), place)).as_posix()
    return Reports(f"{link}/", frozenset(page.name for page in folder.glob("*.html")))
