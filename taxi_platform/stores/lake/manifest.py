"""The manifest of a month: its raw versions with their provenance, which one is current, and the clean pair.

Belongs here: the document and its possible changes, as values. Does not: reading or writing objects (``manifests``).
Everything that a reader must know about a month is in this one document, so that a month changes in one write.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from taxi_platform.errors import DamagedError, RefusedMonthError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, RawMonth, Refusal, as_declared

__all__ = ["Manifest", "Selection", "SupersededPair"]

_SCHEMA_VERSION = 2
"""Version of the document's form. A reader refuses a later one rather than guess. Schema 1 has no clean pairs."""


@dataclass(frozen=True)
class Selection:
    """A person made another version current than upstream's."""

    version: str
    over: str | None
    """Upstream's version at that time. The selection ends when upstream has another one that was not refused."""
    snapshot: str | None = None
    """The snapshot that the month was restored from; None if the person chose the version alone."""
    pair: str | None = None
    """The data version of the snapshot's clean pair. It stays, whatever rules this release has, as long as it is the
    month's pair."""

    def to_json(self) -> dict[str, str | None]:
        """The entry of a manifest; without what only a snapshot sets, so that earlier releases read the others."""
        always = {"version", "over"}
        return {key: value for key, value in asdict(self).items() if value is not None or key in always}


