"""Runs the stages of a stream on threads of their own, each at most a few items ahead of the next.

Belongs here: handing items from thread to thread. Does not: what a stage does.
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
    """Iterate ``items`` in a thread, at most ``depth`` items ahead of the consumer of the result.

    An error in the thread is raised from the result, after the items that came before it. Leaving the context ends the
    thread.
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
