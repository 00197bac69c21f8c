"""The lake: months of raw, clean and rejected rows as Parquet objects in a folder or a bucket.

Belongs here: what a lake can do, and which months it has. Does not: how raw versions and clean pairs are kept whole
(``raw``, ``clean``), what a manifest says (``manifest``), the transport (``objects``), and what the rows mean
(``cleaning``). One layout, in which no Parquet object is ever changed::

    raw/{dataset}/month=2020-03/{version}.parquet                    one per upstream version
    raw/{dataset}/month=2020-03/manifest.json                        names the current raw version and the clean pair
    trips/{dataset}/month=2020-03/{data version}-{random}.parquet
    quarantine/{dataset}/month=2020-03/{the same name}.parquet
    looks/{dataset}.json                                             when upstream was last looked at
    lake.json                                                        which lake this is
    zones/taxi_zone_lookup.parquet

Every reader goes by the manifest: it changes in one write, written last. Beside what it names lie earlier raw versions,
which stay, and superseded pairs, which the next writer of the month removes after a grace period. The footers of a pair
carry its `CleanFacts` under the key ``taxi_platform``: they are the evidence that the objects are what was stored.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import CleanMonth, MonthCounts, RawMonth, Refusal, StagedClean, StagedRaw
from taxi_platform.stores.lake.clean import CleanPairs
from taxi_platform.stores.lake.identity import Holds, Identities, LakeIdentity, holds_of
from taxi_platform.stores.lake.looks import Looks
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import UNKNOWN, Manifests
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.lake.objects.model import Objects, open_objects
from taxi_platform.stores.lake.raw import RawVersions

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxi_platform.stores.lake.zones import StoredZones

__all__ = ["ZONES_PATH", "Lake"]

_MONTH_OBJECTS = {
    layer: re.compile(rf"{layer}/[^/]+/month=(?P<label>\d{{4}}-\d{{2}})/{name}")
    for layer, name in (("raw", r"manifest\.json"), ("trips", r"[^/]+\.parquet"))
}
"""What makes a month one of the lake's: trips without a manifest are to be seen, for they want repair."""

_MANIFEST = re.compile(r"raw/(?P<dataset>[^/]+)/month=(?P<label>\d{4}-\d{2})/manifest\.json")

ZONES_PATH = "zones/taxi_zone_lookup.parquet"
_LOG = logging.getLogger(__name__)
GRACE = timedelta(hours=24)


