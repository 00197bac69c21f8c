"""Raw months of a lake: versions that never change, of which the manifest names the current one.

Belongs here: the order of writes that keeps a month's versions whole. Does not: what a manifest says (``manifest``) and
the layers made from raw months (``clean``).
"""

from __future__ import annotations

import hashlib
import io
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth, Refusal, StagedRaw
from taxi_platform.stores.lake.footers import existing_footer, rows_read
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import Manifests, month_folder
from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["RawVersions"]

_LOG = logging.getLogger(__name__)
_MAGIC = b"PAR1"
_COMPARED_AT_ONCE = 1 << 20


class RawVersions:
    """The layer ``raw`` of a lake; `Lake` says what each method promises."""

    def __init__(self, objects: Objects, manifests: Manifests) -> None:
        self._objects = objects
        self._manifests = manifests

    def version(self, month: TripMonth, name: str) -> RawMonth:
        """The named version of a month; raises `StoreError` if the lake does not have it."""
        manifest = self._manifests.read(month)
        if not manifest.versions:
            raise StoreError(f"the lake {self._objects.url} has no raw {month}: materialize its raw asset first")
        return manifest.version(name)

    def store(self, staged: StagedRaw) -> Manifest:
        """Store a version and make it upstream's; see `Lake.store_raw`."""
        month = staged.raw.month
        folder = month_folder("raw", month)
        raw = replace(staged.raw, path=f"{folder}/{staged.raw.version}.parquet")
        if staged.readable_file is not None:
            raw = replace(raw, readable_path=f"{folder}/{staged.raw.version}.readable.parquet")
        with self._objects.exclusive(folder):
            if raw.readable_path and staged.readable_file:
                self._put(raw, raw.readable_path, staged.readable_file)
            self._put(raw, raw.path, staged.file)
            raw = replace(raw, size=self._objects.size(raw.path) or 0)
            return self._manifests.update(month, lambda m: m.with_stored(raw, lift_refusal=staged.lifts_refusal))

    def select(self, month: TripMonth, name: str, *, accept_changed_format: bool) -> Manifest:
        """Make a stored version current; raises `DamagedError` if its object is damaged."""
        raw = self.version(month, name)
        if problem := self.problem(raw):
            raise DamagedError(f"{problem}: choose another version of {month}, or restore that object from a backup")
        return self._changed(month, lambda m: m.with_selected(name, accept_changed_format=accept_changed_format))

    def refuse(self, month: TripMonth, name: str, refusal: Refusal) -> Manifest:
        """Record that cleaning refused a version."""
        return self._changed(month, lambda manifest: manifest.refused(name, refusal))

    def accept(self, month: TripMonth, name: str, *, accept_changed_format: bool) -> Manifest:
        """Record that a version may be cleaned again, or in whatever format it has."""
        return self._changed(month, lambda m: m.accepted(name, accept_changed_format=accept_changed_format))

    def repair(self, month: TripMonth) -> Manifest:
        """Write a damaged or missing manifest anew from the month's objects."""
        try:
            manifest = self._manifests.read(month)
        except DamagedError as error:
            _LOG.warning("%s: %s", month, error)
        else:
            if manifest.versions or not self._objects.ages(month_folder("raw", month)):
                return manifest
        return self._changed(month, lambda manifest: manifest)

    def withdraw(self, month: TripMonth) -> bool:
        """Record that upstream no longer has the month; returns whether that ended a current version."""
        manifest = self._manifests.read(month)
        if manifest.is_withdrawn or not manifest.versions:
            return False
        self._changed(month, lambda manifest: manifest.withdrawn())
        return manifest.current is not None

    def count(self, raw: RawMonth) -> int:
        """Rows of that version, by its Parquet footer."""
        return existing_footer(self._objects, raw.path, raw.size).rows

    def problem(self, raw: RawMonth) -> str | None:
        """What is wrong with the objects of that version, as far as sizes and footers tell; None where nothing is."""
        try:
            footer = existing_footer(self._objects, raw.path, raw.size)
            readable = footer if raw.readable_path is None else existing_footer(self._objects, raw.readable_path)
        except DamagedError as error:
            return str(error)
        if (footer.rows, footer.size, readable.rows) == (raw.rows, raw.size, raw.rows):
            return None
        where = self._objects.uri(raw.path)
        return f"{where} or its readable copy has not the {raw.rows:,} rows (in {raw.size:,} bytes) that were stored"

    def set_aside_unreadable(self, raw: RawMonth) -> str | None:
        """Read every page of that version; an object that does not read is moved aside, and why is returned.

        One that is byte for byte what upstream published stays: fetching it again would change nothing.
        """
        try:
            rows_read(self._objects, raw.path)
        except DamagedError as error:
            with self._objects.exclusive(month_folder("raw", raw.month)), self._objects.local_copy(raw.path) as file:
                if _sha256(file) == raw.sha256:
                    return None
                self._objects.create(f"{raw.path}.damaged-{secrets.token_hex(4)}", file, _attributes(raw))
                self._objects.remove(raw.path)
            return str(error)
        return None

    def problem_at_a_glance(self, raw: RawMonth) -> str | None:
        """The same as `problem` for the object that views read, without reading its footer."""
        path = raw.view_path
        stream = self._objects.open(path, raw.size if path == raw.path else None)
        if stream is None:
            return f"there is no {self._objects.uri(path)}"
        with stream:
            size = stream.seek(0, io.SEEK_END)
            if size >= len(_MAGIC) and (size == raw.size or path != raw.path):
                stream.seek(-len(_MAGIC), io.SEEK_END)
                if stream.read() == _MAGIC:
                    return None
        return f"{self._objects.uri(path)} is not the file that was stored"

    def _changed(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> Manifest:
        with self._objects.exclusive(month_folder("raw", month)):
            return self._manifests.update(month, change)

    def _put(self, raw: RawMonth, path: str, file: Path) -> None:
        """Create the object. An existing one stays if it can be read and has the month's rows.

        Another release of the Parquet writer makes other bytes of the same rows.
        """
        if self._objects.size(path) is None:
            if self._objects.create(path, file, _attributes(raw)) == file.stat().st_size:
                return
        elif self._has_bytes_of(path, file):
            return
        try:
            rows = rows_read(self._objects, path)
        except DamagedError as error:
            _LOG.warning("%s; it is replaced", error)
            self._objects.replace(path, file, _attributes(raw))
            return
        if rows != raw.rows:
            raise StoreError(
                f"{self._objects.uri(path)} has {rows:,} rows, but this version of raw {raw.month} has "
                f"{raw.rows:,}: move that object away, then run it again"
            )

    def _has_bytes_of(self, path: str, file: Path) -> bool:
        stream = self._objects.open(path)
        if stream is None:
            return False
        with stream, file.open("rb") as staged:
            while block := staged.read(_COMPARED_AT_ONCE):
                if stream.read(len(block)) != block:
                    return False
            return not stream.read(1)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_COMPARED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


def _attributes(raw: RawMonth) -> dict[str, str]:
    """What the object itself says where a store keeps such facts; the names suit all three clouds."""
    return {
        "source_url": raw.source_url,
        "version": raw.version,
        "sha256": raw.sha256,
        "rows": str(raw.rows),
        "schema_fingerprint": raw.schema_fingerprint,
    }
