"""Clean months of a lake: pairs of trips and quarantine objects, of which the manifest names one.

Belongs here: the order of writes that makes a pair visible as a whole or not at all, and the removal of pairs that the
manifest no longer names. Does not: how two footers are compared (``footers``), and the manifest itself (``manifests``).

Both objects are written first, under new names; then one write makes the manifest name them. A reader of the superseded
pair can go on reading it. The next writer of the month removes that pair after a grace period, and also objects of
writers that crashed before the manifest named them.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone

from taxi_platform.errors import DamagedError, StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import CleanMonth, RawMonth, StagedClean
from taxi_platform.stores.lake.footers import belong_together, existing_footer, read_footer, rows_read
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.manifests import Manifests, month_folder
from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["CleanPairs"]

_LOG = logging.getLogger(__name__)
_LAYERS = ("quarantine", "trips")


class CleanPairs:
    """The layers ``trips`` and ``quarantine`` of a lake; `Lake` says what each method promises."""

    def __init__(
        self, objects: Objects, manifests: Manifests, grace: timedelta, kept: Callable[[], Collection[str]]
    ) -> None:
        """``kept`` names objects that stay although no manifest names them, because a snapshot does."""
        self._objects = objects
        self._manifests = manifests
        self._grace = grace
        self._kept = kept

    def store(self, staged: StagedClean) -> CleanMonth:
        """Store a cleaned pair as the month's current one; see `Lake.store_clean`."""
        _check_staged(staged)
        month, facts = staged.month, staged.facts
        name = f"{re.sub(r'[^A-Za-z0-9_.-]', '.', facts.version)}-{secrets.token_hex(4)}.parquet"
        clean = CleanMonth(
            month=month,
            facts=facts,
            trips_path=f"{month_folder('trips', month)}/{name}",
            quarantine_path=f"{month_folder('quarantine', month)}/{name}",
            trips_size=staged.trips_file.stat().st_size,
            quarantine_size=staged.quarantine_file.stat().st_size,
            stored_at=_now().isoformat(timespec="seconds"),
        )
        attributes = {"version": facts.version, "raw_version": facts.raw_version}
        with self._exclusive(month):
            for path, file, rows in (
                (clean.quarantine_path, staged.quarantine_file, facts.quarantined_rows),
                (clean.trips_path, staged.trips_file, facts.trips_rows),
            ):
                self._objects.create(path, file, {**attributes, "rows": str(rows)})
            self._change(month, lambda manifest: manifest.with_clean(clean, _now()))
        return clean

    def restore(self, raw: RawMonth, clean: CleanMonth, snapshot: str) -> Manifest:
        """Make a snapshot's version and pair the month's current ones; raises `DamagedError` if an object is not whole.

        The caller has looked at the object of the version.
        """
        if problem := self.problem(clean):
            raise DamagedError(f"{problem}: the snapshot {snapshot} of {clean.month} cannot be restored")
        with self._exclusive(clean.month):
            return self._change(clean.month, lambda m: m.with_restored(raw, clean, snapshot, _now()))

    def remove(self, month: TripMonth) -> bool:
        """Take the month's pair out of the manifest; returns whether there was one."""
        if self._manifests.read(month).clean is None:
            return False
        with self._exclusive(month):
            self._change(month, lambda manifest: manifest.with_clean(None, _now()))
        return True

    def clear(self, month: TripMonth) -> None:
        """Remove objects of the month that were superseded long enough ago."""
        manifest = self._manifests.read(month)
        if manifest.without_expired(_now(), self._grace) == manifest:
            return
        with self._exclusive(month):
            self._change(month, lambda manifest: manifest)

    def discard_unreadable(self, clean: CleanMonth) -> str | None:
        """Read every page of the pair. If a page is damaged, the month loses the pair, and the reason is returned."""
        try:
            for path in (clean.trips_path, clean.quarantine_path):
                rows_read(self._objects, path)
        except DamagedError as error:
            with self._exclusive(clean.month):
                self._change(clean.month, lambda m: m.with_clean(None, _now()) if m.clean == clean else m)
            return str(error)
        return None

    def problem(self, clean: CleanMonth) -> str | None:
        """What is wrong with the pair's objects, by sizes and footers; None if nothing is."""
        try:
            trips = existing_footer(self._objects, clean.trips_path, clean.trips_size)
            quarantine = existing_footer(self._objects, clean.quarantine_path, clean.quarantine_size)
        except DamagedError as error:
            return str(error)
        both = f"{self._objects.uri(clean.trips_path)} and its quarantine"
        if (trips.size, quarantine.size) != (clean.trips_size, clean.quarantine_size):
            return (
                f"{both} have {trips.size:,} and {quarantine.size:,} bytes, where {clean.trips_size:,} and "
                f"{clean.quarantine_size:,} were stored"
            )
        if not belong_together(trips, quarantine) or trips.facts != clean.facts:
            return f"{both} do not have the facts that the manifest has"
        return None

    @contextmanager
    def _exclusive(self, month: TripMonth) -> Iterator[None]:
        with ExitStack() as locks:
            for layer in _LAYERS:
                locks.enter_context(self._objects.exclusive(month_folder(layer, month)))
            yield

    def _change(self, month: TripMonth, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Change the manifest in one write, then remove the objects that nothing names any more."""
        expired: frozenset[str] = frozenset()

        def changed(manifest: Manifest) -> Manifest:
            nonlocal expired
            manifest = change(manifest)
            kept = manifest.without_expired(_now(), self._grace)
            expired = manifest.clean_paths - kept.clean_paths
            return kept

        with self._objects.exclusive(month_folder("raw", month)):
            manifest = self._manifests.update(month, changed)
        if unneeded := [*sorted(expired), *self._never_named(month, manifest.clean_paths)]:
            self._discard(unneeded)
        return manifest

    def _discard(self, unneeded: Sequence[str]) -> None:
        try:
            kept = self._kept()
        except DamagedError as error:  # the month is stored all the same
            _LOG.warning("%s; until then nothing is removed that it may name", error)
            return
        self._objects.discard([path for path in unneeded if path not in kept])

    def _never_named(self, month: TripMonth, named: Collection[str]) -> Iterator[str]:
        """Objects of writers that crashed. A running writer may have objects that its manifest does not name yet."""
        old = _now() - max(self._grace, self._objects.unfinished_age)
        for layer in _LAYERS:
            for path, stored in self._objects.ages(month_folder(layer, month)).items():
                if path not in named and stored <= old:
                    yield path


def _check_staged(staged: StagedClean) -> None:
    with staged.trips_file.open("rb") as trips, staged.quarantine_file.open("rb") as quarantine:
        pair = (read_footer(trips, staged.trips_file.name), read_footer(quarantine, staged.quarantine_file.name))
    if not belong_together(*pair) or pair[0].facts != staged.facts:
        raise StoreError(f"the cleaned files of {staged.month} do not carry their facts: nothing was stored")


def _now() -> datetime:
    return datetime.now(timezone.utc)