class Lake:
    """A lake by its URL: a folder, ``gs://bucket[/prefix]``, ``s3://…`` or ``az://…``; opened at first use.

    Every method raises `StoreError` where the store refuses, `StoreBusyError` where others write the same month for
    too long, and `DamagedError` where it needs an object that is missing or is not what was stored.
    """

    def __init__(self, url: str, *, wait_seconds: float = 600.0, grace: timedelta = GRACE) -> None:
        """Look at the URL only; raises `SettingsError` for one that names no store.

        Args:
            url: of the folder or bucket.
            wait_seconds: how long an operation waits for other writers, or for a store that does not answer.
            grace: how long the objects of a superseded clean pair stay for those who read them.
        """
        self._objects: Objects = open_objects(url, wait_seconds=wait_seconds)
        self._manifests = Manifests(self._objects)
        self._raw = RawVersions(self._objects, self._manifests)
        self._clean = CleanPairs(self._objects, self._manifests, grace)
        self._looks = Looks(self._objects)
        self._identities = Identities(self._objects)

    @property
    def url(self) -> str:
        """Absolute, without a slash at its end."""
        return self._objects.url

    def __repr__(self) -> str:
        return f"Lake({self.url!r})"

    def uri(self, path: str) -> str:
        """A path in the lake as other engines read it: an absolute file name or ``gs://bucket/…``."""
        return self._objects.uri(path)

    # ---- the lake as a whole

    def identity(self) -> LakeIdentity | None:
        """Which lake this is; None where nothing was stored yet, or by a release that made no identities."""
        return self._identities.read()

    def identify(self) -> LakeIdentity:
        """The same, made now for a lake of before; raises `StoreError` where there is no month to tell it by."""
        return self._identities.made(self._held)

    def _held(self) -> Holds:
        if holds := self._holds_already():
            return holds
        raise StoreError(f"the lake {self.url} has no month yet: bring one with taxi run first")

    def _holds_already(self) -> Holds | None:
        """What a lake of before holds, by any of its months; None where it has none."""
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
        """What the lake holds of the month, counted by footers now: damage is said, not raised.

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
        return MonthInLake(month, manifest, raw_rows, clean, tuple(problems))

    def manifest(self, month: TripMonth) -> Manifest:
        """Versions, the current one, upstream's and the clean pair; without versions where it was never stored."""
        return self._manifests.read(month)

    def repair(self, month: TripMonth) -> Manifest:
        """The manifest; a damaged or missing one is made again from what objects there are, a damaged one kept aside.

        Nothing is written where nothing is wrong.
        """
        return self._raw.repair(month)

    # ---- raw: immutable versions, of which the manifest names the current one

    def current_raw(self, month: TripMonth) -> RawMonth | None:
        """The version the manifest names as current; None where the month was never stored, or is withdrawn."""
        return self._manifests.read(month).current_version

    def readable_raw(self, month: TripMonth) -> RawMonth | None:
        """The current version for a reader of many months; None, with a warning, where it or the manifest is damaged.

        Told by the object's size and its last bytes, so that many months cost little.
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
        """Every version there is, in the order in which upstream last had them."""
        return self._manifests.read(month).versions

    def raw_version(self, month: TripMonth, version: str) -> RawMonth:
        """One version by name; raises `StoreError` naming those there are."""
        return self._raw.version(month, version)

    def store_raw(self, staged: StagedRaw) -> RawMonth:
        """Make a raw month upstream's: first its object, created once and never changed, then the manifest.

        Returns the version that is current now; where all are refused, the one stored.

        A version that is known already (equal bytes upstream) gets its new provenance in the manifest and nothing else;
        only an object that cannot be read any more is put again. Where another version was selected since upstream last
        changed, that one stays current.
        """
        self._check_kind(staged.raw.source_url)
        manifest = self._raw.store(staged)
        return manifest.current_version or manifest.version(staged.raw.version)

    def select_raw(self, month: TripMonth, version: str, *, accept_changed_format: bool = False) -> RawMonth:
        """Make a stored version current again, until upstream has one that the lake has not seen as upstream's last.

        Provenance stays as it is.

        Raises:
            StoreError: no such version; names those there are.
            RefusedMonthError: cleaning refused it, and there is no consent to its format.
            DamagedError: its object is.
        """
        return self._raw.select(month, version, accept_changed_format=accept_changed_format).version(version)

    def refuse_raw(self, month: TripMonth, version: str, refusal: Refusal) -> Manifest:
        """Keep a version that cleaning refused, but as current never: that is the newest one that was not refused."""
        return self._raw.refuse(month, version, refusal)

    def accept_raw(self, month: TripMonth, version: str, *, accept_changed_format: bool = False) -> RawMonth:
        """Lift the refusal of a version and return it; the consent to its format, once given, stays with it."""
        return self._raw.accept(month, version, accept_changed_format=accept_changed_format).version(version)

    def withdraw_raw(self, month: TripMonth) -> bool:
        """Leave the month without a current version, every version kept; returns whether there was a current one."""
        return self._raw.withdraw(month)

    def count_raw(self, month: TripMonth, version: str | None = None) -> int | None:
        """Rows of the current raw version, or of that one, by its Parquet footer; None where the month has none."""
        raw = self.current_raw(month) if version is None else self.raw_version(month, version)
        return None if raw is None else self._raw.count(raw)

    def raw_problem(self, raw: RawMonth) -> str | None:
        """What is wrong with the object of that version; None where it is whole, as far as size and footer tell."""
        return self._raw.problem(raw)

    def raw_problem_at_a_glance(self, raw: RawMonth) -> str | None:
        """As `raw_problem`, of the object that views read, by its size and its last bytes."""
        return self._raw.problem_at_a_glance(raw)

    def set_aside_unreadable_raw(self, raw: RawMonth) -> str | None:
        """Read every page of that version; where one does not read, its object is moved aside, and why is returned."""
        return self._raw.set_aside_unreadable(raw)

    # ---- clean: the pair that the manifest names

    def current_clean(self, month: TripMonth) -> CleanMonth | None:
        """The clean month, whole by its two footers; None where it is absent or damaged."""
        clean = self._manifests.read(month).clean
        return None if clean is None or self._clean.problem(clean) else clean

    def clean_problem(self, clean: CleanMonth) -> str | None:
        """What is wrong with the objects of that pair; None where they are whole, as far as sizes and footers tell."""
        return self._clean.problem(clean)

    def discard_unreadable_clean(self, clean: CleanMonth) -> str | None:
        """Read every page of that pair; where one does not read, the month has none any more, and why is returned."""
        return self._clean.discard_unreadable(clean)

    def store_clean(self, staged: StagedClean) -> CleanMonth:
        """Make that pair the month's: both objects under new names, then the manifest names them in one write.

        A kill before that leaves the month before, and objects that the next writer removes after the grace period,
        together with the pair superseded now.
        """
        return self._clean.store(staged)

    def count_clean(self, month: TripMonth) -> MonthCounts | None:
        """Clean and rejected rows by the two Parquet footers; None where the pair is absent or damaged."""
        clean = self.current_clean(month)
        return None if clean is None else MonthCounts(clean.facts.trips_rows, clean.facts.quarantined_rows)

    def remove_clean(self, month: TripMonth) -> bool:
        """Leave the month without clean and rejected rows; returns whether there were any. Their objects stay for the
        grace period."""
        return self._clean.remove(month)

    def clear_superseded(self, month: TripMonth) -> None:
        """Remove pairs that were superseded longer than the grace period ago: one small read where there are none."""
        self._clean.clear(month)

    # ---- looks at upstream

    def note_look(self, dataset: str, when: datetime) -> None:
        """Remember that upstream was looked at then (a time with a zone), and answered."""
        self._looks.note(dataset, when)

    def last_look(self, dataset: str) -> datetime | None:
        """When upstream was last looked at for that dataset, in UTC; None where it never was."""
        return self._looks.last(dataset)

    # ---- reading

    def months(self, dataset: str) -> tuple[TripMonth, ...]:
        """Months with a manifest or trips, in calendar order."""
        labels = {
            match["label"]
            for layer, pattern in _MONTH_OBJECTS.items()
            for match in map(pattern.fullmatch, self._objects.paths(f"{layer}/{dataset}"))
            if match
        }
        return tuple(TripMonth(dataset, parse_month(label)) for label in sorted(labels))

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet object for reading batch by batch; closing the ParquetFile closes it. One version throughout."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        stream = self._objects.open(path)
        if stream is None:
            raise DamagedError(f"there is no {self.uri(path)}: materialize that month first")
        source: str | pa.PythonFile = pa.PythonFile(stream, "r")
        if isinstance(stream, io.BufferedReader):  # a file on disk: Arrow reads it by itself, without Python's lock
            stream.close()
            source = stream.name
        try:
            # Without pre_buffer a column chunk is freed once read: memory stays within one row group.
            return pq.ParquetFile(source, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(f"{self.uri(path)} is not a Parquet file: {error}") from error

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """The object as a local file to read: itself in a lake on disk, else streamed into a private temporary one."""
        return self._objects.local_copy(path)

    # ---- zones

    def store_zones(
        self, file: Path, *, source_url: str, source_token: str, etag: str | None, sha256: str, fetched_at: str
    ) -> StoredZones:
        """Replace the zone lookup by upstream's CSV file; raises `BrokenFileError` where it is not one."""
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
        """The zone lookup, 265 rows ordered by location id; None where it was never stored."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self._objects.read(ZONES_PATH)
        return None if content is None else pq.ParquetFile(pa.BufferReader(content)).read()

    def stored_zones(self) -> StoredZones | None:
        """The provenance of the zone lookup; None where it was never stored."""
        from taxi_platform.stores.lake.zones import provenance_of

        table = self.zones()
        return None if table is None else provenance_of(table)
