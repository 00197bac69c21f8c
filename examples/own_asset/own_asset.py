"""Revenue by day and borough: tables of our own, made from the platform's through its IO managers."""

import dagster as dg
import pandas as pd

from taxi_platform.contracts import CONTRACTS
from taxi_platform.orchestration.io_managers import io_managers
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import Settings

MONTHS = monthly_partitions(CONTRACTS["green"])
GREEN = dg.AssetSpec(
    "green_warehouse", partitions_def=MONTHS, metadata={"dagster/table_name": "taxi.green_trips"}
).with_io_manager_key("warehouse_io")
ZONES = dg.AssetSpec("zones_warehouse", metadata={"dagster/table_name": "taxi.zones"}).with_io_manager_key(
    "warehouse_io"
)
COLUMNS = ["pickup_datetime", "pickup_location_id", "total_amount"]


@dg.asset(
    ins={"trips": dg.AssetIn(GREEN.key, metadata={"columns": COLUMNS}), "zones": dg.AssetIn(ZONES.key)},
    partitions_def=MONTHS,
    io_manager_key="postgres_io",
)
def daily_revenue(trips: pd.DataFrame, zones: pd.DataFrame) -> pd.DataFrame:
    """In PostgreSQL as `marts.daily_revenue`; a month of it is replaced when its trips are."""
    named = trips.merge(zones, left_on="pickup_location_id", right_on="location_id")
    return named.groupby([named.pickup_datetime.dt.date.rename("day"), "borough"]).total_amount.agg(["size", "sum"])


@dg.asset(io_manager_key="warehouse_io")
def borough_revenue(daily_revenue: pd.DataFrame) -> pd.DataFrame:
    """In the warehouse as `marts.borough_revenue`: every month there is of `daily_revenue`."""
    return daily_revenue.groupby("borough")[["size", "sum"]].sum()


defs = dg.Definitions(
    assets=[GREEN, ZONES, daily_revenue, borough_revenue],
    resources=io_managers(Settings.from_environment()),
    executor=dg.in_process_executor,
)
