"""Looking at many months of a lake, several at a time.

Belongs here: how many at a time. Does not: what is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["each"]

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 16
"""In a bucket each month takes a few requests, whose answers take far longer than their work here."""


def each(look: Callable[[T], R], things: Iterable[T]) -> dict[T, R]:
    """Every thing → what ``look`` returns of it, in the order of the things.

    Raises:
        Exception: what the first of them raises, in that order.
    """
    given = list(things)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
        return dict(zip(given, pool.map(look, given), strict=True))
