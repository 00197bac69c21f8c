"""How a store of tables becomes a layer of the platform: its name, its address and how it is opened.

Belongs here: what a store's package declares of itself. Does not: which stores there are: each is a field of
`taxi_platform.settings.Settings` that is annotated with its declaration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from taxi_platform.stores.model import TableStore

__all__ = ["OFF", "StoreAt", "TableLayer"]

OFF = "off"
"""The address by which a store of tables is not part of the platform."""


def _as_it_is(address: str) -> str:
    return address


@dataclass(frozen=True)
class TableLayer:
    """A store of tables as a layer of every dataset.

    Every function takes the address as the settings have it, so that nothing is opened or imported to answer.
    """

    name: str
    """Of the layer, the setting, the resource and the pool: ``warehouse`` makes ``green_warehouse``,
    ``TAXI_WAREHOUSE`` and ``warehouse_io``."""
    title: str
    """As sentences call it."""
    checked: Callable[[str, Path], str]
    """What the setting means, given the data folder; raises `ValueError` with half a sentence for what it does not
    take."""
    kind: Callable[[str], str]
    """What the web interface shows the store as: ``duckdb``, ``bigquery``, ``postgresql``."""
    open: Callable[[StoreAt], AbstractContextManager[TableStore]]
    """The store, usable for as long as the context lasts."""
    is_made: Callable[[StoreAt], bool] = lambda _: True
    """Whether there is something to open: looking must not make a store."""
    is_service: Callable[[str], bool] = lambda _: False
    """Whether it may be out of reach altogether: a look then gives up soon."""
    shown: Callable[[str], str] = _as_it_is
    """The address without any secret."""
    has_raw_views: bool = False
    """Whether its stores can be `taxi_platform.stores.model.RawViews`."""
    where_to_look: Callable[[StoreAt], str] = lambda at: at.layer.shown(at.address)
    """Where, or by which command, people find the tables."""
    own: str = "store"
    """What a second platform needs one of for itself."""

    @property
    def io_manager_key(self) -> str:
        """The key of the layer's IO manager: ``warehouse_io``."""
        return f"{self.name}_io"


@dataclass(frozen=True)
class StoreAt:
    """A store of tables where the settings say it is; nothing is opened yet."""

    layer: TableLayer
    address: str = field(repr=False)
    """May hold a password."""
    data: Path
    """The data root, below which an embedded store keeps what is its own."""
    wait_seconds: float = 600.0
    """How long an operation waits for others that hold the store."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The layer's further settings: ``schema`` is the value of ``TAXI_POSTGRES_SCHEMA``."""

    @property
    def kind(self) -> str:
        """The kind of store at this address, as the web interface shows it."""
        return self.layer.kind(self.address)

    def opened(self, at_most_seconds: float = math.inf) -> AbstractContextManager[TableStore]:
        """The store; a caller that has less time waits no longer than that for others."""
        return self.layer.open(replace(self, wait_seconds=min(self.wait_seconds, at_most_seconds)))

    @property
    def is_made(self) -> bool:
        """Whether there is a store to open."""
        return self.layer.is_made(self)

    @property
    def where_to_look(self) -> str:
        """Where, or by which command, people find the tables."""
        return self.layer.where_to_look(self)

    @property
    def is_service(self) -> bool:
        """Whether the store may be out of reach."""
        return self.layer.is_service(self.address)
