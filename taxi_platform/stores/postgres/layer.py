"""PostgreSQL as a layer: the address of a server, or an embedded server.

Belongs here: the layer's declaration, and opening it. Does not: the store (``store``) and the server (``embedded``),
which are imported when the layer is opened.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from taxi_platform.stores.layer import OFF, StoreAt, TableLayer
from taxi_platform.stores.model import SCHEMA, TableStore
from taxi_platform.stores.postgres.errors import masked

__all__ = ["POSTGRES", "open_postgres"]

_EMBEDDED = "embedded"


@contextlib.contextmanager
def open_postgres(url: str, folder: Path, *, schema: str = SCHEMA, wait_seconds: float = 600.0) -> Iterator[TableStore]:
    """PostgreSQL at an address, or an embedded server that runs while the context lasts.

    Args:
        url: ``postgresql://…``; ``embedded``, or ``embedded:PORT`` to listen on 127.0.0.1 as well.
        folder: where the embedded server keeps its data.
        schema: the schema of the platform's own tables.
        wait_seconds: the longest wait of an operation for locks of other sessions.
    """
    from taxi_platform.stores.postgres.store import PostgresStore

    kind, _, port = url.partition(":")
    if kind != _EMBEDDED:
        yield PostgresStore(url, schema=schema, wait_seconds=wait_seconds)
        return
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    with EmbeddedPostgres(folder, int(port) if port else None).running() as address:
        yield PostgresStore(address, schema=schema, wait_seconds=wait_seconds)


def _opened(at: StoreAt) -> AbstractContextManager[TableStore]:
    return open_postgres(at.address, _folder(at), schema=_schema(at), wait_seconds=at.wait_seconds)


def _folder(at: StoreAt) -> Path:
    return at.data / "postgres"


def _schema(at: StoreAt) -> str:
    return at.options.get("schema", SCHEMA)


def _is_made(at: StoreAt) -> bool:
    return not at.address.startswith(_EMBEDDED) or _folder(at).exists()


def _checked(address: str, _data: Path) -> str:
    embedded = re.fullmatch(r"embedded(?::(\d{1,5}))?", address, re.ASCII)
    if embedded and 0 < int(embedded[1] or 1) < 65_536:
        return address
    if address.startswith(("postgresql://", "postgres://")):
        return address
    raise ValueError(f"it takes embedded, embedded:PORT, postgresql://user:password@host:port/database or {OFF}")


POSTGRES = TableLayer(
    name="postgres",
    title="PostgreSQL",
    checked=_checked,
    kind=lambda _: "postgresql",
    open=_opened,
    is_made=_is_made,
    has_marts=True,
    masked=masked,
    where_to_look=lambda at: f"psql \"$(taxi postgres-url)\" -c 'TABLE {_schema(at)}.zones'",
    own="database, or a TAXI_POSTGRES_SCHEMA,",
)
