"""Ctrl-C ends the command within seconds, with one sentence, the exit code 130 and nothing left running.

Belongs here: noticing Ctrl-C, and ending the process in time. Does not: what an interrupted run leaves
(``orchestration.io_managers.isolation``). Stores are made so that a process may end at any moment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import click

__all__ = ["EXIT_CODE", "ends_at_ctrl_c"]

EXIT_CODE = 130
"""128 plus the number of SIGINT, as in shells."""
_PATIENCE = 3.5
"""Seconds that a running month has to end; then the process ends without it."""
_LAST_WORDS = 0.5
"""Further seconds to record in Dagster's instance that the run has ended."""


@contextlib.contextmanager
def ends_at_ctrl_c(
    sentence: Callable[[], str], heard_of: Callable[[], None], abandon: Callable[[], None]
) -> Iterator[threading.Event]:
    """End the process at Ctrl-C, whatever it is doing, even if no Python code could run.

    The interpreter itself writes the signal's number to a pipe, even while the main thread waits inside a store's
    native code. A thread reads the pipe.

    Args:
        sentence: makes the sentence for stderr.
        heard_of: called at once, in a thread of its own.
        abandon: called if the work did not end by itself.

    Returns:
        An event, as a context, that is set at Ctrl-C.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    heard, leaving = threading.Event(), threading.Lock()

    def leave() -> None:
        leaving.acquire()  # never released, so that a second caller waits for the end of the process
        try:
            click.echo(f"\n{sentence()}", err=True)
            sys.stdout.flush()
        finally:
            os._exit(EXIT_CODE)

    def watch() -> None:
        with os.fdopen(reader, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] == signal.SIGINT:
                    break
            else:
                return
        heard.set()
        threading.Thread(target=heard_of, daemon=True).start()
        threading.Event().wait(_PATIENCE)
        last = threading.Thread(target=abandon, daemon=True)
        last.start()
        last.join(_LAST_WORDS)
        leave()

    threading.Thread(target=watch, name="ctrl-c", daemon=True).start()
    try:
        yield heard
    except KeyboardInterrupt:
        leave()
    except BaseException:
        if not heard.is_set():
            raise
        leave()
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
    if heard.is_set():
        leave()
