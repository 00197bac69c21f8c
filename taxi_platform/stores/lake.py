"""The lake: months of raw, clean and rejected rows as Parquet objects in a folder or a bucket.

Belongs here: which object is which month, what is current, and the order of writes that keeps every instant whole.
Does not: the transport (``objects``), the zone lookup (``zones``), and what the rows mean (``cleaning``). One layout::

    raw/{dataset}/month=2020-03/{version}.parquet        immutable, one per upstream version
    raw/{dataset}/month=2020-03/manifest.json            written last; names the current version
    trips/{dataset}/month=2020-03/trips.parquet          one object of fixed name
    quarantine/{dataset}/month=2020-03/quarantine.parquet
    zones/taxi_zone_lookup.parquet

A reader of raw goes by the manifest; trips and quarantine can be read with a glob. Which rows belong together is
said by the two footers: each carries the `CleanFacts` of the pair under the key ``taxi_platform``.
"""

from __future__ import annotations

import io
import random
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import CleanMonth, RawMonth, StagedClean, StagedRaw
from taxi_platform.stores.manifest import Manifest
from taxi_platform.stores.model import MonthCounts
from taxi_platform.stores.objects import Objects, open_objects

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxi_platform.stores.footers import Footer
    from taxi_platform.stores.zones import StoredZones

__all__ = ["ZONES_PATH", "Lake"]

_MONTH_OBJECT = re.compile(r"[^/]+/(?P<dataset>[^/]+)/month=(?P<month>\d{4}-\d{2})/(manifest\.json|trips\.parquet)")
_ATTEMPTS = 4

ZONES_PATH = "zones/taxi_zone_lookup.parquet"


