"""``report_io``: pages of months, in the folder where ``taxi report`` writes them.

Belongs here: when a page is made, and what Dagster records of it. Does not: pages (``inspection.report``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from taxi_platform.errors import StoreError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.isolation import ATTEMPTS, Metadata, recorded, store_each
from taxi_platform.orchestration.io_managers.values import ReportMonths
from taxi_platform.orchestration.metadata import MADE_FROM, report_metadata, withdrawn_metadata
from taxi_platform.orchestration.resources import LakeResource, TableStoreResource
from taxi_platform.stores.model import MartStore

__all__ = ["ReportIOManager"]


class ReportIOManager(dg.ConfigurableIOManager):
    """Makes the pages of `ReportMonths` one by one, and the index once for all of them."""

    lake: LakeResource
    tables: TableStoreResource
    folder: str
    attempts: int = ATTEMPTS

    def handle_output(self, context: dg.OutputContext, obj: ReportMonths) -> None:
        """Make each month's page where it is not there yet, or shows other marts than the store has.

        Raises:
            dagster.Failure: some months failed; it names them, and the others are made and recorded.
        """
        from taxi_platform.inspection.report.folder import ReportFolder

        store, lake, contract = self.tables.open(), self.lake.open(), obj.contract
        assert isinstance(store, MartStore), "its layer says so"
        report = ReportFolder(Path(self.folder), store, lake)
        instance = dg.AssetExecutionContext.get().instance

        def make(month: TripMonth) -> Metadata:
            if lake.manifest(month).is_withdrawn:
                return withdrawn_metadata(changed=report.remove_month(contract, month.first_day))
            made_from = report.made_from(contract, month.first_day)
            if report.is_current(contract, month.first_day) and (
                known := _recorded(instance, context.asset_key, month, made_from)
            ):
                return {**known, "changed": False}
            figures = report.write_month(contract, month.first_day)
            return report_metadata(figures, report.page(contract, month.first_day), made_from)

        with recorded(context) as outcome:
            # One after another: drawing takes a core, and memory that two at once would take twice.
            store_each(obj.months, make, 1, self.attempts, self.lake.wait_seconds, outcome)
            if any(metadata["changed"] for metadata in outcome.stored.values()):
                report.write_index()

    def load_input(self, context: dg.InputContext) -> Any:
        """Refuse: a page is for people."""
        raise StoreError(f"{context.asset_key.to_user_string()} is made of pages, and has no rows: read its marts")


def _recorded(
    instance: dg.DagsterInstance, key: dg.AssetKey, month: TripMonth, made_from: str
) -> Mapping[str, Any] | None:
    """The newest record of the month's page, if that was made from the same marts: what it shows still holds."""
    newest = dg.AssetRecordsFilter(key, asset_partitions=[month.partition_key])
    for record in instance.fetch_materializations(newest, limit=1).records:
        materialization = record.asset_materialization
        known = materialization.metadata if materialization else {}
        if (version := known.get(MADE_FROM)) is not None and version.value == made_from:
            return known
    return None
