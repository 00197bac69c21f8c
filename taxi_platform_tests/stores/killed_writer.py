"""A writer of a month that is killed before one of its steps: ``python -m … LAKE FOLDER WHAT CALLS``.

Belongs here: storing or withdrawing March 2020, with a kill before the call of that number. Does not: what is left of
the month then.

A step on disk is a sync, a rename or a removal; in a cloud it is a request that changes something. A writer that gets
through prints ``done``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore

from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw
from taxi_platform_tests.support.forked import run_module

__all__ = ["is_killed_before"]

_TIMEOUT_SECONDS = 300


def is_killed_before(call: int, lake: str, folder: Path, what: str) -> bool:
    """Let a process write; whether it was killed, and did not get through."""
    root = Path(__file__).resolve().parents[2]
    done = run_module(__name__, [lake, str(folder), what, str(call)], root, os.environ, _TIMEOUT_SECONDS)
    if done.out == "done\n":
        return False
    assert done.code == -signal.SIGKILL, done.err
    return True


def _write(lake: Lake, folder: Path, what: str) -> None:
    if what == "raw":
        lake.store_raw(staged_raw(folder, "v2", rows=7))
    elif what == "clean":
        lake.store_clean(staged_clean(folder, "c2", trips=7))
    else:
        lake.withdraw_raw(MARCH)
        lake.remove_clean(MARCH)


def _kill_before(last: int, module: Any, names: tuple[str, ...]) -> None:
    """Count the calls of these functions, from nought, and let none happen from ``last`` on."""
    count = 0

    def killing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return real(*args, **kwargs)

        return call

    for name in names:
        setattr(module, name, killing(getattr(module, name)))


def _main(lake: str, folder: str, what: str, call: str) -> None:
    if "://" in lake:
        _kill_before(int(call), obstore, ("put", "copy", "delete"))
    else:
        _kill_before(int(call), os, ("replace", "fsync", "unlink"))
    _write(Lake(lake), Path(folder), what)
    print("done")  # noqa: T201 - the answer


if __name__ == "__main__":
    _main(*sys.argv[1:])
