"""How a store of tables is declared as a layer of the platform: its name, its address and how it is opened.

Belongs here: the form of a store's declaration. Does not: which stores there are. Each is a field of
`taxi_platform.settings.Settings` whose annotation is its declaration.
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
"""The address that switches a store of tables off."""


def _as_it_is(address: str) -> str:
    return address


@dataclass(frozen=True)
class TableLayer:
    """The declaration of one store of tables, which is a layer of every dataset.

    Every function takes the address as the settings have it, so that no answer needs an open store or an import.
    """

    name: str
    """The name of the layer, the setting, the resource and the pool: ``warehouse`` makes ``green_warehouse``,
    ``TAXI_WAREHOUSE`` and ``warehouse_io``."""
    title: str
    """The name in sentences."""
    checked: Callable[[str, Path], str]
    """Turns the setting and the data folder into the address; raises `ValueError` with half a sentence that says what
    the setting takes."""
    kind: Callable[[str], str]
    """The kind of store in the web interface: ``duckdb``, ``bigquery``, ``postgresql``."""
    open: Callable[[StoreAt], AbstractContextManager[TableStore]]
    """Opens the store for as long as the context lasts."""
    is_made: Callable[[StoreAt], bool] = lambda _: True
    """Whether a store was ever made at the address; looking must not make one."""
    is_service: Callable[[str], bool] = lambda _: False
    """Whether the store may be out of reach; a look then gives up soon."""
    masked: Callable[[str], str] = _as_it_is
    """The address without any secret."""
    has_marts: bool = False
    """Whether its stores are `taxi_platform.stores.model.MartStore`."""
    has_raw_views: bool = False
    """Whether its stores are `taxi_platform.stores.model.RawViews`."""
    where_to_look: Callable[[StoreAt], str] = lambda at: at.layer.masked(at.address)
    """Where, or by which command, people find the tables."""
    own: str = "store"
    """What a second platform must not share with the first."""

    @property
    def marts(self) -> str:
        """The name of the layer of its marts, which ``green_warehouse_marts`` ends with."""
        return f"{self.name}_marts"

    @property
    def io_manager_key(self) -> str:
        """The key of the layer's IO manager: ``warehouse_io``."""
        return f"{self.name}_io"


@dataclass(frozen=True)
class StoreAt:
    """A store of tables at the address in the settings; it is not open yet."""

    layer: TableLayer
    address: str = field(repr=False)
    """The address may contain a password."""
    data: Path
    """The data root; an embedded store keeps its files below it."""
    wait_seconds: float = 600.0
    """The longest wait for others that hold the store."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The layer's further settings: ``schema`` is the value of ``TAXI_POSTGRES_SCHEMA``."""

    @property
    def kind(self) -> str:
        """The kind of store at this address, as the web interface shows it."""
        return self.layer.kind(self.address)

    def opened(self, at_most_seconds: float = math.inf) -> AbstractContextManager[TableStore]:
        """The opened store, with a shorter wait for others if the caller has less time."""
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
