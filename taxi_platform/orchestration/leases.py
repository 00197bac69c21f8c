"""Which workers are alive: each holds its run's lease, where everybody sees it who looks after the run.

Belongs here: where the leases of an instance are, and which runs have lost theirs. Does not: how a lease is held
(``machine.leases``, ``stores.postgres.leases``), and what follows when one is lost (``automation.recovery``).

An instance that keeps its record in PostgreSQL has the leases there too, so that workers need not share a disk. Any
other instance is a machine's own, and its leases are files beside it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dagster as dg

from taxi_platform.errors import StoreError
from taxi_platform.stores.postgres.leases import PostgresLeases

__all__ = ["LEASE_TAG", "RunLeases", "ServerLeases", "check_not_lost", "leases_of"]

_LOG = logging.getLogger(__name__)
LEASE_TAG = ".dagster/taxi_lease"
"""The id of the run, on a run that has held its lease. A retry has its parent's tags, and so another run's id. Its
prefix makes the web interface hide the tag."""
_lost: set[str] = set()
"""The runs of this process that were ended from elsewhere while they could not show that they live."""


class RunLeases(Protocol):
    """The leases of the runs of one instance."""

    def hold(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the lease of a run while the context lasts. If that is not possible, the run goes on without one."""

    def lost(self, seen: Mapping[str, float], now: float) -> tuple[list[str], dict[str, float]]:
        """The ids of runs whose worker has gone, and what the next look has to know of this one.

        Args:
            seen: what the last look has left; empty at first.
            now: the time in seconds.
        """

    def forget(self, run_id: str) -> None:
        """Remove what is left of the lease of a run that has ended."""


def leases_of(instance: dg.DagsterInstance, folder: Path, seconds: float) -> RunLeases:
    """The leases of an instance: on its PostgreSQL server, or else as files in the folder.

    Args:
        instance: the instance that records the runs.
        folder: where files are kept.
        seconds: how long a worker may be out of reach before its lease is lost, on a server.
    """
    url = getattr(instance.run_storage, "postgres_url", None)
    return FileLeases(folder) if url is None else ServerLeases(instance, str(url), seconds)


def check_not_lost() -> None:
    """Raise `StoreError` if a run of this process has lost its lease and was ended: another may have its months now."""
    if _lost:
        raise StoreError(
            f"this worker was out of the instance's reach, and its run {min(_lost)} was ended meanwhile: nothing more "
            "is written here; the run's retry goes on with its months"
        )


@dataclass(frozen=True)
class FileLeases:
    """Files that the kernel locks: free at once when the process ends, however it ends."""

    folder: Path

    def hold(self, run_id: str) -> AbstractContextManager[None]:
        """See `RunLeases.hold`."""
        from taxi_platform.machine.leases import lease

        return lease(self.folder, run_id)

    def lost(self, seen: Mapping[str, float], now: float) -> tuple[list[str], dict[str, float]]:  # noqa: ARG002
        """See `RunLeases.lost`; nothing has to be remembered."""
        from taxi_platform.machine.leases import lost

        return lost(self.folder), {}

    def forget(self, run_id: str) -> None:
        """See `RunLeases.forget`."""
        from taxi_platform.machine.leases import forget

        forget(self.folder, run_id)


class ServerLeases:
    """Advisory locks in the instance's own database; a run that has held one says so by its tag `LEASE_TAG`."""

    def __init__(self, instance: dg.DagsterInstance, url: str, seconds: float) -> None:
        """Name the instance, the URL by which SQLAlchemy reaches its database, and the time-out in seconds."""
        from sqlalchemy import make_url

        self._instance = instance
        self._seconds = seconds
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._leases = PostgresLeases(address, seconds)

    @contextlib.contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """See `RunLeases.hold`."""

        def taken() -> None:
            run = self._instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                _LOG.error("the run %s was ended while its worker was out of reach: it stops here", run_id)
                _lost.add(run_id)
            elif run.tags.get(LEASE_TAG) != run_id:
                self._instance.add_run_tags(run_id, {LEASE_TAG: run_id})

        try:
            with self._leases.hold(run_id, taken):
                yield
        finally:
            _lost.discard(run_id)

    def lost(self, seen: Mapping[str, float], now: float) -> tuple[list[str], dict[str, float]]:
        """See `RunLeases.lost`.

        A session may break although its worker lives. So a lease is lost that nobody held in two looks, half of the
        time-out apart.
        """
        started = self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        ours = [run.run_id for run in started if run.tags.get(LEASE_TAG) == run.run_id]
        free = sorted(set(ours) - self._leases.held(ours)) if ours else []
        since = {run_id: seen.get(run_id, now) for run_id in free}
        lost = [run_id for run_id in free if now - since[run_id] >= self._seconds / 2]
        return lost, {run_id: then for run_id, then in since.items() if run_id not in lost}

    def forget(self, run_id: str) -> None:
        """See `RunLeases.forget`; a server keeps no lease that nobody holds."""
