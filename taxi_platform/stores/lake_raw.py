"""Raw months of a lake: immutable versions, and the manifest that names the current one.

Belongs here: the order of writes that keeps a month's versions whole. Does not: what a manifest says (``manifest``) and
the layers made from raw months (``lake_clean``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from taxi_platform.errors import StoreError
from taxi_platform.keys import asset_name
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth, StagedRaw
from taxi_platform.stores.footers import stored_footer
from taxi_platform.stores.manifest import Manifest
from taxi_platform.stores.objects import Objects

__all__ = ["RawVersions"]


class RawVersions:
    """The layer ``raw`` of a lake; `Lake` says what each method promises."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def manifest(self, month: TripMonth) -> Manifest:
        """What the lake knows of the month; without versions where it was never stored."""
        return self._read(month, self._objects.read(_manifest_path(month)))

    def version(self, month: TripMonth, name: str) -> RawMonth:
        manifest = self.manifest(month)
        if not manifest.versions:
            raw = asset_name("raw", month.dataset)
            raise StoreError(f"the lake {self._objects.url} has no raw {month}: materialize {raw} for it first")
        return manifest.version(name)

    def store(self, staged: StagedRaw) -> RawMonth:
        month = staged.raw.month
        folder = _folder(month)
        raw = replace(staged.raw, path=f"{folder}/{staged.raw.version}.parquet")
        if staged.readable_file is not None:
            raw = replace(raw, readable_path=f"{folder}/{staged.raw.version}.readable.parquet")
        with self._objects.exclusive(folder):
            if raw.readable_path and staged.readable_file:
                self._objects.create(raw.readable_path, staged.readable_file, _attributes(raw))
            size = self._objects.create(raw.path, staged.file, _attributes(raw))
            raw = replace(raw, size=size)
            if size != staged.file.stat().st_size:
                self._check_adopted(raw)
            return _current(self._update(month, lambda manifest: manifest.with_stored(raw)))

    def select(self, month: TripMonth, name: str) -> RawMonth:
        self.version(month, name)
        with self._objects.exclusive(_folder(month)):
            return _current(self._update(month, lambda manifest: manifest.with_current(name)))

    def withdraw(self, month: TripMonth) -> bool:
        if not self.manifest(month).current:
            return False
        with self._objects.exclusive(_folder(month)):
            self._update(month, lambda manifest: manifest.withdrawn())
        return True

    def count(self, raw: RawMonth) -> int:
        """Rows of that version, by its Parquet footer."""
        if footer := stored_footer(self._objects, raw.path):
            return footer.rows
        where = self._objects.uri(raw.path)
        raise StoreError(f"there is no {where}: it was removed by something other than this platform")

    def _read(self, month: TripMonth, content: bytes | None) -> Manifest:
        if content is None:
            return Manifest(month)
        return Manifest.read(month, content, self._objects.uri(_manifest_path(month)))

    def _update(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> Manifest:
        written: list[Manifest] = []

        def changed(content: bytes | None) -> bytes:
            written.append(change(self._read(month, content)))
            return written[-1].to_bytes()

        self._objects.update(_manifest_path(month), changed)
        return written[-1]

    def _check_adopted(self, raw: RawMonth) -> None:
        """An object of this version stands there in another size: right if it has the month's rows all the same.

        Another release of the Parquet writer makes other bytes of the same rows.
        """
        rows = self.count(raw)
        if rows != raw.rows:
            raise StoreError(
                f"{self._objects.uri(raw.path)} has {rows:,} rows, but this version of raw {raw.month} has "
                f"{raw.rows:,}: move that object away, then run it again"
            )


def _current(manifest: Manifest) -> RawMonth:
    current = manifest.current_version
    assert current is not None, "a version was made current"
    return current


def _folder(month: TripMonth) -> str:
    return f"raw/{month.dataset}/month={month.label}"


def _manifest_path(month: TripMonth) -> str:
    return f"{_folder(month)}/manifest.json"


def _attributes(raw: RawMonth) -> dict[str, str]:
    """What the object itself says where a store keeps such facts; the names suit all three clouds."""
    return {
        "source_url": raw.source_url,
        "version": raw.version,
        "sha256": raw.sha256,
        "rows": str(raw.rows),
        "schema_fingerprint": raw.schema_fingerprint,
    }