class Lake:
    """A lake by its URL: a folder, ``gs://bucket[/prefix]``, ``s3://…`` or ``az://…``; opened at first use.

    Every method raises `StoreError` where the store refuses, `StoreBusyError` where others write the same month for
    too long.
    """

    def __init__(self, url: str) -> None:
        """Look at the URL only; raises `SettingsError` for one that names no store."""
        self._objects: Objects = open_objects(url)

    @property
    def url(self) -> str:
        """Absolute, without a slash at its end."""
        return self._objects.url

    def __repr__(self) -> str:
        return f"Lake({self.url!r})"

    def uri(self, path: str) -> str:
        """A path in the lake as other engines read it: an absolute file name or ``gs://bucket/…``."""
        return self._objects.uri(path)

    # ---- raw: immutable versions, a manifest that names the current one

    def current_raw(self, month: TripMonth) -> RawMonth | None:
        """The version the manifest names as current; None where the month was never stored."""
        manifest = self._manifest(month)
        return manifest.current_version if manifest else None

    def raw_versions(self, month: TripMonth) -> tuple[RawMonth, ...]:
        """Every version there is, oldest first."""
        manifest = self._manifest(month)
        return manifest.versions if manifest else ()

    def raw_version(self, month: TripMonth, version: str) -> RawMonth:
        """One version by name; raises `StoreError` naming those there are."""
        return self._required_manifest(month).version(version)

    def store_raw(self, staged: StagedRaw) -> RawMonth:
        """Make a raw month current: first its object, created once and never changed, then the manifest.

        A version that is known already (equal bytes upstream) gets its new provenance in the manifest and nothing else.
        """
        month = staged.raw.month
        folder = _folder("raw", month)
        raw = replace(staged.raw, path=f"{folder}/{staged.raw.version}.parquet")
        with self._objects.exclusive(folder):
            size = self._objects.create(raw.path, staged.file, _raw_attributes(raw))
            raw = replace(raw, size=size)
            if size != staged.file.stat().st_size:
                self._check_adopted(raw)
            return self._update_manifest(month, lambda manifest: manifest.with_stored(raw))

    def select_raw(self, month: TripMonth, version: str) -> RawMonth:
        """Make a stored version current again, its provenance untouched; raises `StoreError` naming those there are."""
        self._required_manifest(month).version(version)
        with self._objects.exclusive(_folder("raw", month)):
            return self._update_manifest(month, lambda manifest: manifest.with_current(version))

    def _manifest(self, month: TripMonth) -> Manifest | None:
        path = _manifest_path(month)
        content = self._objects.read(path)
        return None if content is None else Manifest.read(month, content, self.uri(path))

    def _required_manifest(self, month: TripMonth) -> Manifest:
        if manifest := self._manifest(month):
            return manifest
        raise StoreError(f"the lake {self.url} has no raw {month}: materialize raw/{month.dataset} for it first")

    def _update_manifest(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> RawMonth:
        path = _manifest_path(month)
        written: list[Manifest] = []

        def changed(content: bytes | None) -> bytes:
            before = Manifest(month) if content is None else Manifest.read(month, content, self.uri(path))
            written.append(change(before))
            return written[-1].to_bytes()

        self._objects.update(path, changed)
        current = written[-1].current_version
        assert current is not None
        return current

    def _check_adopted(self, raw: RawMonth) -> None:
        """An object of this version stands there in another size: right if it has the month's rows all the same.

        Another release of the Parquet writer makes other bytes of the same rows.
        """
        rows = self._footer(raw.path).rows
        if rows != raw.rows:
            raise StoreError(
                f"{self.uri(raw.path)} has {rows:,} rows, but this version of raw {raw.month} has {raw.rows:,}: "
                "move that object away, then run it again"
            )

    # ---- clean: one pair of objects of fixed name

    def current_clean(self, month: TripMonth) -> CleanMonth | None:
        """The clean month by its two footers; None where it is absent or the two are not of one cleaning (torn)."""
        from taxi_platform.stores.footers import belong_together

        trips, quarantine = self._clean_footers(month)
        if trips is None or quarantine is None or not belong_together(trips, quarantine):
            return None
        assert trips.facts is not None
        return CleanMonth(
            month=month,
            facts=trips.facts,
            trips_path=_trips_path(month),
            quarantine_path=_quarantine_path(month),
            trips_size=trips.size,
            quarantine_size=quarantine.size,
        )

    def store_clean(self, staged: StagedClean) -> CleanMonth:
        """Replace a month's clean rows: quarantine, then trips, one put each.

        A kill between the two leaves a torn pair, which `current_clean` does not take for a month. Where another
        writer's puts came between (clouds have no locks), the pair is put again.
        """
        self._check_staged(staged)
        attributes = {"version": staged.facts.version, "raw_version": staged.facts.raw_version}
        folders = [_folder(layer, staged.month) for layer in ("quarantine", "trips")]
        with self._objects.exclusive(folders[0]), self._objects.exclusive(folders[1]):
            for attempt in range(_ATTEMPTS):
                time.sleep(random.uniform(0, attempt))  # noqa: S311 (no secret: writers must fall out of step)
                for path, file, rows in (
                    (_quarantine_path(staged.month), staged.quarantine_file, staged.facts.quarantined_rows),
                    (_trips_path(staged.month), staged.trips_file, staged.facts.trips_rows),
                ):
                    self._objects.replace(path, file, {**attributes, "rows": str(rows)})
                if clean := self.current_clean(staged.month):
                    return clean
        raise StoreBusyError(f"another process keeps storing trips of {staged.month} in {self.url}: let it end first")

    def _check_staged(self, staged: StagedClean) -> None:
        from taxi_platform.stores.footers import belong_together, read_footer

        with staged.trips_file.open("rb") as trips, staged.quarantine_file.open("rb") as quarantine:
            pair = (read_footer(trips, staged.trips_file.name), read_footer(quarantine, staged.quarantine_file.name))
        if not belong_together(*pair) or pair[0].facts != staged.facts:
            raise StoreError(f"the cleaned files of {staged.month} do not carry their facts: nothing was stored")

    def _clean_footers(self, month: TripMonth) -> tuple[Footer | None, Footer | None]:
        return self._footer_or_none(_trips_path(month)), self._footer_or_none(_quarantine_path(month))

    # ---- looking around

    def months(self, dataset: str) -> tuple[TripMonth, ...]:
        """Months with a raw manifest or trips, in calendar order."""
        paths = [path for layer in ("raw", "trips") for path in self._objects.paths(f"{layer}/{dataset}")]
        matches = filter(None, map(_MONTH_OBJECT.fullmatch, paths))
        return tuple(sorted({TripMonth(match["dataset"], parse_month(match["month"])) for match in matches}))

    def count_raw(self, month: TripMonth, version: str | None = None) -> int | None:
        """Rows of the current raw version, or of that one, by its Parquet footer; None where the month has none."""
        raw = self.current_raw(month) if version is None else self.raw_version(month, version)
        return None if raw is None else self._footer(raw.path).rows

    def count_clean(self, month: TripMonth) -> MonthCounts | None:
        """Clean and rejected rows by the two Parquet footers; None unless both are there."""
        trips, quarantine = self._clean_footers(month)
        return None if trips is None or quarantine is None else MonthCounts(trips.rows, quarantine.rows)

    def _footer(self, path: str) -> Footer:
        if footer := self._footer_or_none(path):
            return footer
        raise StoreError(f"there is no {self.uri(path)}: it was removed by something other than this platform")

    def _footer_or_none(self, path: str) -> Footer | None:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        # Replaced between two requests: what matters is the footer that is there now.
        again = Retrying(
            retry=retry_if_exception_type(StoreBusyError), stop=stop_after_attempt(_ATTEMPTS), reraise=True
        )
        return again(self._read_footer, path)

    def _read_footer(self, path: str) -> Footer | None:
        from taxi_platform.stores.footers import read_footer

        stream = self._objects.open(path)
        if stream is None:
            return None
        with stream:
            return read_footer(stream, self.uri(path))

    # ---- reading

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet object for reading batch by batch; closing the ParquetFile closes it. One version throughout."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        stream = self._objects.open(path)
        if stream is None:
            raise StoreError(f"there is no {self.uri(path)}: materialize that month first")
        source: str | pa.PythonFile = pa.PythonFile(stream, "r")
        if isinstance(stream, io.BufferedReader):  # a file on disk: Arrow reads it by itself, without Python's lock
            stream.close()
            source = stream.name
        try:
            # Without pre_buffer a column chunk is freed once read: memory stays within one row group.
            return pq.ParquetFile(source, pre_buffer=False)
        except pa.ArrowInvalid as error:
            raise StoreError(f"{self.uri(path)} is not a Parquet file: {error}") from error

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """The object as a local file to read: itself in a lake on disk, else streamed into a private temporary one."""
        return self._objects.local_copy(path)

    # ---- zones

    def store_zones(
        self, file: Path, *, source_url: str, source_token: str, etag: str | None, sha256: str, fetched_at: str
    ) -> StoredZones:
        """Replace the zone lookup by upstream's CSV file; raises `BrokenFileError` where it is not one."""
        from taxi_platform.stores.zones import StoredZones, read_zones_csv, write_zones

        table = read_zones_csv(file)
        stored = StoredZones(table.num_rows, source_url, source_token, etag, sha256, fetched_at)
        with tempfile.TemporaryDirectory(prefix="taxi_zones_") as folder, self._objects.exclusive("zones"):
            parquet = Path(folder) / "zones.parquet"
            write_zones(table, stored, parquet)
            self._objects.replace(ZONES_PATH, parquet, {"source_url": source_url, "sha256": sha256})
        return stored

    def zones(self) -> pa.Table | None:
        """The zone lookup, 265 rows ordered by location id; None where it was never stored."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self._objects.read(ZONES_PATH)
        return None if content is None else pq.ParquetFile(pa.BufferReader(content)).read()

    def stored_zones(self) -> StoredZones | None:
        """The provenance of the zone lookup; None where it was never stored."""
        from taxi_platform.stores.zones import provenance_of

        table = self.zones()
        return None if table is None else provenance_of(table)


def _folder(layer: str, month: TripMonth) -> str:
    return f"{layer}/{month.dataset}/month={month.label}"


def _manifest_path(month: TripMonth) -> str:
    return f"{_folder('raw', month)}/manifest.json"


def _trips_path(month: TripMonth) -> str:
    return f"{_folder('trips', month)}/trips.parquet"


def _quarantine_path(month: TripMonth) -> str:
    return f"{_folder('quarantine', month)}/quarantine.parquet"


def _raw_attributes(raw: RawMonth) -> dict[str, str]:
    """What the object itself says where a store keeps such facts; the names suit all three clouds."""
    return {
        "source_url": raw.source_url,
        "version": raw.version,
        "sha256": raw.sha256,
        "rows": str(raw.rows),
        "schema_fingerprint": raw.schema_fingerprint,
    }
