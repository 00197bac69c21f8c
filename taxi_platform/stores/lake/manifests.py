"""The manifests of a lake as objects: reading one, changing one in one conditional write, making a damaged one again.

Belongs here: where a manifest lies, lakes of earlier releases, and what is done about damage. Does not: what a manifest
says (``manifest``) and why it changes (``raw``, ``clean``).
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
"""Provenance that a manifest made again cannot tell; as a token it is no version of upstream's, so that the month is
fetched."""
_READABLE = ".readable.parquet"
"""How the name of a version's readable copy ends."""


class Manifests:
    """Every month's ``manifest.json``."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self, month: TripMonth) -> Manifest:
        """What the lake knows of the month; without versions where it was never stored.

        Raises:
            DamagedError: the object is no manifest of this month.
            StoreError: a later release wrote it.
        """
        content = self._objects.read(_path(month))
        return Manifest(month) if content is None else self._parsed(month, content)

    def update(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Replace the manifest by what ``change`` makes of it, and return that; no other update comes between.

        A damaged one is moved aside first and, like a missing one, made again from the objects that are there.
        ``change`` may be called again with a newer manifest. Callers hold `exclusive`.
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
        """As far as objects tell: every readable raw version, oldest first, and the newest whole pair of one of them.

        Provenance is unknown until the month is fetched again, and so is what a person once decided.
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
        """Whole pairs, newest first."""
        quarantines = [path for path, _ in self._oldest_first("quarantine", month)]
        for trips, _ in reversed(self._oldest_first("trips", month)):
            yield from filter(None, (self._pair(month, trips, path) for path in _likely(trips, quarantines)))

    def _pair(self, month: TripMonth, trips_path: str, quarantine_path: str) -> CleanMonth | None:
        """Two objects as a pair, by their footers; None where they are none."""
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
    """Where a month's objects of a layer lie."""
    return f"{layer}/{month.dataset}/month={month.label}"


def _path(month: TripMonth) -> str:
    return f"{month_folder('raw', month)}/manifest.json"


def _unparsed_rows(footer: Footer) -> int:
    """Cells filled in the column of unparsed records, by the statistics of its chunks."""
    from taxi_platform.contracts.matching import UNPARSED_COLUMN

    groups = [footer.metadata.row_group(number) for number in range(footer.metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    unparsed = [chunk for chunk in chunks if chunk.path_in_schema == UNPARSED_COLUMN]
    return sum(chunk.num_values - chunk.statistics.null_count for chunk in unparsed if chunk.statistics)


def _likely(trips: str, quarantines: Iterable[str]) -> Iterable[str]:
    """The quarantine of the same name; that of an earlier release is named after its layer."""
    name = PurePosixPath(trips).name
    wanted = "quarantine.parquet" if name == "trips.parquet" else name
    return [path for path in quarantines if PurePosixPath(path).name == wanted]
