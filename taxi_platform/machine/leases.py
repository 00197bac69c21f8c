"""Shows whether the worker of a run is alive: the worker holds a file lock, its lease, for as long as it lives.

Belongs here: taking a lease, and looking at leases. Does not: what follows when a worker is lost
(``orchestration.automation.recovery``).

The kernel releases the lock when the process ends, however it ends, and this works across containers. A worker on
another machine, or with another data folder, leaves no lease here; nothing is said about its run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.machine.locks import try_lock

__all__ = ["forget", "lease", "lost"]

_SUFFIX = ".lease"


@contextlib.contextmanager
def lease(folder: Path, run_id: str) -> Iterator[None]:
    """Hold the lease of a run while the context lasts. If the disk supports no locks, the run goes on without one."""
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
    """The ids of runs whose worker died while it held a lease."""
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}") if _is_lost(path))


def _is_lost(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def forget(folder: Path, run_id: str) -> None:
    """Remove the lease of a run that has ended, if there is one."""
    with contextlib.suppress(OSError):
        _path(folder, run_id).unlink()


def _path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}{_SUFFIX}"


def _new_lease(folder: Path, path: Path) -> int:
    """Make the lease file and return the descriptor that holds its lock.

    A temporary file is locked first and then renamed, so that no reader sees the lease unlocked.
    """
    descriptor, unnamed = tempfile.mkstemp(prefix="lease-", dir=folder)
    try:
        # A shared lock, because with some executors every step of a run is a process of its own.
        try_lock(descriptor, shared=True)  # nobody else knows the file
        Path(unnamed).replace(path)
    except OSError:
        Path(unnamed).unlink()
        os.close(descriptor)
        raise
    return descriptor
