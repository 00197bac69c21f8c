"""What our additions to local-bigquery promise, each with Google's own words for it."""

from __future__ import annotations

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.stores.bigquery.connection import BigQueryDataset, parse_address

bigquery = pytest.importorskip("google.cloud.bigquery")

FIELDS = [{"name": "file_month", "type": "DATE"}, {"name": "number", "type": "INTEGER"}]
MARCH, APRIL = date(2020, 3, 1), date(2020, 4, 1)


@pytest.fixture
def dataset(bigquery_url: str) -> BigQueryDataset:
    """A dataset with the table ``t``, partitioned by month."""
    dataset = parse_address(bigquery_url)
    dataset.client.create_dataset(f"{dataset.project}.{dataset.name}")
    table = bigquery.Table(dataset.table_id("t"), [bigquery.SchemaField.from_api_repr(field) for field in FIELDS])
    table.time_partitioning = bigquery.TimePartitioning(type_="MONTH", field="file_month")
    dataset.client.create_table(table)
    return dataset


def load(dataset: BigQueryDataset, destination: str, rows: list[dict[str, Any]], **options: Any) -> None:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content)
    config = bigquery.LoadJobConfig(
        source_format="PARQUET",
        **{"write_disposition": "WRITE_TRUNCATE", "create_disposition": "CREATE_NEVER", **options},
    )
    dataset.client.load_table_from_file(content, dataset.table_id(destination), rewind=True, job_config=config).result()


def rows(dataset: BigQueryDataset) -> list[tuple[Any, ...]]:
    found = dataset.client.query(f"SELECT file_month, number FROM {dataset.sql('t')} ORDER BY 1, 2").result()
    return [row.values() for row in found]


def test_a_load_into_a_partition_replaces_that_partition_alone(dataset: BigQueryDataset) -> None:
    """A partition decorator with WRITE_TRUNCATE overwrites the data of that partition.

    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
    """
    load(dataset, "t$202003", [{"file_month": MARCH, "number": 1}, {"file_month": MARCH, "number": 2}])
    load(dataset, "t$202004", [{"file_month": APRIL, "number": 3}])
    load(dataset, "t$202003", [{"file_month": MARCH, "number": 4}])
    assert rows(dataset) == [(MARCH, 4), (APRIL, 3)]
    assert [table.table_id for table in dataset.client.list_tables(dataset.name)] == ["t"]


def test_a_query_s_results_replace_a_partition_alone(dataset: BigQueryDataset) -> None:
    """A query may have a partition as its destination; its columns are nullable, and are those of the table.

    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationQuery.FIELDS.write_disposition
    """
    from google.api_core.exceptions import BadRequest

    load(dataset, "t$202003", [{"file_month": MARCH, "number": 1}, {"file_month": MARCH, "number": 2}])
    load(dataset, "t$202004", [{"file_month": APRIL, "number": 3}])
    config = bigquery.QueryJobConfig(
        destination=dataset.table_id("t$202003"), write_disposition="WRITE_TRUNCATE", create_disposition="CREATE_NEVER"
    )

    def into_march(sql: str) -> None:
        job: Any = dataset.client.query(sql, job_config=config)
        if error := job.exception():
            raise error

    into_march(f"SELECT file_month, 10 * number AS number FROM {dataset.sql('t')} WHERE number = 2")
    assert rows(dataset) == [(MARCH, 20), (APRIL, 3)]
    with pytest.raises(BadRequest, match="different partitions"):
        into_march(f"SELECT file_month, number FROM {dataset.sql('t')}")
    with pytest.raises(BadRequest, match="does not match"):
        into_march("SELECT DATE '2020-03-01' AS file_month, 1 AS other")
    assert rows(dataset) == [(MARCH, 20), (APRIL, 3)]


def test_rows_of_another_partition_refuse_the_load(dataset: BigQueryDataset) -> None:
    """The data to write must belong to the partition of the decorator; a job that fails changes nothing.

    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad.FIELDS.write_disposition
    """
    from google.api_core.exceptions import BadRequest

    load(dataset, "t$202003", [{"file_month": MARCH, "number": 1}])
    for stray in (APRIL, None):
        with pytest.raises(BadRequest, match="different partitions"):
            load(dataset, "t$202003", [{"file_month": MARCH, "number": 2}, {"file_month": stray, "number": 3}])
    assert rows(dataset) == [(MARCH, 1)]


@pytest.mark.parametrize("decorator", ["2020", "20200301"])
def test_a_decorator_must_suit_the_partitioning(dataset: BigQueryDataset, decorator: str) -> None:
    """A monthly partition is named yyyymm.

    https://cloud.google.com/bigquery/docs/partitioned-tables#select_daily_hourly_monthly_or_yearly_partitioning
    """
    from google.api_core.exceptions import BadRequest

    with pytest.raises(BadRequest):
        load(dataset, f"t${decorator}", [{"file_month": MARCH, "number": 1}])


