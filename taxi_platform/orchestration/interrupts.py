"""How an interrupt (Ctrl-C, a cancelled run) reaches a step that runs beside the main thread.

Belongs here: passing an interrupt on, and where it may arrive. Does not: noticing it (Dagster does, in the main
thread), and what is done about it (``io_managers.isolation``).

Python and Dagster interrupt the main thread alone. There Dagster lets an interrupt in while a step's code works, and
not while its own does. `Interrupts` does the same for a step in another thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from dagster._core.errors import DagsterExecutionInterruptedError

__all__ = ["Interrupts", "interruptible"]

_ROUNDS = 100
"""Of a loop. The interpreter looks at each round whether another thread has raised an error in this one. An error that
has not arrived cannot be taken back: CPython 3.11 then looks again and again, for ever where a profiler is on."""
_OF_THIS_STEP: ContextVar[Interrupts | None] = ContextVar("interrupts", default=None)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Work that an interrupt may end at any line, by an exception; elsewhere a step in a thread is not interrupted.

    Blocking calls of other libraries end first. Without effect in the main thread, where Dagster does this itself.
    """
    interrupts = _OF_THIS_STEP.get()
    if interrupts is None or threading.current_thread() is threading.main_thread():
        yield
    else:
        with interrupts.let_in():
            yield


class Interrupts:
    """The interrupts of one run, for its steps in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: set[int] = set()
        self._is_told = False

    def reach_this_step(self) -> None:
        """Let what this step calls be reached, in this context (``contextvars``) and copies of it."""
        _OF_THIS_STEP.set(self)

    def tell(self) -> None:
        """Raise `DagsterExecutionInterruptedError` in each thread that can be interrupted, now or later."""
        with self._lock:
            if not self._is_told:
                self._is_told = True
                for thread in self._inside:
                    error = ctypes.py_object(DagsterExecutionInterruptedError)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)

    @contextlib.contextmanager
    def let_in(self) -> Iterator[None]:
        """Let an interrupt into this thread while the context lasts."""
        thread = threading.get_ident()
        with self._lock:
            if self._is_told:
                raise DagsterExecutionInterruptedError
            self._inside.add(thread)
        try:
            yield
        finally:
            with self._lock:
                self._inside.discard(thread)
            for _ in range(_ROUNDS):
                pass  # an error that was raised for this thread arrives here at the latest, and not after the context
