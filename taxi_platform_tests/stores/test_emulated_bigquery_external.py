"""What our external tables for local-bigquery promise, each with Google's own words for it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.stores.bigquery.connection import BigQueryDataset, parse_address
from taxi_platform.stores.lake.objects.model import open_objects

bigquery = pytest.importorskip("google.cloud.bigquery")


class Shelf:
    """A dataset, and a bucket with Parquet objects for its external tables."""

    def __init__(self, dataset: BigQueryDataset, bucket: str, folder: Path) -> None:
        self.dataset, self.bucket, self._folder = dataset, bucket, folder

    def put(self, name: str, **columns: Any) -> str:
        """An object with those columns; its URI."""
        file = self._folder / "object.parquet"
        pq.write_table(pa.table(columns), file)
        open_objects(self.bucket).replace(name, file, {})
        return f"{self.bucket}/{name}"

    def create(self, columns: str, uris: list[str], keys: str = "", options: str = "", how: str = "") -> None:
        """The table ``t``."""
        what = f"CREATE {how or 'EXTERNAL TABLE'} {self.dataset.sql('t')} ({columns}) {keys}"
        self.query(f"{what} OPTIONS (format = 'PARQUET', uris = {uris}{options})")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return [row.values() for row in self.dataset.client.query(sql).result()]

    def rows(self, columns: str = "*", rest: str = "") -> list[tuple[Any, ...]]:
        return sorted(self.query(f"SELECT {columns} FROM {self.dataset.sql('t')} {rest}"), key=str)

    def table(self) -> Any:
        return self.dataset.client.get_table(self.dataset.table_id("t"))


@pytest.fixture
def shelf(bigquery_url: str, gcs_bucket: str, tmp_path: Path) -> Shelf:
    dataset = parse_address(bigquery_url)
    dataset.client.create_dataset(f"{dataset.project}.{dataset.name}")
    return Shelf(dataset, f"gs://{gcs_bucket}", tmp_path)


def test_objects_are_read_by_the_names_of_the_declared_columns(shelf: Shelf) -> None:
    """A schema can be given for Parquet in place of the inferred one; what a file lacks is null.

    https://cloud.google.com/bigquery/docs/schema-detect
    https://cloud.google.com/bigquery/docs/external-data-cloud-storage
    """
    at = pa.array([datetime(2020, 3, 1)], pa.timestamp("us"))
    first = shelf.put("a.parquet", a=[1], at=at, extra=["not declared"])
    second = shelf.put("b.parquet", A=pa.array([2], pa.int32()), b=[0.5])
    shelf.create("a INT64, b FLOAT64, `at` DATETIME", [first, second])
    assert shelf.rows() == [(1, None, datetime(2020, 3, 1)), (2, 0.5, None)]
    table = shelf.table()
    assert table.table_type == "EXTERNAL"
    assert [(field.name, field.field_type) for field in table.schema] == [
        ("a", "INTEGER"),
        ("b", "FLOAT"),
        ("at", "DATETIME"),
    ]
    assert table.external_data_configuration.source_uris == [first, second]
    assert [item.table_type for item in shelf.dataset.client.list_tables(shelf.dataset.name)] == ["EXTERNAL"]


@pytest.mark.parametrize(
    ("declared", "values", "physical"),
    [
        ("FLOAT64", pa.array([1]), "INT64"),
        ("FLOAT64", pa.nulls(1), "INT32"),
        ("INT64", pa.array([1.0]), "DOUBLE"),
        ("INT64", pa.array(["1"]), "BYTE_ARRAY"),
        ("STRING", pa.array([1]), "INT64"),
    ],
    ids=["integers", "nulls", "doubles", "texts", "integers as text"],
)
def test_a_file_of_another_type_fails_the_queries_that_read_the_column(
    shelf: Shelf, declared: str, values: pa.Array, physical: str
) -> None:
    """Files of one external table must share a compatible schema.

    https://cloud.google.com/bigquery/docs/external-tables
    https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions
    """
    from google.api_core.exceptions import BadRequest

    shelf.create(f"a {declared}, b INT64", [shelf.put("a.parquet", a=values, b=[7])])
    assert shelf.rows("b") == [(7,)]
    with pytest.raises(BadRequest, match=f"Parquet column 'a' has type {physical} which does not match the target"):
        shelf.rows("a")


def test_an_object_that_is_not_there_is_an_error(shelf: Shelf) -> None:
    """https://cloud.google.com/bigquery/docs/error-messages#errortable (notFound)."""
    from google.api_core.exceptions import NotFound

    with pytest.raises(NotFound, match=r"absent\.parquet"):
        shelf.create("a INT64", [shelf.put("a.parquet", a=[1]), f"{shelf.bucket}/absent.parquet"])


