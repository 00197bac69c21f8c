"""Tables that the platform makes by itself, in the lake: one small Parquet object each, replaced as a whole.

Belongs here: the objects. Does not: the rows (``contracts.dimensions``). The version stands in the footer, so that rows
and version change in one put.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.contracts.dimensions import Dimension
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.references import FACTS_KEY
from taxi_platform.stores.lake.objects.model import Objects
from taxi_platform.stores.lake.small import small_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Dimensions", "StoredDimension", "dimension_path"]


@dataclass(frozen=True)
class StoredDimension:
    """A table that the lake holds."""

    rows: int
    sha256: str
    """The version of the rows, `Dimension.version`."""
    made_at: str
    """UTC, ISO 8601."""


def dimension_path(name: str) -> str:
    """The path of a table's object."""
    return f"dimensions/{name}.parquet"


class Dimensions:
    """``dimensions/{name}.parquet``."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def store(self, dimension: Dimension) -> bool:
        """Make the table again unless its version is there already; returns whether it did."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        name, version = dimension.table.name, dimension.version
        current = self.stored(name)
        if current is not None and current.sha256 == version:
            return False
        schema = arrow_schema(dimension.table)
        columns = zip(*dimension.rows(), strict=True)
        rows = pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        facts = json.dumps(asdict(StoredDimension(rows.num_rows, version, now)))
        with tempfile.TemporaryDirectory(prefix="taxi_dimensions_") as folder, self._objects.exclusive("dimensions"):
            parquet = Path(folder) / f"{name}.parquet"
            pq.write_table(rows.replace_schema_metadata({FACTS_KEY: facts.encode()}), parquet, compression="zstd")
            self._objects.replace(dimension_path(name), parquet, {"sha256": version})
        return True

    def rows(self, name: str) -> pa.Table | None:
        """The rows, in the order of the key; None if the table was never stored."""
        content = self._objects.read(dimension_path(name))
        return None if content is None else small_table(content)

    def stored(self, name: str) -> StoredDimension | None:
        """What the lake holds of the table; None if it was never stored."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self._objects.read(dimension_path(name))
        if content is None:
            return None
        return StoredDimension(**json.loads(pq.read_schema(pa.BufferReader(content)).metadata[FACTS_KEY.encode()]))
