"""The lake: months of raw, clean and rejected rows as Parquet objects in a folder or a bucket.

Belongs here: the operations of a lake, and which months it has. Does not: how raw versions and clean pairs are kept
whole (``raw``, ``clean``), what a manifest says (``manifest``), the transport (``objects``), and what the rows mean
(``cleaning``). The layout; no Parquet object in it is ever changed::

    raw/{dataset}/month=2020-03/{version}.parquet                    one per upstream version
    raw/{dataset}/month=2020-03/manifest.json                        names the current raw version and the clean pair
    trips/{dataset}/month=2020-03/{data version}-{random}.parquet
    quarantine/{dataset}/month=2020-03/{the same name}.parquet
    looks/{dataset}.json                                             when upstream was last looked at
    lake.json                                                        which lake this is
    zones/taxi_zone_lookup.parquet
    snapshots/{name}.json                                            names months as they were at one time
    zones/shapes/{version}.parquet                                   one per version of the zones' shapes
    zones/shapes.json                                                names them, the current one last
    dimensions/{table}.parquet                                       dates and codes

Every reader goes by the manifest, which is written last and in one write. Earlier raw versions stay until somebody
prunes them. The next writer of a month removes superseded pairs after a grace period. What a snapshot names stays. The
footers of a pair have its `CleanFacts` under the key ``taxi_platform``, which proves that the objects are what was
stored.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import CleanMonth, MonthCounts, RawMonth, Refusal, RestoredMonth, StagedClean, StagedRaw
from taxi_platform.stores.lake.clean import CleanPairs
from taxi_platform.stores.lake.dimensions import Dimensions
from taxi_platform.stores.lake.identity import Holds, Identities, LakeIdentity, holds_of
from taxi_platform.stores.lake.looks import Looks
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import UNKNOWN, Manifests
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.lake.objects.model import Objects, open_objects
from taxi_platform.stores.lake.pruning import Pruning
from taxi_platform.stores.lake.raw import RawVersions
from taxi_platform.stores.lake.small import small_table
from taxi_platform.stores.lake.snapshots import Snapshots

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxi_platform.stores.lake.shapes import StoredShapes
    from taxi_platform.stores.lake.zones import StoredZones

__all__ = ["ZONES_PATH", "Lake"]

_MONTH_OBJECTS = {
    layer: re.compile(rf"{layer}/[^/]+/month=(?P<label>\d{{4}}-\d{{2}})/{name}")
    for layer, name in (("raw", r"manifest\.json"), ("trips", r"[^/]+\.parquet"))
}
"""The objects by which the lake is known to have a month. Trips without a manifest count, because they need repair."""

_MANIFEST = re.compile(r"raw/(?P<dataset>[^/]+)/month=(?P<label>\d{4}-\d{2})/manifest\.json")

ZONES_PATH = "zones/taxi_zone_lookup.parquet"
_SHAPES_NOTE = "zones/shapes.json"
_LOG = logging.getLogger(__name__)
GRACE = timedelta(hours=24)


class Lake:
    """A lake at a URL: a folder, ``gs://bucket[/prefix]``, ``s3://…`` or ``az://…``; opened by the first use.

    Every method raises `StoreError` if the store refuses, `StoreBusyError` if other processes write the same month for
    too long, and `DamagedError` if it needs an object that is missing or is not what was stored.
    """

    def __init__(self, url: str, *, wait_seconds: float = 600.0, grace: timedelta = GRACE) -> None:
        """Check the URL only; raises `SettingsError` if it names no store.

        Args:
            url: the folder or bucket.
            wait_seconds: the longest wait for other writers, or for a store that does not answer.
            grace: how long the objects of a superseded clean pair stay, for readers that still use them.
        """
        self._objects: Objects = open_objects(url, wait_seconds=wait_seconds)
        self._manifests = Manifests(self._objects)
        self._raw = RawVersions(self._objects, self._manifests)
        self.snapshots = Snapshots(self._objects, self._manifests)
        """Names for months as they are, which keep them."""
        self._clean = CleanPairs(self._objects, self._manifests, grace, self.snapshots.kept_paths)
        self.pruning = Pruning(self._objects, self._manifests, self.snapshots)
        """The removal of what nothing needs any more."""
        self._looks = Looks(self._objects)
        self.dimensions = Dimensions(self._objects)
        """The tables that the platform makes by itself."""
        self._identities = Identities(self._objects)

    @property
    def url(self) -> str:
        """The absolute address, without a slash at its end."""
        return self._objects.url

    def __repr__(self) -> str:
        return f"Lake({self.url!r})"

    def uri(self, path: str) -> str:
        """A path in the lake as other engines address it: an absolute file name or ``gs://bucket/…``."""
        return self._objects.uri(path)

    # ---- the lake as a whole

    def identity(self) -> LakeIdentity | None:
        """The lake's identity; None before anything was stored, or if an earlier release made the lake."""
        return self._identities.read()

    def identify(self) -> LakeIdentity:
        """The lake's identity, written now if an earlier release made the lake.

        Raises:
            StoreError: the lake has no month, so that its kind is unknown.
        """
        return self._identities.made(self._held)

    def _held(self) -> Holds:
        if holds := self._holds_already():
            return holds
        raise StoreError(f"the lake {self.url} has no month yet: bring one with taxi run first")

    def _holds_already(self) -> Holds | None:
        """The kind of a lake that an earlier release made, from any of its months; None if it has none."""
        for path in self._objects.paths("raw"):
            if match := _MANIFEST.fullmatch(path):
                month = TripMonth(match["dataset"], parse_month(match["label"]))
                with contextlib.suppress(DamagedError):
                    for raw in self._manifests.read(month).versions:
                        if raw.source_url != UNKNOWN:
                            return holds_of(raw.source_url)
        return None

    def _check_kind(self, source_url: str) -> None:
        self._identities.check(source_url, lambda: self._holds_already() or holds_of(source_url))

    # ---- a month

    def look(self, month: TripMonth) -> MonthInLake:
        """What the lake holds of the month, by footers read now; damage is part of the result, not an error.

        Raises:
            StoreError: the store does not answer, or a later release wrote the manifest.
        """
        problems: list[str] = []
        try:
            manifest = self._manifests.read(month)
        except DamagedError as error:
            return MonthInLake(month, Manifest(month), problems=(str(error),), is_manifest_damaged=True)
        raw, raw_rows = manifest.current_version, None
        if raw is not None:
            problem = self._raw.problem(raw)
            problems += [problem] if problem else []
            raw_rows = None if problem else raw.rows
        clean = manifest.clean
        if clean is not None and (problem := self._clean.problem(clean)):
            problems.append(problem)
            clean = None
        shapes = self.stored_zone_shapes() if clean is not None and clean.facts.located else None
        version = shapes.version if shapes else None
        return MonthInLake(month, manifest, raw_rows, clean, tuple(problems), zone_shapes=version)

    def manifest(self, month: TripMonth) -> Manifest:
        """The month's manifest; without versions if the month was never stored."""
        return self._manifests.read(month)

    def repair(self, month: TripMonth) -> Manifest:
        """The month's manifest; if it is damaged or missing, it is written anew from the objects that exist.

        A damaged one is kept aside. Nothing is written if nothing is wrong.
        """
        return self._raw.repair(month)

    # ---- raw: immutable versions, of which the manifest names the current one

    def current_raw(self, month: TripMonth) -> RawMonth | None:
        """The version that the manifest names as current; None if the month was never stored, or is withdrawn."""
        return self._manifests.read(month).current_version

    def readable_raw(self, month: TripMonth) -> RawMonth | None:
        """The current version for a reader of many months; None, with a warning, if it or the manifest is damaged.

        Only the object's size and last bytes are checked, so that many months cost little.
        """
        try:
            raw = self.current_raw(month)
            problem = raw and self._raw.problem_at_a_glance(raw)
        except DamagedError as error:
            raw, problem = None, str(error)
        if problem:
            _LOG.warning("%s is left out: %s", month, problem)
            return None
        return raw

    def raw_versions(self, month: TripMonth) -> tuple[RawMonth, ...]:
        """Every stored version, in the order in which upstream last had them."""
        return self._manifests.read(month).versions

    def raw_version(self, month: TripMonth, version: str) -> RawMonth:
        """The version of that name; raises `StoreError`, which names the existing ones."""
        return self._raw.version(month, version)

    def store_raw(self, staged: StagedRaw) -> RawMonth:
        """Store a raw month and make it upstream's version: first the object, then the manifest.

        A known version (equal bytes upstream) only gets its new provenance into the manifest; its object is written
        again only if it cannot be read any more. A version that a person selected stays current as long as upstream's
        version does not change.

        Returns:
            The current version; if all versions are refused, the stored one.
        """
        self._check_kind(staged.raw.source_url)
        manifest = self._raw.store(staged)
        return manifest.current_version or manifest.version(staged.raw.version)

    def select_raw(self, month: TripMonth, version: str, *, accept_changed_format: bool = False) -> RawMonth:
        """Make a stored version current again, until upstream has a version that is new to the lake.

        The version's provenance does not change.

        Raises:
            StoreError: there is no such version; the sentence names the existing ones.
            RefusedMonthError: cleaning refused it, and its format is not accepted.
            DamagedError: its object is damaged.
        """
        return self._raw.select(month, version, accept_changed_format=accept_changed_format).version(version)

    def restore(self, value: RestoredMonth) -> RawMonth:
        """Make a snapshot's version and pair the month's current ones, in one write; returns the version.

        They stay until upstream has another version than now, even where this release would clean otherwise.

        Raises:
            DamagedError: an object of them is missing, or is not whole; nothing changes then.
        """
        if problem := self._raw.problem(value.raw):
            raise DamagedError(f"{problem}: the snapshot {value.snapshot} of {value.raw.month} cannot be restored")
        return self._clean.restore(value.raw, value.clean, value.snapshot).version(value.raw.version)

    def refuse_raw(self, month: TripMonth, version: str, refusal: Refusal) -> Manifest:
        """Record that cleaning refused a version. It is never current; the newest version that was not refused is."""
        return self._raw.refuse(month, version, refusal)

    def accept_raw(self, month: TripMonth, version: str, *, accept_changed_format: bool = False) -> RawMonth:
        """Lift the refusal of a version and return it; once its format is accepted, that stays with the version."""
        return self._raw.accept(month, version, accept_changed_format=accept_changed_format).version(version)

    def withdraw_raw(self, month: TripMonth) -> bool:
        """Leave the month without a current version, but keep all versions; returns whether there was a current one."""
        return self._raw.withdraw(month)

    def count_raw(self, month: TripMonth, version: str | None = None) -> int | None:
        """Rows of the current raw version, or of the named one, by its footer; None if the month has none."""
        raw = self.current_raw(month) if version is None else self.raw_version(month, version)
        return None if raw is None else self._raw.count(raw)

    def raw_problem(self, raw: RawMonth) -> str | None:
        """What is wrong with the version's object, by size and footer; None if nothing is."""
        return self._raw.problem(raw)

    def raw_problem_at_a_glance(self, raw: RawMonth) -> str | None:
        """The same as `raw_problem` for the object that views read, by its size and last bytes only."""
        return self._raw.problem_at_a_glance(raw)

    def set_aside_unreadable_raw(self, raw: RawMonth) -> str | None:
        """Read every page of the version. A damaged object is moved aside, and the reason is returned."""
        return self._raw.set_aside_unreadable(raw)

    # ---- clean: the pair that the manifest names

    def current_clean(self, month: TripMonth) -> CleanMonth | None:
        """The month's clean pair, whole by its two footers; None if it is absent or damaged."""
        clean = self._manifests.read(month).clean
        return None if clean is None or self._clean.problem(clean) else clean

    def clean_problem(self, clean: CleanMonth) -> str | None:
        """What is wrong with the pair's objects, by sizes and footers; None if nothing is."""
        return self._clean.problem(clean)

    def discard_unreadable_clean(self, clean: CleanMonth) -> str | None:
        """Read every page of the pair. If a page is damaged, the month loses the pair, and the reason is returned."""
        return self._clean.discard_unreadable(clean)

    def store_clean(self, staged: StagedClean) -> CleanMonth:
        """Make that pair the month's current one: both objects under new names, then one write of the manifest.

        If the process is killed before that write, the month stays as it was. The next writer removes the unused
        objects after the grace period, together with the pair that is superseded now.
        """
        return self._clean.store(staged)

    def count_clean(self, month: TripMonth) -> MonthCounts | None:
        """Clean and rejected rows by the two footers; None if the pair is absent or damaged."""
        clean = self.current_clean(month)
        return None if clean is None else MonthCounts(clean.facts.trips_rows, clean.facts.quarantined_rows)

    def remove_clean(self, month: TripMonth) -> bool:
        """Leave the month without a clean pair; returns whether there was one.

        Its objects stay for the grace period.
        """
        return self._clean.remove(month)

    def clear_superseded(self, month: TripMonth) -> None:
        """Remove pairs that were superseded longer than the grace period ago.

        A month without any costs one small read.
        """
        self._clean.clear(month)

    # ---- looks at upstream

    def note_look(self, dataset: str, when: datetime) -> None:
        """Record that upstream was looked at, at that time (with a zone), and answered."""
        self._looks.note(dataset, when)

    def last_look(self, dataset: str) -> datetime | None:
        """When upstream was last looked at for the dataset, in UTC; None if never."""
        return self._looks.last(dataset)

    # ---- reading

    def months(self, dataset: str) -> tuple[TripMonth, ...]:
        """The months that have a manifest or trips, in calendar order."""
        labels = {
            match["label"]
            for layer, pattern in _MONTH_OBJECTS.items()
            for match in map(pattern.fullmatch, self._objects.paths(f"{layer}/{dataset}"))
            if match
        }
        return tuple(TripMonth(dataset, parse_month(label)) for label in sorted(labels))

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """Open a Parquet object to read batch by batch, all of one version.

        Closing the ParquetFile closes the object.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        stream = self._objects.open(path)
        if stream is None:
            raise DamagedError(f"there is no {self.uri(path)}: materialize that month first")
        source: str | pa.PythonFile = pa.PythonFile(stream, "r")
        if isinstance(
            stream, io.BufferedReader
        ):  # a file on disk: let Arrow read it itself, without Python's global lock
            stream.close()
            source = stream.name
        try:
            # Without pre_buffer a column chunk is freed once read: memory stays within one row group.
            return pq.ParquetFile(source, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(f"{self.uri(path)} is not a Parquet file: {error}") from error

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """The object as a local file to read: the file itself in a lake on disk, otherwise a private temporary copy."""
        return self._objects.local_copy(path)

    # ---- zones

    def store_zones(
        self, file: Path, *, source_url: str, source_token: str, etag: str | None, sha256: str, fetched_at: str
    ) -> StoredZones:
        """Replace the zone lookup by upstream's CSV file; raises `BrokenFileError` if the file is not one."""
        from taxi_platform.stores.lake.zones import StoredZones, read_zones_csv, write_zones

        self._check_kind(source_url)
        table = read_zones_csv(file, source_url)
        stored = StoredZones(table.num_rows, source_url, source_token, etag, sha256, fetched_at)
        with tempfile.TemporaryDirectory(prefix="taxi_zones_") as folder, self._objects.exclusive("zones"):
            parquet = Path(folder) / "zones.parquet"
            write_zones(table, stored, parquet)
            self._objects.replace(ZONES_PATH, parquet, {"source_url": source_url, "sha256": sha256})
        return stored

    def zones(self) -> pa.Table | None:
        """The zone lookup, 265 rows ordered by location id; None if it was never stored."""
        content = self._objects.read(ZONES_PATH)
        return None if content is None else small_table(content)

    def mapped_zones(self) -> pa.Table | None:
        """The lookup with what the current shapes tell, as tables have it; None if there is no lookup."""
        from taxi_platform.stores.lake.zones import TOLD_BY_SHAPES, mapped_zones

        zones = self.zones()
        return None if zones is None else mapped_zones(zones, self.zone_shapes(("location_id", *TOLD_BY_SHAPES)))

    def stored_zones(self) -> StoredZones | None:
        """The provenance of the zone lookup; None if it was never stored."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from taxi_platform.stores.lake.zones import provenance_of

        content = self._objects.read(ZONES_PATH)
        return None if content is None else provenance_of(pq.read_schema(pa.BufferReader(content)))

    def store_zone_shapes(
        self, file: Path, *, source_url: str, source_token: str, etag: str | None, sha256: str, fetched_at: str
    ) -> StoredShapes:
        """Make upstream's zipped shapefile the current version of the zones' shapes; earlier ones stay.

        Raises:
            BrokenFileError: it is none, or not of the zones; the version before stays current.
        """
        import pyarrow.parquet as pq

        from taxi_platform.stores.lake.shapes import StoredShapes, read_zone_shapes, with_version

        self._check_kind(source_url)
        read = read_zone_shapes(file, source_url)
        stored = StoredShapes(
            version=sha256[:16],
            zones=read.rows.num_rows,
            read_by=read.read_by,
            mended=read.mended,
            source_url=source_url,
            source_token=source_token,
            etag=etag,
            sha256=sha256,
            fetched_at=fetched_at,
        )
        with tempfile.TemporaryDirectory(prefix="taxi_zones_") as folder, self._objects.exclusive("zones"):
            parquet = Path(folder) / "shapes.parquet"
            pq.write_table(read.rows, parquet, compression="zstd")
            self._objects.create(stored.path, parquet, {"source_url": source_url, "sha256": sha256})
            self._objects.update(_SHAPES_NOTE, lambda content: with_version(content, stored))
        return stored

    def zone_shapes(self, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The current shapes, or those columns of them, ordered by location id; None where they were never stored.

        Raises:
            DamagedError: their object is lost or is not a Parquet file.
        """
        stored = self.stored_zone_shapes()
        if stored is None:
            return None
        with self.open_parquet(stored.path) as file:
            return file.read(None if columns is None else list(columns), use_threads=False)  # as in `small_table`

    def zone_polygons(self, stored: StoredShapes) -> Mapping[int, bytes]:
        """Location id → polygon in feet of EPSG:2263, as well-known binary, of one version of the shapes.

        Raises:
            DamagedError: its object is lost or is not a Parquet file.
        """
        from taxi_platform.stores.lake.shapes import FEET

        with self.open_parquet(stored.path) as file:
            rows = file.read(columns=["location_id", FEET], use_threads=False)
        return dict(zip(rows["location_id"].to_pylist(), rows[FEET].to_pylist(), strict=True))

    def stored_zone_shapes(self) -> StoredShapes | None:
        """The provenance of the current shapes; None where they were never stored, or are lost."""
        from taxi_platform.stores.lake.shapes import versions_of

        current = next(reversed(versions_of(self._objects.read(_SHAPES_NOTE))), None)
        return current if current and self._objects.size(current.path) else None
