"""``{dataset}_report``: a page for each month, for people who want answers and no tables.

Belongs here: which asset is which report. Does not: making pages (``orchestration.io_managers.report``,
``inspection.report``).

Who calls whom: the asset's function ``report`` returns `ReportMonths`. Dagster gives that to
``ReportIOManager.handle_output``. It makes each month's page from the marts of one store.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.automation.conditions import shows
from taxi_platform.orchestration.io_managers.values import ReportMonths
from taxi_platform.orchestration.jobs import REPORTS_GROUP
from taxi_platform.orchestration.keys import REPORT, asset_key, asset_name
from taxi_platform.orchestration.partitions import asked_months, monthly_partitions
from taxi_platform.stores.layer import StoreAt

__all__ = ["report_asset"]


def report_asset(store: StoreAt, contract: Contract, runs: dg.BackfillPolicy) -> dg.AssetsDefinition:
    """The asset of one dataset's pages from that store's marts; the module's text says who calls whom."""
    layer = store.layer

    @dg.asset(
        key=asset_name(REPORT, contract.dataset),
        deps=[asset_key(layer.marts, contract.dataset)],
        partitions_def=monthly_partitions(contract),
        backfill_policy=runs,
        group_name=REPORTS_GROUP,
        io_manager_key="report_io",
        pool=layer.name,
        automation_condition=shows(layer.marts),
        kinds={"html"},
        description=(
            f"A page for each month of {contract.title} trips, which needs no network, from the marts in "
            f"{layer.title}: what `taxi report` makes, where it makes it. An index over all months stands beside them."
        ),
    )
    def report(context: dg.AssetExecutionContext) -> ReportMonths:
        return ReportMonths(contract, asked_months(contract, context.run.tags))

    return report
