"""Stages of a stream on threads of their own, a bounded few items ahead of one another.

Belongs here: the hand-over. Does not: what any stage does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")


@contextmanager
def ahead(items: Iterable[T], depth: int) -> Iterator[Iterator[T]]:
    """Iterate ``items`` in a thread, at most ``depth`` of them ahead of whoever iterates the result.

    An error of the thread is raised in its turn where the result is iterated. Leaving the context ends the thread.
    """
    made: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    slots, stopped = Semaphore(depth), Event()

    def produce() -> None:
        try:
            for item in items:
                slots.acquire()
                if stopped.is_set():
                    return
                made.put((item,))
        except BaseException as error:  # noqa: BLE001 - it is raised again by the consumer
            made.put(error)
        else:
            made.put(None)

    def consume() -> Iterator[T]:
        while (entry := made.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            slots.release()
            yield entry[0]

    thread = Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        slots.release()
        thread.join()