def test_file_name_is_a_pseudo_column(shelf: Shelf) -> None:
    """The path of the file that a row belongs to, which a star does not stand for.

    https://cloud.google.com/bigquery/docs/query-cloud-storage-data#query_the_file_name_pseudo-column
    """
    first, second = shelf.put("a.parquet", a=[1]), shelf.put("b.parquet", a=[2])
    shelf.create("a INT64", [first, second])
    assert shelf.rows("_FILE_NAME, a") == [(first, 1), (second, 2)]
    assert shelf.rows("*", f"WHERE _FILE_NAME = '{second}'") == [(2,)]
    assert [field.name for field in shelf.table().schema] == ["a"]


def test_partition_columns_come_from_the_path(shelf: Shelf) -> None:
    """Behind a prefix that all objects share, in the order and of the types that are given.

    https://cloud.google.com/bigquery/docs/hive-partitioned-queries#supported_data_layouts
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_external_table_statement
    """
    from google.api_core.exceptions import BadRequest

    uris = [shelf.put(f"raw/month=2020-0{number}/a.parquet", a=[number]) for number in (3, 4)]
    prefix = f", hive_partition_uri_prefix = '{shelf.bucket}/raw'"
    shelf.create("a INT64", uris, "WITH PARTITION COLUMNS (month STRING)", prefix)
    assert shelf.rows() == [(3, "2020-03"), (4, "2020-04")]
    assert shelf.rows("a", "WHERE month = '2020-04'") == [(4,)]
    hive = shelf.table().external_data_configuration.hive_partitioning
    assert (hive.mode, hive.source_uri_prefix) == ("CUSTOM", f"{shelf.bucket}/raw")
    for stray in ("raw/a.parquet", "raw/day=1/a.parquet", "elsewhere/month=2020-05/a.parquet"):
        with pytest.raises(BadRequest):
            shelf.create(
                "a INT64",
                [shelf.put(stray, a=[1])],
                "WITH PARTITION COLUMNS (month STRING)",
                prefix,
                "OR REPLACE EXTERNAL TABLE",
            )
    assert shelf.rows() == [(3, "2020-03"), (4, "2020-04")]


def test_a_table_that_is_there_is_kept_replaced_or_refused(shelf: Shelf) -> None:
    """As the statement says: IF NOT EXISTS, OR REPLACE, neither.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_external_table_statement
    """
    from google.api_core.exceptions import Conflict

    first, second = shelf.put("a.parquet", a=[1]), shelf.put("b.parquet", a=[2])
    shelf.create("a INT64", [first])
    shelf.create("a INT64", [second], how="EXTERNAL TABLE IF NOT EXISTS")
    assert shelf.rows() == [(1,)]
    with pytest.raises(Conflict):
        shelf.create("a INT64", [second])
    shelf.create("a INT64", [second], how="OR REPLACE EXTERNAL TABLE")
    assert shelf.rows() == [(2,)]


def test_objects_change_by_a_patch_that_an_etag_guards(shelf: Shelf) -> None:
    """If-Match of another ETag is answered by 412.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/patch
    https://cloud.google.com/bigquery/docs/api-performance#patch
    """
    from google.api_core.exceptions import PreconditionFailed

    first, second = shelf.put("a.parquet", a=[1]), shelf.put("b.parquet", a=[2])
    shelf.create("a INT64", [first], options=", description = 'kept'")
    early, late = shelf.table(), shelf.table()
    for table, uris in ((early, [first, second]), (late, [second])):
        config = table.external_data_configuration
        config.source_uris = uris
        table.external_data_configuration = config
    changed = shelf.dataset.client.update_table(early, ["external_data_configuration"])
    assert changed.etag != late.etag
    with pytest.raises(PreconditionFailed):
        shelf.dataset.client.update_table(late, ["external_data_configuration"])
    assert shelf.rows() == [(1,), (2,)]
    assert (shelf.table().description, shelf.table().etag) == ("kept", changed.etag)


def test_a_view_changes_by_a_patch_that_an_etag_guards(shelf: Shelf) -> None:
    """The query of a view is one of the fields that tables.patch takes.

    https://cloud.google.com/bigquery/docs/updating-views
    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/patch
    """
    from google.api_core.exceptions import PreconditionFailed

    view = bigquery.Table(shelf.dataset.table_id("t"))
    view.view_query = "SELECT 1 AS a"
    early = shelf.dataset.client.create_table(view)
    late = shelf.table()
    early.view_query = "SELECT DATE '2020-03-01' AS b"
    shelf.dataset.client.update_table(early, ["view_query"])
    assert shelf.rows() == [(date(2020, 3, 1),)]
    assert (shelf.table().view_query, [field.name for field in shelf.table().schema]) == (early.view_query, ["b"])
    late.view_query = "SELECT 2 AS c"
    with pytest.raises(PreconditionFailed):
        shelf.dataset.client.update_table(late, ["view_query"])
    assert shelf.rows() == [(date(2020, 3, 1),)]