def test_fields_are_added_where_the_job_allows_it(dataset: BigQueryDataset) -> None:
    """ALLOW_FIELD_ADDITION goes with WRITE_TRUNCATE where the destination is a partition; older rows read null.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad.FIELDS.schema_update_options
    """
    from google.api_core.exceptions import BadRequest

    load(dataset, "t$202003", [{"file_month": MARCH, "number": 1}])
    wider = [*FIELDS, {"name": "added", "type": "STRING", "description": "New."}]
    schema = [bigquery.SchemaField.from_api_repr(field) for field in wider]
    april = [{"file_month": APRIL, "number": 2, "added": "x"}]
    with pytest.raises(BadRequest, match="Cannot add fields"):
        load(dataset, "t$202004", april, schema=schema)
    load(dataset, "t$202004", april, schema=schema, schema_update_options=["ALLOW_FIELD_ADDITION"])
    found = dataset.client.query(f"SELECT number, added FROM {dataset.sql('t')} ORDER BY 1").result()
    assert [row.values() for row in found] == [(1, None), (2, "x")]
    assert dataset.client.get_table(dataset.table_id("t")).schema[-1].description == "New."


def test_loads_into_two_partitions_at_once_both_arrive(dataset: BigQueryDataset) -> None:
    """Load jobs run side by side and each is atomic (https://cloud.google.com/bigquery/docs/loading-data)."""
    months = [date(2020, month, 1) for month in range(1, 7)]

    def one(month: date) -> None:
        load(dataset, f"t${month:%Y%m}", [{"file_month": month, "number": month.month}])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, months))
    assert rows(dataset) == [(month, month.month) for month in months]


def test_of_creators_at_once_one_wins(dataset: BigQueryDataset) -> None:
    """A table that exists already is answered by 409 duplicate.

    https://cloud.google.com/bigquery/docs/error-messages#errortable
    """
    from google.api_core.exceptions import Conflict

    def create(_: int) -> str:
        try:
            dataset.client.create_table(bigquery.Table(dataset.table_id("new"), [bigquery.SchemaField("a", "STRING")]))
        except Conflict:
            return "exists"
        return "created"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == ["created", "exists", "exists", "exists"]


def test_a_new_table_is_seen_with_its_partitioning_or_not_at_all(dataset: BigQueryDataset) -> None:
    """One insert makes a table with all that its resource says.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/insert
    """
    from google.api_core.exceptions import NotFound

    tables = []
    for number in range(20):
        table = bigquery.Table(dataset.table_id(f"new_{number}"), [bigquery.SchemaField("file_month", "DATE")])
        table.time_partitioning = bigquery.TimePartitioning(type_="MONTH", field="file_month")
        tables.append(table)

    def seen(table: Any) -> Any:
        while True:
            with contextlib.suppress(NotFound):
                return dataset.client.get_table(table.reference)

    with ThreadPoolExecutor(3) as pool:
        found = pool.map(seen, tables)
        for table in tables:
            dataset.client.create_table(table)
        assert [table.time_partitioning is not None for table in found] == [True] * len(tables)


def test_bytes_of_a_parquet_file_are_loaded_as_they_are(dataset: BigQueryDataset) -> None:
    """https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions"""
    content = io.BytesIO()
    pq.write_table(pa.table({"name": ["a", "b"], "shape": [b"\0\x01\xff", None]}), content)
    config = bigquery.LoadJobConfig(
        source_format="PARQUET",
        schema=[bigquery.SchemaField("name", "STRING"), bigquery.SchemaField("shape", "BYTES")],
    )
    target = dataset.table_id("shapes")
    dataset.client.load_table_from_file(content, target, rewind=True, job_config=config).result()
    found = dataset.client.query(f"SELECT name, shape FROM `{target}` ORDER BY name").result()
    assert [tuple(row.values()) for row in found] == [("a", b"\0\x01\xff"), ("b", None)]


def test_of_jobs_of_one_id_at_once_one_runs(dataset: BigQueryDataset) -> None:
    """A job id can be used once in a project; another insert is answered by 409 duplicate.

    https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
    """
    from google.api_core.exceptions import Conflict

    def load_once(number: int) -> str:
        content = io.BytesIO()
        pq.write_table(pa.table({"file_month": [MARCH], "number": [number]}), content)
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        target, name = dataset.table_id("t"), f"job_{dataset.name}"
        try:
            dataset.client.load_table_from_file(content, target, rewind=True, job_id=name, job_config=config).result()
        except Conflict:
            return "exists"
        return "ran"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(load_once, range(4))) == ["exists", "exists", "exists", "ran"]
    assert len(rows(dataset)) == 1


def test_new_tables_take_the_datasets_expirations_which_null_clears(bigquery_url: str) -> None:
    """A partitioned table takes defaultPartitionExpirationMs, any other defaultTableExpirationMs.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset
    """
    dataset = parse_address(bigquery_url)
    declared = bigquery.Dataset(f"{dataset.project}.{dataset.name}")
    declared.default_table_expiration_ms, declared.default_partition_expiration_ms = 3_600_000, 7_200_000
    dataset.client.create_dataset(declared)
    schema = [bigquery.SchemaField.from_api_repr(field) for field in FIELDS]
    whole = dataset.client.create_table(bigquery.Table(dataset.table_id("whole"), schema))
    assert whole.expires is not None
    months = bigquery.Table(dataset.table_id("months"), schema)
    months.time_partitioning = bigquery.TimePartitioning(type_="MONTH", field="file_month")
    months = dataset.client.create_table(months)
    assert months.time_partitioning.expiration_ms == 7_200_000
    whole.expires = None
    assert dataset.client.update_table(whole, ["expires"]).expires is None
    partitioning = months.time_partitioning
    partitioning.expiration_ms = None  # sent as null, unlike one that was never set
    months.time_partitioning = partitioning
    assert dataset.client.update_table(months, ["time_partitioning"]).time_partitioning.expiration_ms is None
