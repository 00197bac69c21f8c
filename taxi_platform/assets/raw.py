"""``raw/{dataset}``: upstream's months as immutable Parquet versions in the lake.

Belongs here: whether a month has to be fetched at all. Does not: fetching (``sources``), reading upstream's files
(``ingest``) and storing (``io_managers.lake``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
import contextlib
import logging
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from taxi_platform.contracts.model import Contract
from taxi_platform.errors import MonthNotPublishedError
from taxi_platform.io_managers.values import RawMonths
from taxi_platform.months import TripMonth
from taxi_platform.partitions import monthly_partitions, trip_month
from taxi_platform.references import RawMonth, StagedRaw
from taxi_platform.resources import LakeResource, SourceResource, StagingResource

__all__ = ["RawConfig", "raw_asset"]

_LOG = logging.getLogger(__name__)


class RawConfig(dg.Config):
    """How raw months are fetched."""

    force: bool = Field(False, description="Fetch the file again even where upstream says it has not changed.")


def raw_asset(contract: Contract) -> dg.AssetsDefinition:
    """The raw months of one dataset."""

    @dg.asset(
        key=["raw", contract.dataset],
        partitions_def=monthly_partitions(contract),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=contract.dataset,
        io_manager_key="lake_io",
        kinds={"parquet"},
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
        @contextlib.contextmanager
        def fetch(month: TripMonth) -> Iterator[StagedRaw | RawMonth]:
            with fetched(contract, month, source, lake, staging, force=config.force) as value:
                yield value

        return RawMonths([trip_month(contract, key) for key in context.partition_keys], fetch)

    return raw


@contextlib.contextmanager
def fetched(
    contract: Contract,
    month: TripMonth,
    source: SourceResource,
    lake: LakeResource,
    staging: StagingResource,
    *,
    force: bool,
) -> Iterator[StagedRaw | RawMonth]:
    """The month as the lake has it where upstream has not changed (one HEAD); else fetched, read and staged."""
    from taxi_platform.ingest import stage_raw

    upstream = source.open()
    version = upstream.stat(month)
    if version is None:
        raise MonthNotPublishedError(
            f"{upstream.name} has no file for {month} ({source.url or 'public address'}): it may not be published yet"
        )
    current = lake.open().current_raw(month)
    if current is not None and current.source_token == version.token and not force:
        _LOG.info("%s: unchanged upstream", month)
        yield current
        return
    with staging.open() as folder:
        _LOG.info("%s: fetching %s", month, version.url)
        download = upstream.fetch(month, version, folder)
        staged = stage_raw(contract, month, download, folder)
        _LOG.info("%s: %s records read", month, f"{staged.raw.rows:,}")
        yield staged
