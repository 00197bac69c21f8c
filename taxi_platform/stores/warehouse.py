"""The warehouse: BigQuery or a DuckDB file, depending on the address.

Belongs here: the choice, and the layer's declaration. Does not: the two stores (a package each, imported when opened).
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from taxi_platform.machine.environment import folder
from taxi_platform.stores.layer import OFF, TableLayer
from taxi_platform.stores.model import TableStore

__all__ = ["WAREHOUSE", "open_warehouse"]

_SCHEME = "bigquery://"
_BIGQUERY = re.compile(r"bigquery://[\w.:-]+/\w+(\?.*)?", re.ASCII)


def open_warehouse(url: str, *, wait_seconds: float = 600.0) -> TableStore:
    """The store at an address: a dataset of BigQuery or a DuckDB file.

    Args:
        url: ``bigquery://project/dataset?location=…``, or a path.
        wait_seconds: the longest wait for other processes, or for BigQuery if it does not answer.
    """
    if url.startswith(_SCHEME):
        from taxi_platform.stores.bigquery.store import BigQueryStore

        return BigQueryStore(url, wait_seconds=wait_seconds)
    from taxi_platform.stores.duckdb.store import DuckDBStore

    return DuckDBStore(url, wait_seconds=wait_seconds)


def _checked(address: str, data: Path) -> str:
    """The address itself, or the absolute path of a file; the default is ``warehouse.duckdb`` in the data folder."""
    takes = "bigquery://project/dataset?location=…"
    if not address.startswith(_SCHEME):
        return folder(address or str(data / "warehouse.duckdb"), f"a DuckDB file, {takes} or {OFF}")
    if not _BIGQUERY.fullmatch(address):
        raise ValueError(f"it takes {takes}")
    if unknown := parse_qs(urlsplit(address).query).keys() - {"location"}:
        raise ValueError(f"it takes {takes}, and nothing is known as {', '.join(sorted(unknown))}")
    return address


def _is_bigquery(address: str) -> bool:
    return address.startswith(_SCHEME)


WAREHOUSE = TableLayer(
    name="warehouse",
    title="the warehouse",
    checked=_checked,
    kind=lambda address: "bigquery" if _is_bigquery(address) else "duckdb",
    open=lambda at: contextlib.nullcontext(open_warehouse(at.address, wait_seconds=at.wait_seconds)),
    is_service=_is_bigquery,
    has_marts=True,
    has_raw_views=True,
    own="warehouse",
)
