"""Whether the worker of a run is still alive: it holds a lock for as long as it is.

Belongs here: taking such a lease, and asking after one. Does not: what follows when a worker is lost
(``orchestration.automation.recovery``).

The kernel gives the lock back when the process ends, however it ends, and knows it across containers. A worker on
another machine, or with a data folder of its own, leaves no lease here: of such a run nothing is said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.machine.locks import try_lock

__all__ = ["forget", "lease", "lost"]

_SUFFIX = ".lease"


@contextlib.contextmanager
def lease(folder: Path, run_id: str) -> Iterator[None]:
    """Hold the lease of a run while the context lasts; where the disk takes no lock, the run goes on without one."""
    descriptor = None
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _new_lease(folder, _path(folder, run_id))
    try:
        yield
    finally:
        if descriptor is not None:
            forget(folder, run_id)
            os.close(descriptor)


def lost(folder: Path) -> list[str]:
    """The runs whose worker took a lease and died with it."""
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}") if _is_lost(path))


def _is_lost(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def forget(folder: Path, run_id: str) -> None:
    """Remove the lease of a run that has ended."""
    with contextlib.suppress(OSError):
        _path(folder, run_id).unlink()


def _path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}{_SUFFIX}"


def _new_lease(folder: Path, path: Path) -> int:
    """The descriptor that holds the lock, which is taken before the file has its name: none is ever seen unlocked."""
    descriptor, unnamed = tempfile.mkstemp(prefix="lease-", dir=folder)
    try:
        # Shared: with another executor, every step of a run has a process of its own.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        Path(unnamed).replace(path)
    except OSError:
        Path(unnamed).unlink()
        os.close(descriptor)
        raise
    return descriptor
