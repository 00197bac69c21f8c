"""``taxi.lake``: which lake a store of tables belongs to, so that two platforms do not overwrite each other.

Belongs here: that table, and the check. Does not: the lake's own identity (``stores.lake.identity``) and SQL.

A store belongs to the first lake that loads into it. A store from before this table existed belongs to the next lake
that loads. Loads from other lakes are refused. Looking at a store neither claims nor refuses it.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.errors import StoreError
from taxi_platform.stores.model import held_open

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.identity import LakeIdentity
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.layer import TableLayer
    from taxi_platform.stores.model import TableStore

__all__ = ["LAKE", "adopt", "claim", "is_owner", "stranger"]

LAKE = Table(
    "lake",
    "The lake whose months stand in this store: loads from another are refused.",
    (
        Column("id", ColumnType.TEXT, "Of the lake, as its object lake.json has it.", nullable=False),
        Column("holds", ColumnType.TEXT, "Whether its months are published or generated.", nullable=False),
        Column("adopted_at", ColumnType.TIMESTAMP, "When the store became the lake's, in UTC.", nullable=False),
    ),
    key=("id",),
)


def claim(store: TableStore, layer: TableLayer, lake: Lake) -> None:
    """Make a store without owner this lake's; raises `StoreError` if it belongs to another lake."""
    identity = lake.identify()
    owner = _owner(store)
    if owner is None:
        store.fill_table(LAKE, _row(identity))
        owner = _owner(store)  # of several lakes that claim at once, the first
    if owner != identity.id:
        raise StoreError(_sentence(layer, owner, identity))


def adopt(store: TableStore, lake: Lake) -> bool:
    """Make the store the lake's, whoever had it before; returns whether it was another's."""
    identity = lake.identify()
    owner = _owner(store)
    if owner == identity.id:
        return False
    store.replace_table(LAKE, _row(identity))
    return owner is not None


def is_owner(store: TableStore, lake: Lake) -> bool:
    """Whether the store belongs to the lake already; nothing is claimed."""
    identity = lake.identity()
    return identity is not None and _owner(store) == identity.id


def stranger(store: TableStore, layer: TableLayer, lake: Lake) -> str | None:
    """A sentence that says that the store is another lake's; None if it is not."""
    identity, owner = lake.identity(), _owner(store)
    if owner is None or (identity is not None and owner == identity.id):
        return None
    return _sentence(layer, owner, identity)


def _owner(store: TableStore) -> str | None:
    with held_open([store]):
        if store.existing_table(LAKE.qualified_name) is None:
            return None
        rows = store.read_months(LAKE.qualified_name, None, ["id"]).read_all().to_pylist()
    return str(rows[0]["id"]) if rows else None


def _row(identity: LakeIdentity) -> pa.Table:
    import pyarrow as pa

    now = datetime.now(timezone.utc).replace(tzinfo=None)
    row = {"id": identity.id, "holds": identity.holds, "adopted_at": now}
    return pa.Table.from_pylist([row], schema=arrow_schema(LAKE))


def _sentence(layer: TableLayer, owner: str | None, identity: LakeIdentity | None) -> str:
    this = "a lake without months" if identity is None else f"the lake {identity.id[:8]} ({identity.holds} months)"
    return (
        f"{layer.name} holds the months of another lake ({(owner or '')[:8]}), and this is {this}: give this platform "
        f"a {layer.own} of its own; or, where its lake was made anew, say taxi adopt {layer.name}"
    )
