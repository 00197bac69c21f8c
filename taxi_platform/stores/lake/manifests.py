"""Manifests as objects of a lake: reading one, changing one in one conditional write, and rebuilding a damaged one.

Belongs here: where a manifest is, lakes of earlier releases, and repair. Does not: what a manifest says (``manifest``)
and why it changes (``raw``, ``clean``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from taxi_platform.errors import DamagedError
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, RawMonth
from taxi_platform.stores.lake.footers import belong_together, stored_footer
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.objects.model import Objects

if TYPE_CHECKING:
    from taxi_platform.stores.lake.footers import Footer

__all__ = ["UNKNOWN", "Manifests", "month_folder"]

_LOG = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""The provenance in a rebuilt manifest, which objects alone cannot tell. No upstream version has this token, so the
month is fetched again."""
_READABLE = ".readable.parquet"
"""The end of the name of a version's readable copy."""


class Manifests:
    """The ``manifest.json`` of every month."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self, month: TripMonth) -> Manifest:
        """The month's manifest; without versions if the month was never stored.

        Raises:
            DamagedError: the object is not a manifest of this month.
            StoreError: a later release wrote it.
        """
        content = self._objects.read(_path(month))
        return Manifest(month) if content is None else self._parsed(month, content)

    def update(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Replace the manifest by what ``change`` returns for it, and return that; no other update comes between.

        A damaged manifest is first moved aside and then, like a missing one, rebuilt from the objects that exist.
        ``change`` may be called again with a newer manifest. The caller holds `exclusive`.
        """
        written: list[Manifest] = []

        def changed(content: bytes | None) -> bytes:
            written.append(change(self._current(month, content)))
            return written[-1].to_bytes()

        self._objects.update(_path(month), changed)
        return written[-1]

    def _parsed(self, month: TripMonth, content: bytes) -> Manifest:
        manifest, names_no_pair = Manifest.read(month, content, self._objects.uri(_path(month)))
        if not names_no_pair:
            return manifest
        folders = (month_folder(layer, month) for layer in ("trips", "quarantine"))
        trips, quarantine = (f"{folder}/{PurePosixPath(folder).parts[0]}.parquet" for folder in folders)
        return manifest.with_clean(self._pair(month, trips, quarantine), datetime.now().astimezone())

    def _current(self, month: TripMonth, content: bytes | None) -> Manifest:
        if content is None:
            return self._made_again(month)
        try:
            return self._parsed(month, content)
        except DamagedError as error:
            aside = f"{month_folder('raw', month)}/manifest.damaged-{hashlib.sha256(content).hexdigest()[:8]}.json"
            _LOG.warning("%s; it is kept as %s", error, self._objects.uri(aside))
            self._objects.update(aside, lambda _: content)
            return self._made_again(month)

    # ---- what the objects say by themselves

    def _made_again(self, month: TripMonth) -> Manifest:
        """Rebuild the manifest from the objects: every readable raw version, oldest first, and the newest whole pair.

        Provenance is unknown until the month is fetched again. What a person once decided is lost.
        """
        raws = [raw for path, stored in self._oldest_first("raw", month) if (raw := self._raw(month, path, stored))]
        manifest = Manifest(month, tuple(raws), raws[-1].version if raws else None)
        pairs = (pair for pair in self._pairs(month) if pair.facts.raw_version in {raw.version for raw in raws})
        pair = next(pairs, None)
        return manifest if pair is None else manifest.with_clean(pair, datetime.now().astimezone())

    def _oldest_first(self, layer: str, month: TripMonth) -> list[tuple[str, datetime]]:
        stored = self._objects.ages(month_folder(layer, month)).items()
        objects = [(path, at) for path, at in stored if path.endswith(".parquet") and not path.endswith(_READABLE)]
        return sorted(objects, key=lambda item: item[1])

    def _raw(self, month: TripMonth, path: str, stored: datetime) -> RawMonth | None:
        from taxi_platform.ingest import schema_fingerprint

        try:
            footer = stored_footer(self._objects, path)
        except DamagedError as error:
            _LOG.warning("%s; it is left where it is, and no version of %s", error, month)
            return None
        if footer is None:
            return None
        version = PurePosixPath(path).stem
        readable = path.removesuffix(".parquet") + _READABLE
        return RawMonth(
            month=month,
            version=version,
            path=path,
            rows=footer.rows,
            unparsed_rows=_unparsed_rows(footer),
            size=footer.size,
            source_url=UNKNOWN,
            source_token=UNKNOWN,
            etag=None,
            sha256=version.partition("-")[0],
            source_size=0,
            schema_fingerprint=schema_fingerprint(footer.metadata.schema.to_arrow_schema()),
            fetched_at=stored.isoformat(timespec="seconds"),
            readable_path=readable if self._objects.size(readable) is not None else None,
        )

    def _pairs(self, month: TripMonth) -> Iterator[CleanMonth]:
        """The whole pairs, newest first."""
        quarantines = [path for path, _ in self._oldest_first("quarantine", month)]
        for trips, _ in reversed(self._oldest_first("trips", month)):
            yield from filter(None, (self._pair(month, trips, path) for path in _likely(trips, quarantines)))

    def _pair(self, month: TripMonth, trips_path: str, quarantine_path: str) -> CleanMonth | None:
        """Two objects as a pair, by their footers; None if they are not one."""
        with suppress(DamagedError):
            trips = stored_footer(self._objects, trips_path)
            quarantine = stored_footer(self._objects, quarantine_path)
            if trips and quarantine and belong_together(trips, quarantine):
                assert trips.facts is not None
                return CleanMonth(
                    month=month,
                    facts=trips.facts,
                    trips_path=trips_path,
                    quarantine_path=quarantine_path,
                    trips_size=trips.size,
                    quarantine_size=quarantine.size,
                )
        return None


def month_folder(layer: str, month: TripMonth) -> str:
    """The folder of a month's objects in a layer."""
    return f"{layer}/{month.dataset}/month={month.label}"


def _path(month: TripMonth) -> str:
    return f"{month_folder('raw', month)}/manifest.json"


def _unparsed_rows(footer: Footer) -> int:
    """The number of unparsed records, by the column statistics in the footer."""
    from taxi_platform.contracts.matching import UNPARSED_COLUMN

    groups = [footer.metadata.row_group(number) for number in range(footer.metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    unparsed = [chunk for chunk in chunks if chunk.path_in_schema == UNPARSED_COLUMN]
    return sum(chunk.num_values - chunk.statistics.null_count for chunk in unparsed if chunk.statistics)


def _likely(trips: str, quarantines: Iterable[str]) -> Iterable[str]:
    """Candidates for the quarantine of trips: the one of the same name first.

    An earlier release named it by its layer.
    """
    name = PurePosixPath(trips).name
    wanted = "quarantine.parquet" if name == "trips.parquet" else name
    return [path for path in quarantines if PurePosixPath(path).name == wanted]