@dataclass(frozen=True)
class SupersededPair:
    """A clean pair that was the month's current one; readers may still use it."""

    trips_path: str
    quarantine_path: str
    superseded_at: str
    """UTC, ISO 8601."""

    @property
    def paths(self) -> tuple[str, str]:
        """The two objects of the pair: trips, then quarantine."""
        return self.trips_path, self.quarantine_path


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``; without versions before the first one is stored.

    Usually the newest version is upstream's, and it is current. A refused version is never current. A person can select
    another version than upstream's.
    """

    month: TripMonth
    versions: tuple[RawMonth, ...] = ()
    """In the order in which upstream last had them, so that the last one is upstream's."""
    upstream: str | None = None
    """Upstream's version when it was last taken; None if upstream had withdrawn the month."""
    selection: Selection | None = None
    clean: CleanMonth | None = None
    """The current pair of clean and rejected rows."""
    superseded: tuple[SupersededPair, ...] = ()
    """Earlier pairs whose objects still exist, oldest first."""

    @property
    def current(self) -> str | None:
        """The version that readers take: the selected one, otherwise the newest that was not refused.

        None if there is none, or if the month is withdrawn.
        """
        if self.is_selected:
            assert self.selection is not None
            return self.selection.version
        if self.upstream is None:
            return None
        return next((raw.version for raw in reversed(self.versions) if raw.refused is None), None)

    @property
    def current_version(self) -> RawMonth | None:
        """The version that trips are made from; None if there is none."""
        return None if self.current is None else self.version(self.current)

    @property
    def upstream_version(self) -> RawMonth | None:
        """The version that upstream has; None if there is none."""
        return None if self.upstream is None else self.version(self.upstream)

    @property
    def is_withdrawn(self) -> bool:
        """Whether there were versions, upstream has withdrawn them, and nobody has selected one since."""
        return bool(self.versions) and self.upstream is None and not self.is_selected

    @property
    def is_selected(self) -> bool:
        """Whether a person made another version current than upstream's."""
        if self.selection is None:
            return False
        if self.selection.over == self.upstream:
            return True
        upstream = self.upstream_version
        return upstream is not None and upstream.refused is not None

    @property
    def restored_from(self) -> str | None:
        """The snapshot whose version and pair the month has; None where that is not so, or no longer.

        Such a pair is current although this release might clean the version otherwise.
        """
        if self.clean is None or not self.is_selected:
            return None
        assert self.selection is not None
        is_its_pair = (self.clean.facts.version, self.clean.facts.raw_version) == (
            self.selection.pair,
            self.selection.version,
        )
        return self.selection.snapshot if is_its_pair else None

    @property
    def refusal(self) -> str | None:
        """Why upstream's version is not taken; None if it is, or if a person selected another one."""
        upstream = self.upstream_version
        if upstream is None or upstream.refused is None:
            return None
        is_answered = self.selection is not None and self.selection.over == self.upstream
        return None if is_answered else upstream.refused.sentence

    def find(self, name: str) -> RawMonth | None:
        """The version of that name; None if there is none."""
        return next((raw for raw in self.versions if raw.version == name), None)

    def version(self, name: str) -> RawMonth:
        """The version of that name; raises `StoreError`, which names the existing ones."""
        if raw := self.find(name):
            return raw
        known = ", ".join(raw.version for raw in self.versions)
        raise StoreError(f"raw {self.month} has no version {name}: there are {known}")

    # ---- what becomes of it

    def with_stored(self, raw: RawMonth, *, lift_refusal: bool = False) -> Manifest:
        """The manifest with that version as upstream's; of a known version only provenance and acceptance change.

        A selected version stays current while upstream has the bytes that it had then, or others that cleaning refuses.
        """
        known = self.find(raw.version)
        if known is not None:
            consents = known.accepts_changed_format or raw.accepts_changed_format
            refused = None if raw.accepts_changed_format or lift_refusal else known.refused
            readable = raw.readable_path or known.readable_path
            raw = replace(raw, accepts_changed_format=consents, refused=refused, readable_path=readable)
        others = tuple(old for old in self.versions if old.version != raw.version)
        is_kept = self.is_selected or raw.version == self.upstream
        return replace(
            self,
            versions=(*others, raw),
            upstream=raw.version,
            selection=self.selection if is_kept else None,  # a selection that has ended must not come back
        )

    def with_selected(self, name: str, *, accept_changed_format: bool = False) -> Manifest:
        """The manifest with a stored version selected as current.

        Raises:
            StoreError: there is no such version; the sentence names the existing ones.
            RefusedMonthError: cleaning refused it, and nobody accepts its format.
        """
        refused = self.version(name).refused
        if refused is not None and not accept_changed_format:
            raise RefusedMonthError(
                f"version {name} of {self.month} was refused, and is selected with --accept-changed-format only: "
                f"{refused.sentence}"
            )
        manifest = self.accepted(name, accept_changed_format=True) if accept_changed_format else self
        return replace(manifest, selection=None if name == self.upstream else Selection(name, self.upstream))

    def refused(self, name: str, refusal: Refusal) -> Manifest:
        """The manifest with that version refused: it is not current until it is accepted."""
        return self._with_version(replace(self.version(name), refused=refusal))

    def accepted(self, name: str, *, accept_changed_format: bool) -> Manifest:
        """The manifest without the refusal of that version; with any format if a person accepts it."""
        raw = self.version(name)
        consents = raw.accepts_changed_format or accept_changed_format
        return self._with_version(replace(raw, refused=None, accepts_changed_format=consents))

    def withdrawn(self) -> Manifest:
        """The manifest without a current version; all versions stay."""
        return replace(self, upstream=None, selection=None)

    def with_clean(self, clean: CleanMonth | None, now: datetime) -> Manifest:
        """The manifest with that pair as current, or with none; the previous pair is superseded at ``now``."""
        # Once upstream's version is taken, the selection that it ended must not come back; nor a snapshot's pair once
        # the version is cleaned anew.
        has_ended = clean is not None and clean.facts.raw_version == self.current == self.upstream
        superseded, before = self.superseded, self.clean
        if before is not None and (clean is None or before.trips_path != clean.trips_path):
            old = SupersededPair(before.trips_path, before.quarantine_path, now.isoformat(timespec="seconds"))
            superseded = (*superseded, old)
        return replace(self, clean=clean, superseded=superseded, selection=None if has_ended else self.selection)

    def with_restored(self, raw: RawMonth, clean: CleanMonth, snapshot: str, now: datetime) -> Manifest:
        """The manifest with a snapshot's version and pair as current, until upstream has another version than now."""
        known = self.find(raw.version)
        before = self._with_version(replace(known, refused=None)).versions if known else (raw, *self.versions)
        restored = replace(self, versions=before).with_clean(clean, now)
        superseded = tuple(pair for pair in restored.superseded if pair.trips_path != clean.trips_path)
        selection = Selection(raw.version, self.upstream, snapshot, clean.facts.version)
        return replace(restored, superseded=superseded, selection=selection)

    def without_versions(self, names: Collection[str]) -> Manifest:
        """The manifest without those versions, none of which anything else in it names."""
        needed = {self.current, self.upstream, self.selection.version if self.selection else None}
        assert not needed & set(names), "the caller leaves out what is needed"
        return replace(self, versions=tuple(raw for raw in self.versions if raw.version not in names))

    def without_expired(self, now: datetime, grace: timedelta) -> Manifest:
        """The manifest without the pairs that were superseded longer than ``grace`` ago."""
        kept = tuple(pair for pair in self.superseded if datetime.fromisoformat(pair.superseded_at) > now - grace)
        return replace(self, superseded=kept)

    @property
    def clean_paths(self) -> frozenset[str]:
        """Every object of trips and quarantine that the manifest names, including superseded ones."""
        current = () if self.clean is None else (self.clean.trips_path, self.clean.quarantine_path)
        return frozenset((*current, *(path for pair in self.superseded for path in pair.paths)))

    def _with_version(self, raw: RawMonth) -> Manifest:
        return replace(self, versions=tuple(raw if old.version == raw.version else old for old in self.versions))

    # ---- as bytes

    def to_bytes(self) -> bytes:
        """The manifest as the bytes of ``manifest.json``."""
        document = {
            "schema_version": _SCHEMA_VERSION,
            "dataset": self.month.dataset,
            "file_month": self.month.partition_key,
            "current": self.current,  # follows from the other fields; for readers without this platform
            "upstream": self.upstream,
            "selection": None if self.selection is None else self.selection.to_json(),
            "versions": [raw.to_json() for raw in self.versions],
            "clean": None if self.clean is None else self.clean.to_json(),
            "superseded": [asdict(pair) for pair in self.superseded],
        }
        return json.dumps(document, indent=2).encode()

    @classmethod
    def read(cls, month: TripMonth, content: bytes, where: str) -> tuple[Manifest, bool]:
        """Read the manifest of a month from its bytes; also returns whether it is of schema 1, which has no clean pair.

        Args:
            month: the month that the manifest must belong to.
            content: the document.
            where: the object's address, for the error's sentence.

        Raises:
            DamagedError: it is not a manifest, or is that of another month.
            StoreError: a later release wrote it.
        """
        try:
            document = json.loads(content)
            schema_version = document["schema_version"]
            place = (document["dataset"], document["file_month"])
            if place == (month.dataset, month.partition_key):
                if schema_version == _SCHEMA_VERSION:
                    return _checked(_of_schema_2(month, document)), False
                if schema_version == 1:
                    return _checked(_of_schema_1(month, document)), True
        except (ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
            raise DamagedError(
                f"{where} is not a readable manifest of {month}: run the month again, which moves that object aside "
                "and makes the manifest again, or restore it from a backup"
            ) from error
        if schema_version not in (1, _SCHEMA_VERSION):
            raise StoreError(
                f"{where} has schema version {schema_version}, this release knows {_SCHEMA_VERSION}: "
                "use the release that wrote it, or a later one"
            )
        raise DamagedError(f"{where} belongs to {place[0]} {place[1]}, not to {month}: put the right manifest there")


def _of_schema_2(month: TripMonth, document: Mapping[str, Any]) -> Manifest:
    selection, clean = document["selection"], document["clean"]
    return Manifest(
        month,
        versions=tuple(RawMonth.from_json(month, entry) for entry in document["versions"]),
        upstream=document["upstream"],
        selection=None if selection is None else as_declared(Selection(**selection)),
        clean=None if clean is None else CleanMonth.from_json(month, clean),
        superseded=tuple(as_declared(SupersededPair(**entry)) for entry in document["superseded"]),
    )


def _of_schema_1(month: TripMonth, document: Mapping[str, Any]) -> Manifest:
    """Read schema 1, which named the current version and upstream's (at first only the current) and had no refusals."""
    current = document["current"]
    upstream = document.get("upstream", current)
    versions = [RawMonth.from_json(month, entry) for entry in document["versions"]]
    versions.sort(key=lambda raw: raw.version == upstream)  # upstream's last; the others stay in their order
    return Manifest(
        month,
        versions=tuple(versions),
        upstream=upstream,
        selection=None if current in (None, upstream) else Selection(current, upstream),
    )


def _checked(manifest: Manifest) -> Manifest:
    """The manifest, if it has every version that it names; raises `StoreError` otherwise."""
    for name in filter(None, (manifest.upstream, manifest.selection.version if manifest.selection else None)):
        manifest.version(name)
    return manifest
