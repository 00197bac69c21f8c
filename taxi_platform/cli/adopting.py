"""``taxi adopt``: makes a store of tables this platform's, whatever lake it was loaded from.

Belongs here: the command. Does not: the ownership of a store (``stores.ownership``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from taxi_platform.errors import SettingsError
from taxi_platform.machine.environment import variable
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from taxi_platform.stores.model import TableStore

__all__ = ["adopt_store", "opened_store"]


def adopt_store(settings: Settings, name: str) -> None:
    """Make a store of tables this lake's, and print what that means."""
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.ownership import adopt

    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    with opened_store(settings, name) as store:
        was_another = adopt(store, lake)
    said = "is this lake's from now on" if was_another else "is this lake's"
    click.echo(f"{name} {said}; taxi status shows which of its months are behind, and taxi run --behind brings them")


@contextlib.contextmanager
def opened_store(settings: Settings, name: str) -> Iterator[TableStore]:
    """Open a store of tables by its name; raises `SettingsError` if it is off."""
    if name not in settings.tables:
        raise SettingsError(f"{name} is off: set {variable(name)} first")
    with settings.tables[name].opened() as store:
        yield store
