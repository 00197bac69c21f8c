"""``{dataset}_raw``: upstream's months as Parquet versions in the lake that never change.

Belongs here: whether a month has to be fetched at all. Does not: fetching (``sources``), reading upstream's files
(``ingest``) and storing (``orchestration.io_managers.lake``).

Who calls whom: the asset's function ``raw`` returns `RawMonths` with the months and the function ``fetch``. Dagster
gives that to ``LakeIOManager.handle_output``. It opens each month, which calls ``fetch`` and so `fetched`. `fetched`
asks ``sources`` for the file and ``ingest`` for the raw month. The IO manager then puts the month into the lake.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from taxi_platform.cleaning.refusals import is_refused
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import DamagedError, MonthNotPublishedError, RefusedMonthError, SettingsError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.failures import in_a_sentence
from taxi_platform.orchestration.io_managers.values import RawMonths
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.orchestration.partitions import asked_months, monthly_partitions, tag_months
from taxi_platform.orchestration.resources import LakeResource, SourceResource, StagingResource
from taxi_platform.references import AcceptedRaw, RawMonth, RestoredMonth, SelectedRaw, StagedRaw, WithdrawnMonth

if TYPE_CHECKING:
    from taxi_platform.sources.model import Source, Version
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["UPSTREAM_POOL", "RawConfig", "Upstream", "raw_asset"]

UPSTREAM_POOL = "upstream"
"""The pool of every asset that fetches. The instance (``dagster.yaml``) limits how many of them run at a time."""

_LOG = logging.getLogger(__name__)


class Upstream(Enum):
    """Where a run fetches from: the configured source, or one of the public hosts just for this run."""

    configured = "configured"
    auto = "auto"
    dtc = "dtc"
    tlc = "tlc"


class RawConfig(dg.Config):
    """Options of a run for raw months."""

    force: bool = Field(False, description="Fetch the file again even where upstream says it has not changed.")
    source: Upstream = Field(
        Upstream.configured,
        description=(
            "For this run, fetch from a public host instead of what TAXI_SOURCE and TAXI_SOURCE_URL say. Automation "
            "keeps to these, and brings their version of the month back when it looks next."
        ),
    )
    remove_withdrawn: bool = Field(
        False,
        description=(
            "Take a month that upstream no longer has out of every store, instead of failing. Its versions stay in "
            "the lake."
        ),
    )
    select_version: str | None = Field(
        None,
        description=(
            "Make this stored version current, without a look at upstream, in a run over one month. It stays so until "
            "upstream has another than when it was last followed. `taxi versions` names them."
        ),
    )
    restore_snapshot: str | None = Field(
        None,
        description=(
            "Make what this snapshot names of each month current, raw and trips, without a look at upstream. It stays "
            "so until upstream has another version than when it was last followed. `taxi snapshot list` names them."
        ),
    )
    accept_changed_format: bool = Field(
        False,
        description=(
            "Take the versions that this run brings or selects, or that cleaning has refused, in the format they have: "
            "what does not fit goes to quarantine. Said once, it stands for every later cleaning of those versions."
        ),
    )


def raw_asset(contract: Contract, runs: dg.BackfillPolicy) -> dg.AssetsDefinition:
    """The asset of one dataset's raw months; the module's text says who calls whom."""

    @dg.asset(
        key=asset_name("raw", contract.dataset),
        partitions_def=monthly_partitions(contract),
        backfill_policy=runs,
        group_name=contract.dataset,
        io_manager_key="lake_io",
        kinds={"parquet", "bronze"},
        pool=UPSTREAM_POOL,
        description=(
            f"Monthly {contract.title} files as upstream publishes them, every record kept: one immutable Parquet "
            "object per version, and a manifest that names the current one."
        ),
    )
    def raw(
        context: dg.AssetExecutionContext,
        config: RawConfig,
        source: SourceResource,
        lake: LakeResource,
        staging: StagingResource,
    ) -> RawMonths:
        with in_a_sentence():
            months = asked_months(contract, context.run.tags)
            tag_months(context, months)
            if config.select_version is not None:
                accept = config.accept_changed_format
                return _selected(months, config.select_version, lake, accept_changed_format=accept)
            if config.restore_snapshot is not None:
                return _restored(months, config.restore_snapshot, lake)
            upstream = _chosen(config.source, source)

        looks = _NotedLooks(lake.open(), contract.dataset)

        # Called by LakeIOManager.handle_output, once for each month, when it opens the month.
        @contextlib.contextmanager
        def fetch(month: TripMonth) -> Iterator[StagedRaw | AcceptedRaw | RawMonth | WithdrawnMonth]:
            with fetched(contract, month, upstream, looks, lake, staging, config) as value:
                yield value

        return RawMonths(months, fetch)

    return raw


def _selected(
    months: Sequence[TripMonth], version: str, lake: LakeResource, *, accept_changed_format: bool
) -> RawMonths:
    if len(months) != 1:
        raise SettingsError(f"select_version goes with a run over one month, and this one has {len(months)}")

    # Called by LakeIOManager.handle_output, which then makes the version current.
    @contextlib.contextmanager
    def select(month: TripMonth) -> Iterator[SelectedRaw]:
        yield SelectedRaw(lake.open().raw_version(month, version), accept_changed_format)

    return RawMonths(months, select)


def _restored(months: Sequence[TripMonth], snapshot: str, lake: LakeResource) -> RawMonths:
    # Called by LakeIOManager.handle_output, which then makes both current.
    @contextlib.contextmanager
    def restore(month: TripMonth) -> Iterator[RestoredMonth]:
        yield lake.open().snapshots.restorable(snapshot, month)

    return RawMonths(months, restore)


def _chosen(choice: Upstream, configured: SourceResource) -> "Source":
    from taxi_platform.sources import open_source

    if choice is Upstream.configured:
        return configured.open()
    if configured.name == "sample":
        raise SettingsError(
            f"this platform holds generated months, and those of {choice.value} go into a data root of their own: set "
            "TAXI_SOURCE and TAXI_DATA"
        )
    return open_source(choice.value)


class _NotedLooks:
    """Notes in the lake that this run looked at upstream, once, when upstream has first answered."""

    def __init__(self, lake: "Lake", dataset: str) -> None:
        self._lake = lake
        self._dataset = dataset
        self._lock = threading.Lock()
        self._is_noted = False

    def note(self) -> None:
        """Note the look, unless this run has done so."""
        with self._lock:
            if not self._is_noted:
                self._lake.note_look(self._dataset, datetime.now(timezone.utc))
                self._is_noted = True


@contextlib.contextmanager
def fetched(
    contract: Contract,
    month: TripMonth,
    upstream: "Source",
    looks: "_NotedLooks",
    lake: LakeResource,
    staging: StagingResource,
    config: RawConfig,
) -> Iterator[StagedRaw | AcceptedRaw | RawMonth | WithdrawnMonth]:
    """One month for the lake. The IO manager calls it, through ``fetch`` in `raw_asset`, and stores what it yields.

    If upstream has not changed (one HEAD request), the month is a reference to what the lake has; nothing is fetched.
    Otherwise the file is fetched and made into a raw month in a private folder, which is removed when the context ends.

    Yields:
        `StagedRaw`: a new version. `AcceptedRaw`: the lake's version, to be cleaned (again). `RawMonth`: the lake's
        version, unchanged. `WithdrawnMonth`: upstream no longer has the month, and the run may remove it.

    Raises:
        MonthNotPublishedError: upstream has no such month.
        RefusedMonthError: cleaning refused upstream's version, and nothing has changed since.
        TaxiError: the file cannot be fetched or read; see ``Source.fetch`` and ``ingest.stage_raw``.
    """
    from taxi_platform.ingest import stage_raw

    version = upstream.stat(month)
    looks.note()
    manifest = lake.open().repair(month)
    if version is None:
        if not (config.remove_withdrawn and manifest.versions):
            raise MonthNotPublishedError(f"{upstream.name} has no file for {month}: it may not be published yet")
        _LOG.info("%s: withdrawn upstream", month)
        yield WithdrawnMonth(month)
        return
    if not config.force and (held := _held(contract, manifest, version, lake.open(), config)):
        _LOG.info("%s: unchanged upstream", month)
        yield held
        return
    with staging.open() as folder:
        _LOG.info("%s: fetching %s", month, version.url)
        download = upstream.fetch(month, version, folder)
        staged = stage_raw(contract, month, download, folder)
        _LOG.info("%s: %s records read", month, f"{staged.raw.rows:,}")
        if staged.raw.decoded_rows:
            records = f"{staged.raw.decoded_rows:,}"
            _LOG.warning("%s: %s records have bytes that are not UTF-8, read as Windows-1252", month, records)
        if staged.readable_file:
            _LOG.warning("%s: text in it is not UTF-8; the raw views read a copy in which it is escaped", month)
        raw = replace(staged.raw, accepts_changed_format=config.accept_changed_format)
        # Equal bytes with another token upstream stay refused, unless a person forces the fetch.
        known = manifest.find(raw.version)
        lifts_refusal = config.force or (known is not None and not is_refused(contract, known))
        yield replace(staged, raw=raw, lifts_refusal=lifts_refusal)


def _held(
    contract: Contract, manifest: "Manifest", version: "Version", lake: "Lake", config: RawConfig
) -> AcceptedRaw | RawMonth | None:
    """The lake's version, if upstream has the same and this release would convert it into the same file; else None.

    Raises:
        RefusedMonthError: cleaning refused the version, and nothing has changed since.
    """
    from taxi_platform.ingest import is_current_conversion

    upstream, consents = manifest.upstream_version, config.accept_changed_format
    if upstream is None or upstream.source_token != version.token:
        return None
    if not manifest.is_selected and not is_current_conversion(upstream):
        return None
    if manifest.refusal is not None and is_refused(contract, upstream) and not consents:
        raise RefusedMonthError(manifest.refusal)
    held = upstream if manifest.refusal is not None else manifest.current_version
    if held is None or _is_damaged(held, upstream, lake):
        return None
    is_cleaned = manifest.clean is not None and manifest.clean.facts.raw_version == held.version
    if held.refused is not None or (consents and not is_cleaned and not held.accepts_changed_format):
        return AcceptedRaw(held, consents)
    return held


def _is_damaged(held: RawMonth, upstream: RawMonth, lake: "Lake") -> bool:
    """Whether the version has to be fetched again; raises `DamagedError` if upstream no longer has it."""
    problem = lake.raw_problem(held)
    if problem and held.version != upstream.version:
        raise DamagedError(
            f"{problem}: {held.month} was at that version, which upstream has no longer; restore the object from a "
            f"backup, or go to another version with taxi select {held.month.dataset} {held.month.label} VERSION"
        )
    if problem:
        _LOG.warning("%s: %s; fetching it again", held.month, problem)
    return problem is not None
