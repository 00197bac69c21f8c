"""Pruning: what of a month nothing needs any more, and its removal when a person asks for that.

Belongs here: the choice, and the order of writes. Does not: superseded pairs of a month that is written, which go by
themselves (``clean``), and what a snapshot names (``snapshots``).

A raw version is needed while it is current, upstream's or selected, while the month's trips were made from it, and
while a snapshot names it. The newest one of a withdrawn month stays. A version must also have been superseded for some
time, because a person may want it back. Its objects go in two steps: the manifest no longer names them, and then they
are removed, unless a snapshot has named them meanwhile. Such objects, and those that a crash left between the two
steps, are found by the next pruning, because no manifest and no snapshot names them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import PurePosixPath

from taxi_platform.months import TripMonth
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import Manifests, month_folder
from taxi_platform.stores.lake.objects.model import Objects
from taxi_platform.stores.lake.snapshots import Snapshots

__all__ = ["Pruning", "Unneeded"]


@dataclass(frozen=True)
class Unneeded:
    """A raw version that nothing needs, or an object that nothing names."""

    month: TripMonth
    name: str
    """The version, or the object's file name."""
    paths: tuple[str, ...]
    """Its objects."""
    size: int
    """Bytes of the first of them."""
    since: str
    """When upstream's next version was taken, or when the object was stored; UTC, ISO 8601."""


class Pruning:
    """Removes raw versions of a lake."""

    def __init__(self, objects: Objects, manifests: Manifests, snapshots: Snapshots) -> None:
        self._objects = objects
        self._manifests = manifests
        self._snapshots = snapshots

    def unneeded(self, months: Iterable[TripMonth], age: timedelta) -> Iterator[Unneeded]:
        """What nothing needs of these months since longer than ``age`` ago."""
        kept, before = self._snapshots.kept_paths(), _now() - age
        for month in months:
            manifest = self._manifests.read(month)
            yield from _old_versions(manifest, kept, before)
            yield from self._unnamed(manifest, kept, before)

    def remove(self, month: TripMonth, age: timedelta) -> list[Unneeded]:
        """Remove what `unneeded` finds; returns what was removed."""
        versions: list[Unneeded] = []

        def change(manifest: Manifest) -> Manifest:
            versions[:] = _old_versions(manifest, self._snapshots.kept_paths(), _now() - age)
            return manifest.without_versions({old.name for old in versions})

        with self._objects.exclusive(month_folder("raw", month)):
            if not any(self.unneeded([month], age)):
                return []
            manifest = self._manifests.update(month, change)
            kept = self._snapshots.kept_paths()
            gone = [old for old in versions if not kept & set(old.paths)]
            found = [*gone, *self._unnamed(manifest, kept, _now() - age, {path for old in gone for path in old.paths})]
            self._objects.discard([path for old in found for path in old.paths])
        return found

    def _unnamed(
        self, manifest: Manifest, kept: frozenset[str], before: datetime, without: Collection[str] = ()
    ) -> Iterator[Unneeded]:
        """Raw objects that nothing names, and that are too old to be those of a running writer."""
        named = {path for raw in manifest.versions for path in (raw.path, raw.readable_path)}
        oldest = min(before, _now() - self._objects.unfinished_age)
        for path, stored in self._objects.ages(month_folder("raw", manifest.month)).items():
            is_named = path in named or path in kept or path in without
            if path.endswith(".parquet") and not is_named and stored <= oldest:
                name, since = PurePosixPath(path).name, stored.isoformat(timespec="seconds")
                yield Unneeded(manifest.month, name, (path,), self._objects.size(path) or 0, since)


def _old_versions(manifest: Manifest, kept: frozenset[str], before: datetime) -> list[Unneeded]:
    needed = {
        manifest.current,
        manifest.upstream,
        manifest.selection and manifest.selection.version,
        manifest.clean and manifest.clean.facts.raw_version,
    }
    # Versions are in the order in which upstream last had them.
    return [
        Unneeded(manifest.month, raw.version, tuple(filter(None, (raw.path, raw.readable_path))), raw.size, since)
        for raw, since in ((raw, after.fetched_at) for raw, after in pairwise(manifest.versions))
        if raw.version not in needed and raw.path not in kept and datetime.fromisoformat(since) <= before
    ]


def _now() -> datetime:
    return datetime.now(timezone.utc)
