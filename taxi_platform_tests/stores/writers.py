"""Writers of a month in processes of their own: one that is killed before one of its steps, or several at once.

Belongs here: storing or withdrawing March 2020. Does not: what is left of the month then.

A step on disk is a sync, a rename or a removal; in a cloud it is a request that changes something.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import obstore

from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw
from taxi_platform_tests.support.forked import Done, run_module

__all__ = ["exit_codes_of_writers_at_once", "is_killed_before"]

_TIMEOUT_SECONDS = 300


def exit_codes_of_writers_at_once(lake: str, folder: Path, names: Sequence[str]) -> list[int]:
    """Of one process a name: each stores a raw and a clean month of that name with as many rows."""
    done = _run("at once", lake, str(folder), *names)
    assert done.code == 0, done.err
    codes: list[int] = json.loads(done.out)
    return codes


def is_killed_before(call: int, lake: str, folder: Path, what: str) -> bool:
    """Let a process write; whether it was killed, and did not get through."""
    done = _run("killed", lake, str(folder), what, str(call))
    if done.out == "done\n":
        return False
    assert done.code == -signal.SIGKILL, done.err
    return True


def _run(*arguments: str) -> Done:
    root = Path(__file__).resolve().parents[2]
    return run_module(__name__, arguments, root, os.environ, _TIMEOUT_SECONDS)


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


def _killed(lake: str, folder: str, what: str, call: str) -> None:
    if "://" in lake:
        _kill_before(int(call), obstore, ("put", "copy", "delete"))
    else:
        _kill_before(int(call), os, ("replace", "fsync", "unlink"))
    _write(Lake(lake), Path(folder), what)
    print("done")  # noqa: T201 - the answer


def _at_once(lake: str, folder: str, *names: str) -> None:
    """Fork while this process has no thread but one."""
    writers = []
    for name in names:
        writer = os.fork()
        if not writer:
            Lake(lake).store_raw(staged_raw(Path(folder) / name, f"v{name}", rows=int(name)))
            Lake(lake).store_clean(staged_clean(Path(folder) / name, f"c{name}", trips=int(name)))
            os._exit(0)
        writers.append(writer)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) for writer in writers]))  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1] == "killed":
        _killed(*sys.argv[2:])
    else:
        _at_once(*sys.argv[2:])
