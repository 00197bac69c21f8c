"""Ctrl-C: once ends the command, with one sentence, the exit code 130 and nothing left running, within seconds.

Belongs here: hearing of it, and ending the process in time. Does not: what a run leaves behind when it is interrupted
(``orchestration.io_managers.isolation``); stores are made so that a process may end at any moment.
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
"""128 and the number of SIGINT, as shells have it."""
_PATIENCE = 3.5
"""Seconds in which a month under way may come to its end; then the process ends without it."""
_LAST_WORDS = 0.5
"""Seconds more for telling Dagster's instance that the run has ended."""


@contextlib.contextmanager
def ends_at_ctrl_c(
    sentence: Callable[[], str], heard_of: Callable[[], None], abandon: Callable[[], None]
) -> Iterator[threading.Event]:
    """End the process at Ctrl-C, wherever the work stands, and even where no Python code would run to hear of it.

    The interpreter itself writes the signal's number to a pipe, also while the main thread waits inside a store's own
    code, and a thread reads it.

    Args:
        sentence: what to say, on stderr.
        heard_of: called at once, in a thread of its own.
        abandon: called where the work did not end by itself.

    Returns:
        The event that is set from Ctrl-C on, as a context.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    heard, leaving = threading.Event(), threading.Lock()

    def leave() -> None:
        leaving.acquire()  # never given back: whoever comes second waits for the end of the process
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
