"""Small Parquet objects, read as a whole from bytes: the zone lookup, and tables that the platform makes by itself.

Belongs here: what must hold for every such read. Does not: their paths and rows (``lake``, ``dimensions``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["small_table"]


def small_table(content: bytes) -> pa.Table:
    """The rows of a Parquet object.

    Read without Arrow's threads: one of them may let go of the bytes, which are Python's, a moment after the rows are
    here. Where the command ends in that moment, the interpreter ends the thread within C++, which aborts the process.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(use_threads=False)
