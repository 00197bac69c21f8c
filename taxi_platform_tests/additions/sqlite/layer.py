"""SQLite as a layer: a folder.

Belongs here: what the layer is and how it is opened. Does not: the store, which is imported when it is opened.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path

from taxi_platform.machine.environment import folder
from taxi_platform.stores.layer import OFF, StoreAt, TableLayer
from taxi_platform.stores.model import TableStore

__all__ = ["SQLITE"]


def _opened(at: StoreAt) -> AbstractContextManager[TableStore]:
    from taxi_platform_tests.additions.sqlite.store import SQLiteStore

    return contextlib.nullcontext(SQLiteStore(at.address, wait_seconds=at.wait_seconds))


SQLITE = TableLayer(
    name="sqlite",
    title="SQLite",
    checked=lambda address, data: folder(address or str(data / "sqlite"), f"a folder of SQLite files or {OFF}"),
    kind=lambda _: "sqlite",
    open=_opened,
    is_made=lambda at: Path(at.address).exists(),
    own="folder",
)
