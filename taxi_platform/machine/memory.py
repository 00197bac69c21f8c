"""The memory that Arrow uses in this process.

Belongs here: choosing the pool. Does not: how much a step may hold, which each step bounds by its batches.
"""

from __future__ import annotations

__all__ = ["thrifty_pool"]


def thrifty_pool() -> None:
    """Let Arrow use its jemalloc pool, if the build has it: it returns freed memory, and other pools keep it.

    Called where months are worked on, and never on import: the pool is the whole process's.
    """
    import pyarrow as pa

    if "jemalloc" in pa.supported_memory_backends() and pa.default_memory_pool().backend_name != "jemalloc":
        pa.set_memory_pool(pa.jemalloc_memory_pool())
