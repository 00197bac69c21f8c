"""Snapshots: names for the months of a lake as they are, which nothing deletes and which can come back.

Belongs here: the documents and what is done by them. Does not: what becomes current (``manifest``), and pruning
(``pruning``). One object a snapshot::

    snapshots/{name}.json

It names the raw version and the pair of trips and quarantine of every month, with the sha256 of each object. It is
written twice: first without checksums, which keeps the objects while they are read, and then whole. A snapshot whose
command was killed between the two is unfinished: it keeps its objects, and can be made again or deleted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from taxi_platform.errors import DamagedError, SettingsError, StoreError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import CleanMonth, RawMonth, RestoredMonth
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import Manifests
from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["KeptMonth", "Snapshot", "Snapshots"]

_FOLDER = "snapshots"
_SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BLOCK = 1 << 20
_READ_AT_ONCE = 4
"""Objects that are read at a time: more than cores, because a bucket answers slowly."""


@dataclass(frozen=True)
class KeptMonth:
    """One month of a snapshot."""

    raw: RawMonth
    clean: CleanMonth

    @property
    def month(self) -> TripMonth:
        """The month."""
        return self.clean.month

    @property
    def sizes(self) -> Mapping[str, int | None]:
        """Every object of the month → its bytes; None where the manifest does not say them."""
        readable = {self.raw.readable_path: None} if self.raw.readable_path else {}
        pair = {self.clean.trips_path: self.clean.trips_size, self.clean.quarantine_path: self.clean.quarantine_size}
        return {self.raw.path: self.raw.size, **readable, **pair}

    def is_current_in(self, manifest: Manifest) -> bool:
        """Whether the month has this version and this pair."""
        clean = manifest.clean
        return (manifest.current, clean and clean.trips_path) == (self.raw.version, self.clean.trips_path)


@dataclass(frozen=True)
class Snapshot:
    """The content of ``snapshots/{name}.json``."""

    name: str
    made_at: str
    """UTC, ISO 8601."""
    lake: str
    """The id of the lake (``identity``)."""
    months: tuple[KeptMonth, ...]
    """In the order of datasets and months."""
    checksums: Mapping[str, str]
    """Path of an object → its sha256; empty in an unfinished snapshot."""
    note: str | None = None
    """What a person wanted to say of it."""

    @property
    def is_finished(self) -> bool:
        """Whether every object was read."""
        return self.checksums.keys() == self.paths

    @property
    def paths(self) -> frozenset[str]:
        """Every object that the snapshot names."""
        return frozenset(path for month in self.months for path in month.sizes)

    @property
    def digest(self) -> str:
        """The sha256 of the sorted list of checksums and paths, as ``sha256sum`` writes it: equal means equal bytes."""
        lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(self.checksums.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def find(self, month: TripMonth) -> KeptMonth:
        """That month; raises `StoreError` if the snapshot does not have it."""
        for kept in self.months:
            if kept.month == month:
                return kept
        raise StoreError(f"the snapshot {self.name} has no {month}: taxi snapshot show {self.name} lists its months")

    def to_bytes(self) -> bytes:
        """The snapshot as its object has it."""
        document = {
            "schema_version": _SCHEMA_VERSION,
            "name": self.name,
            "made_at": self.made_at,
            "lake": self.lake,
            "note": self.note,
            "months": [_entry(month) for month in self.months],
            "sha256": dict(sorted(self.checksums.items())),
        }
        return json.dumps(document, indent=1).encode()

    @classmethod
    def read(cls, content: bytes, where: str) -> Snapshot:
        """Read what `to_bytes` wrote; ``where`` is the object's address, for the error's sentence.

        Raises:
            DamagedError: it is not a snapshot.
            StoreError: a later release wrote it.
        """
        try:
            document = json.loads(content)
            schema_version = document["schema_version"]
            if schema_version == _SCHEMA_VERSION:
                months = tuple(_kept(entry) for entry in document["months"])
                return cls(
                    document["name"],
                    document["made_at"],
                    document["lake"],
                    months,
                    document["sha256"],
                    document["note"],
                )
        except (ValueError, KeyError, TypeError, AttributeError, SettingsError) as error:
            raise DamagedError(f"{where} is not a readable snapshot: restore it from a backup, or remove it") from error
        raise StoreError(
            f"{where} has schema version {schema_version}, this release knows {_SCHEMA_VERSION}: use the release that "
            "wrote it, or a later one"
        )


class Snapshots:
    """The snapshots of a lake."""

    def __init__(self, objects: Objects, manifests: Manifests) -> None:
        self._objects = objects
        self._manifests = manifests

    def create(
        self,
        name: str,
        months: Iterable[TripMonth],
        lake: str,
        note: str | None = None,
        progress: Callable[[TripMonth], object] = lambda _: None,
    ) -> Snapshot:
        """Name these months as they are, after reading every byte of their objects.

        Args:
            name: up to 64 letters, digits, dots, hyphens and underscores.
            months: months of the lake; withdrawn ones are left out.
            lake: the lake's id.
            note: what a person says of it.
            progress: called with each month that was read.

        Raises:
            SettingsError: the name cannot be used.
            StoreError: there is a finished snapshot of that name, a month has no trips of its current version, or
                there is no month. Nothing is named then.
            DamagedError: an object is missing, or has not the size that was stored; nothing is named then.
        """
        self._path(name)
        kept = tuple(self._as_they_are(months))
        if not kept:
            raise StoreError(f"the lake {self._objects.url} has no such month: there is nothing to name")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        snapshot = Snapshot(name, now, lake, kept, {}, note)
        self._write(snapshot)
        try:
            self._check_unchanged(snapshot)
            snapshot = replace(snapshot, checksums=self._checksums(kept, progress))
        except BaseException:
            self.delete(name)
            raise
        self._write(snapshot)
        return snapshot

    def _check_unchanged(self, snapshot: Snapshot) -> None:
        """Check that the manifests still name every object, so that nobody removes one.

        Who removes an object takes it out of the manifest first, and looks at the snapshots after that.
        """
        if self._as_they_are(kept.month for kept in snapshot.months) != list(snapshot.months):
            raise StoreError(f"months changed while the snapshot {snapshot.name} was made: make it again")

    def _as_they_are(self, months: Iterable[TripMonth]) -> list[KeptMonth]:
        kept = []
        for month in months:
            manifest = self._manifests.read(month)
            raw, clean = manifest.current_version, manifest.clean
            if raw is None and clean is None:
                continue  # withdrawn, or refused from the first
            if raw is None or clean is None or clean.facts.raw_version != raw.version:
                raise StoreError(
                    f"{month} has no trips of its current raw version: bring it with taxi run --behind first, or name "
                    "other months with --datasets and --months"
                )
            kept.append(KeptMonth(raw, clean))
        return kept

    def read(self, name: str) -> Snapshot:
        """The snapshot of that name; raises `StoreError`, which names the existing ones, if there is none."""
        content = self._objects.read(self._path(name))
        if content is None:
            known = ", ".join(self.names())
            there = f"it has {known}" if known else "make it with taxi snapshot create"
            raise StoreError(f"the lake {self._objects.url} has no snapshot {name}: {there}")
        return self._parsed(name, content)

    def names(self) -> list[str]:
        """Every snapshot, in alphabetical order."""
        paths = (PurePosixPath(path) for path in self._objects.paths(_FOLDER))
        return sorted(path.stem for path in paths if path.suffix == ".json")

    def all(self) -> list[Snapshot]:
        """Every snapshot, oldest first."""
        read = ((name, self._objects.read(self._path(name))) for name in self.names())
        found = [self._parsed(name, content) for name, content in read if content is not None]
        return sorted(found, key=lambda snapshot: snapshot.made_at)

    def kept_paths(self) -> frozenset[str]:
        """Every object that a snapshot names, unfinished ones included; raises `DamagedError` if one cannot be read.

        So nothing is deleted while it is unknown what a snapshot names.
        """
        return frozenset(path for snapshot in self.all() for path in snapshot.paths)

    def problems(self, snapshot: Snapshot, progress: Callable[[TripMonth], object] = lambda _: None) -> Iterator[str]:
        """Read every byte of the snapshot's objects, and say in a sentence what of them is not what it was."""
        for kept in snapshot.months:
            for path, size in kept.sizes.items():
                try:
                    digest = self._sha256(path, size)
                except DamagedError as error:
                    yield str(error)
                    continue
                if digest != snapshot.checksums.get(path):
                    yield f"{self._objects.uri(path)} has other bytes than when the snapshot {snapshot.name} was made"
            progress(kept.month)

    def restorable(self, name: str, month: TripMonth) -> RestoredMonth:
        """The month as that snapshot has it; raises `StoreError` if it has not, or is unfinished."""
        snapshot = self.read(name)
        if not snapshot.is_finished:
            raise StoreError(f"the snapshot {name} is unfinished: make it again with taxi snapshot create {name}")
        kept = snapshot.find(month)
        return RestoredMonth(name, kept.raw, kept.clean)

    def delete(self, name: str) -> None:
        """Forget the snapshot of that name; its objects stay until something else removes them."""
        path = self._path(name)
        with self._objects.exclusive(_FOLDER):
            self._objects.remove(path)

    def _write(self, snapshot: Snapshot) -> None:
        path = self._path(snapshot.name)

        def change(content: bytes | None) -> bytes:
            if content is not None:
                there = self._parsed(snapshot.name, content)
                if there.is_finished:
                    raise StoreError(
                        f"the lake {self._objects.url} has a snapshot {snapshot.name} of {there.made_at}: choose "
                        "another name"
                    )
            return snapshot.to_bytes()

        with self._objects.exclusive(_FOLDER):
            self._objects.update(path, change)

    def _checksums(self, months: Sequence[KeptMonth], progress: Callable[[TripMonth], object]) -> Mapping[str, str]:
        def of(kept: KeptMonth) -> dict[str, str]:
            return {path: self._sha256(path, size) for path, size in kept.sizes.items()}

        found: dict[str, str] = {}
        with ThreadPoolExecutor(_READ_AT_ONCE, thread_name_prefix="snapshot") as readers:
            try:
                for kept, checksums in zip(months, readers.map(of, months), strict=True):
                    found |= checksums
                    progress(kept.month)
            except BaseException:
                readers.shutdown(wait=False, cancel_futures=True)
                raise
        return found

    def _sha256(self, path: str, size: int | None) -> str:
        """The digest of an object; raises `DamagedError` if it is missing, or has not that many bytes."""
        stream = self._objects.open(path)
        if stream is None:
            raise DamagedError(f"there is no {self._objects.uri(path)}: taxi status says what of the lake is damaged")
        digest, read = hashlib.sha256(), 0
        with stream:
            for block in iter(partial(stream.read, _BLOCK), b""):
                digest.update(block)
                read += len(block)
        if size is not None and read != size:
            raise DamagedError(f"{self._objects.uri(path)} has {read:,} bytes, where {size:,} were stored")
        return digest.hexdigest()

    def _parsed(self, name: str, content: bytes) -> Snapshot:
        return Snapshot.read(content, self._objects.uri(self._path(name)))

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"{name!r} cannot name a snapshot: take up to 64 letters, digits, dots, hyphens and underscores, and "
                "begin with a letter or digit"
            )
        return f"{_FOLDER}/{name}.json"


def _entry(kept: KeptMonth) -> dict[str, Any]:
    return {
        "dataset": kept.month.dataset,
        "file_month": kept.month.label,
        "raw": kept.raw.to_json(),
        "clean": kept.clean.to_json(),
    }


def _kept(entry: Mapping[str, Any]) -> KeptMonth:
    month = TripMonth(entry["dataset"], parse_month(entry["file_month"]))
    return KeptMonth(RawMonth.from_json(month, entry["raw"]), CleanMonth.from_json(month, entry["clean"]))
