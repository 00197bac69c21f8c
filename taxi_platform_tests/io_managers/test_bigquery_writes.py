"""Why DataFrames go into BigQuery our way: dagster-gcp-pandas' own way beside it, on the same emulator."""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster_gcp_pandas import BigQueryPandasIOManager
from google.cloud import bigquery

from taxi_platform.errors import StoreUnavailableError
from taxi_platform.stores.bigquery.connection import BigQueryDataset, parse_address
from taxi_platform_tests.io_managers.conftest import MONTHS, Desk

pytestmark = [  # of the stock manager's way to write
    pytest.mark.filterwarnings("ignore:Loading DataFrames via google-cloud-bigquery"),
    pytest.mark.filterwarnings("ignore:Loading pandas DataFrame into BigQuery"),
]

BIGQUERY = pytest.mark.parametrize("desk", ["bigquery"], indirect=True)
STRAY = [datetime(2020, 3, 5), datetime(2008, 12, 31)]
"""A pickup of the month, and one of a meter whose clock is wrong: both in the file of March 2020."""


@pytest.fixture
def stock(desk: Desk) -> BigQueryPandasIOManager:
    """dagster-gcp-pandas as its documentation sets it up."""
    dataset = dataset_of(desk)
    dataset.client.create_dataset("marts", exists_ok=True)
    return BigQueryPandasIOManager(project=dataset.project, dataset="marts")


@pytest.fixture(autouse=True)
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client looks for credentials even where there is an emulator."""
    from google.auth.credentials import AnonymousCredentials

    anonymous: Any = AnonymousCredentials
    monkeypatch.setattr("google.auth.default", lambda *_, **__: (anonymous(), "taxi-project"))


def dataset_of(desk: Desk) -> BigQueryDataset:
    return parse_address(desk.settings.warehouse)


def rows_of(desk: Desk, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in dataset_of(desk).client.query(f"SELECT * FROM marts.{table} ORDER BY 1").result()]


def asset(name: str, value: Any, io_manager_key: str) -> dg.AssetsDefinition:
    def made() -> Any:
        return value

    definition = dg.asset(
        name=name, partitions_def=MONTHS, io_manager_key=io_manager_key, metadata={"partition_expr": "pickup"}
    )
    return definition(made)


def run_stock(desk: Desk, stock: BigQueryPandasIOManager, value: Any) -> None:
    dg.materialize([asset("stock", value, "stock")], resources={"stock": stock}, partition_key="2020-03-01")


def run_ours(desk: Desk, value: Any) -> None:
    desk.run(asset("ours", value, desk.io_manager_key), partition_key="2020-03-01")


@BIGQUERY
def test_a_stray_pickup_is_written_again_with_every_run_of_the_stock_manager_and_once_by_ours(
    desk: Desk, stock: BigQueryPandasIOManager
) -> None:
    month = pd.DataFrame({"pickup": STRAY, "Fare": [1.0, 2.0]})
    for _ in range(2):
        run_stock(desk, stock, month)
        run_ours(desk, month)
    assert [row["FARE"] for row in rows_of(desk, "stock")] == [2.0, 2.0, 1.0]  # and its names are upper-cased
    assert sorted(row["Fare"] for row in rows_of(desk, "ours")) == [1.0, 2.0]


@BIGQUERY
def test_a_load_that_fails_loses_the_month_of_the_stock_manager_and_none_of_ours(
    desk: Desk, stock: BigQueryPandasIOManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = pd.DataFrame({"pickup": STRAY[:1], "fare": [1.0]})
    run_stock(desk, stock, month)
    run_ours(desk, month)

    def refused(*_: object, **__: object) -> None:
        raise ConnectionError("the network is gone")

    monkeypatch.setattr(bigquery.Client, "load_table_from_dataframe", refused)
    monkeypatch.setattr("taxi_platform.stores.bigquery.tables.load_file", refused)
    with pytest.raises(ConnectionError, match="the network is gone"):
        run_stock(desk, stock, month)
    with pytest.raises(StoreUnavailableError, match="the network is gone"):
        run_ours(desk, month)
    assert rows_of(desk, "stock") == []
    assert [row["fare"] for row in rows_of(desk, "ours")] == [1.0]


@BIGQUERY
def test_a_month_without_rows_is_replaced_by_none(desk: Desk) -> None:
    month = pd.DataFrame({"fare": [1.0]})
    run_ours(desk, month)
    run_ours(desk, month[:0])
    assert rows_of(desk, "ours") == []
