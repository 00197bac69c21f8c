"""The manifest of a raw month: its versions with their provenance, which one is current, and which one is upstream's.

Belongs here: the document and the changes it can undergo, as values. Does not: reading or writing objects (``lake``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from taxi_platform.errors import StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth

__all__ = ["Manifest"]

_SCHEMA_VERSION = 1
"""Of this document; a reader refuses a later one rather than guess."""


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says; without versions before the first one is stored.

    As a rule the current version is the one that upstream had when it was last followed. They differ where a person
    has selected another: that one stays current until upstream has yet another.
    """

    month: TripMonth
    current: str | None = None
    """The version that readers take; None for a withdrawn month."""
    versions: tuple[RawMonth, ...] = ()
    """Oldest first."""
    upstream: str | None = None
    """The version that upstream had when it was last followed; None where it had withdrawn the month."""

    @property
    def current_version(self) -> RawMonth | None:
        return None if self.current is None else self.version(self.current)

    @property
    def upstream_version(self) -> RawMonth | None:
        return None if self.upstream is None else self.version(self.upstream)

    @property
    def is_withdrawn(self) -> bool:
        """There were versions, and none of them is current."""
        return self.current is None and bool(self.versions)

    @property
    def is_selected(self) -> bool:
        """A person has made another version current than upstream's."""
        return self.current is not None and self.current != self.upstream

    def version(self, name: str) -> RawMonth:
        """The version of that name; raises `StoreError` naming those there are."""
        for raw in self.versions:
            if raw.version == name:
                return raw
        known = ", ".join(raw.version for raw in self.versions)
        raise StoreError(f"raw {self.month} has no version {name}: there are {known}")

    def with_stored(self, raw: RawMonth) -> Manifest:
        """That version upstream's and current, last if it is new; of one known already only its provenance changes.

        A selected version stays current while upstream has the bytes that it had.
        """
        current = self.current if raw.version == self.upstream else raw.version
        known = [old for old in self.versions if old.version == raw.version]
        if not known:
            return replace(self, current=current, versions=(*self.versions, raw), upstream=raw.version)
        fresh = replace(
            known[0],
            source_url=raw.source_url,
            source_token=raw.source_token,
            etag=raw.etag,
            fetched_at=raw.fetched_at,
            readable_path=raw.readable_path or known[0].readable_path,
        )
        versions = tuple(fresh if old.version == raw.version else old for old in self.versions)
        return replace(self, current=current, versions=versions, upstream=raw.version)

    def with_current(self, name: str) -> Manifest:
        """A stored version current again; raises `StoreError` naming those there are."""
        return replace(self, current=self.version(name).version)

    def withdrawn(self) -> Manifest:
        """No version current, all of them kept."""
        return replace(self, current=None, upstream=None)

    def to_bytes(self) -> bytes:
        document = {
            "schema_version": _SCHEMA_VERSION,
            "dataset": self.month.dataset,
            "file_month": self.month.partition_key,
            "current": self.current,
            "upstream": self.upstream,
            "versions": [raw.to_json() for raw in self.versions],
        }
        return json.dumps(document, indent=2).encode()

    @classmethod
    def read(cls, month: TripMonth, content: bytes, where: str) -> Manifest:
        """The manifest of that month from its bytes; ``where`` they came from is for the error's sentence.

        Raises:
            StoreError: not a manifest, of a later release, or of another month.
        """
        try:
            document = json.loads(content)
            schema_version = document["schema_version"]
            place = (document["dataset"], document["file_month"])
            if schema_version == _SCHEMA_VERSION and place == (month.dataset, month.partition_key):
                versions = tuple(RawMonth.from_json(month, entry) for entry in document["versions"])
                current = document["current"]
                manifest = cls(month, current, versions, document.get("upstream", current))
                for name in filter(None, (manifest.current, manifest.upstream)):
                    manifest.version(name)
                return manifest
        except (ValueError, KeyError, TypeError, StoreError) as error:
            raise StoreError(
                f"{where} is not a readable manifest of raw {month}: restore it from a backup, or move it away "
                "and materialize the month again"
            ) from error
        if schema_version != _SCHEMA_VERSION:
            raise StoreError(
                f"{where} has schema version {schema_version}, this release knows {_SCHEMA_VERSION}: "
                "use the release that wrote it, or a later one"
            )
        raise StoreError(f"{where} belongs to {place[0]} {place[1]}, not to {month}: put the right manifest there")
