"""The lake: months of raw, clean and rejected rows as Parquet objects in a folder or a bucket.

Belongs here: what a lake can do, and which months it has. Does not: how raw versions and clean pairs are kept whole
(``lake_raw``, ``lake_clean``), the transport (``objects``), and what the rows mean (``cleaning``). One layout::

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
import re
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import CleanMonth, RawMonth, StagedClean, StagedRaw
from taxi_platform.stores.lake_clean import CleanPairs
from taxi_platform.stores.lake_raw import RawVersions
from taxi_platform.stores.model import MonthCounts
from taxi_platform.stores.objects import Objects, open_objects

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxi_platform.stores.manifest import Manifest
    from taxi_platform.stores.zones import StoredZones

__all__ = ["ZONES_PATH", "Lake"]

_MONTH_OBJECT = re.compile(r"[^/]+/(?P<dataset>[^/]+)/month=(?P<month>\d{4}-\d{2})/(manifest\.json|trips\.parquet)")

ZONES_PATH = "zones/taxi_zone_lookup.parquet"


class Lake:
    """A lake by its URL: a folder, ``gs://bucket[/prefix]``, ``s3://…`` or ``az://…``; opened at first use.

    Every method raises `StoreError` where the store refuses, `StoreBusyError` where others write the same month for
    too long.
    """

    def __init__(self, url: str, *, wait_seconds: float = 600.0) -> None:
        """Look at the URL only; raises `SettingsError` for one that names no store.

        Args:
            url: of the folder or bucket.
            wait_seconds: how long an operation waits for other writers, or for a store that does not answer.
        """
        self._objects: Objects = open_objects(url, wait_seconds=wait_seconds)
        self._raw = RawVersions(self._objects)
        self._clean = CleanPairs(self._objects)

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

    def raw_manifest(self, month: TripMonth) -> Manifest:
        """Versions, the current one and upstream's; without versions where the month was never stored."""
        return self._raw.manifest(month)

    def current_raw(self, month: TripMonth) -> RawMonth | None:
        """The version the manifest names as current; None where the month was never stored, or is withdrawn."""
        return self._raw.manifest(month).current_version

    def raw_versions(self, month: TripMonth) -> tuple[RawMonth, ...]:
        """Every version there is, oldest first."""
        return self._raw.manifest(month).versions

    def raw_version(self, month: TripMonth, version: str) -> RawMonth:
        """One version by name; raises `StoreError` naming those there are."""
        return self._raw.version(month, version)

    def store_raw(self, staged: StagedRaw) -> RawMonth:
        """Make a raw month current: first its object, created once and never changed, then the manifest.

        A version that is known already (equal bytes upstream) gets its new provenance in the manifest and nothing else.
        Where another version was selected since upstream last changed, that one stays current and is returned.
        """
        return self._raw.store(staged)

    def select_raw(self, month: TripMonth, version: str) -> RawMonth:
        """Make a stored version current again, until upstream has one that the lake has not seen as upstream's last.

        Provenance stays as it is; raises `StoreError` naming the versions there are.
        """
        return self._raw.select(month, version)

    def withdraw_raw(self, month: TripMonth) -> bool:
        """Leave the month without a current version, every version kept; returns whether there was a current one."""
        return self._raw.withdraw(month)

    def count_raw(self, month: TripMonth, version: str | None = None) -> int | None:
        """Rows of the current raw version, or of that one, by its Parquet footer; None where the month has none."""
        raw = self.current_raw(month) if version is None else self.raw_version(month, version)
        return None if raw is None else self._raw.count(raw)

    # ---- clean: one pair of objects of fixed name

    def current_clean(self, month: TripMonth) -> CleanMonth | None:
        """The clean month by its two footers; None where it is absent or the two are not of one cleaning (torn)."""
        return self._clean.current(month)

    def store_clean(self, staged: StagedClean) -> CleanMonth:
        """Replace a month's clean rows: quarantine, then trips, one put each.

        A kill between the two leaves a torn pair, which `current_clean` does not take for a month. Where another
        writer's puts came between (clouds have no locks), the pair is put again.
        """
        return self._clean.store(staged)

    def count_clean(self, month: TripMonth) -> MonthCounts | None:
        """Clean and rejected rows by the two Parquet footers; None unless both are there."""
        trips, quarantined = self.count_pair(month)
        return None if trips is None or quarantined is None else MonthCounts(trips, quarantined)

    def count_pair(self, month: TripMonth) -> tuple[int | None, int | None]:
        """Clean and rejected rows, each None where there is no such object: half of a pair shows as what it is."""
        trips, quarantine = self._clean.footers(month)
        return trips.rows if trips else None, quarantine.rows if quarantine else None

    def remove_clean(self, month: TripMonth) -> bool:
        """Take a month's clean and rejected rows out, whole or torn; returns whether there was anything."""
        return self._clean.remove(month)

    # ---- reading

    def months(self, dataset: str) -> tuple[TripMonth, ...]:
        """Months with a raw manifest or trips, in calendar order."""
        paths = [path for layer in ("raw", "trips") for path in self._objects.paths(f"{layer}/{dataset}")]
        matches = filter(None, map(_MONTH_OBJECT.fullmatch, paths))
        return tuple(sorted({TripMonth(match["dataset"], parse_month(match["month"])) for match in matches}))

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
