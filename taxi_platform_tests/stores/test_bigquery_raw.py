"""Raw months in BigQuery: external tables over exact objects, united in a view, changed without a gap."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.ingest import schema_fingerprint
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth, StagedRaw
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_raw

MAY = TripMonth("green", date(2020, 5, 1))


@pytest.fixture
def store(bigquery_url: str) -> BigQueryStore:
    return BigQueryStore(bigquery_url)


@pytest.fixture
def lake(gcs_bucket: str) -> Lake:
    return Lake(f"gs://{gcs_bucket}/it's/here")


def staged(folder: Path, month: TripMonth, version: str, columns: dict[str, Any]) -> StagedRaw:
    made = staged_raw(folder, f"{version}-{month.label}", 1, month)
    table = pa.table(columns)
    pq.write_table(table, made.file)
    raw = replace(made.raw, version=version, rows=table.num_rows, schema_fingerprint=schema_fingerprint(table.schema))
    return StagedRaw(replace(raw, size=made.file.stat().st_size), made.file)


def put(lake: Lake, folder: Path, month: TripMonth, version: str, **columns: Any) -> RawMonth:
    return lake.store_raw(staged(folder, month, version, columns))


def query(store: BigQueryStore, sql: str) -> list[tuple[Any, ...]]:
    return [row.values() for row in store.dataset.query(sql.replace("raw_green", store.dataset.sql("raw_green")))]


def externals(store: BigQueryStore) -> list[str]:
    """Names of the external tables, of which there is one for each generation of columns."""
    items = store.dataset.client.list_tables(store.dataset.name)
    return [item.table_id for item in items if re.fullmatch(r"raw_green__[0-9a-f]{12}", item.table_id)]


def requests_of(store: BigQueryStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any, Any]]:
    """What the client sends from now on: method, path below the dataset, headers, body."""
    sent: list[tuple[str, str, Any, Any]] = []
    connection: Any = store.dataset.client._connection
    send = connection.api_request

    def recorded(*arguments: Any, **options: Any) -> Any:
        path = options["path"].partition(f"/datasets/{store.dataset.name}")[2] or options["path"]
        sent.append((options["method"], path, options.get("headers"), options.get("data")))
        return send(*arguments, **options)

    monkeypatch.setattr(connection, "api_request", recorded)
    return sent


def writes(sent: list[tuple[str, str, Any, Any]]) -> list[tuple[str, str]]:
    return [(method, path) for method, path, *_ in sent if method != "GET"]


def test_columns_are_united_by_name_whatever_their_types(store: BigQueryStore, lake: Lake, tmp_path: Path) -> None:
    wall_clock = [datetime(2020, 3, 1, 0, 5)]
    put(lake, tmp_path, MARCH, "v1", Vendor=["CMT"], count=pa.array([1]), at=pa.array(wall_clock, pa.timestamp("us")))
    put(lake, tmp_path, APRIL, "v1", vendor=[2], count=[1.5], ehail=pa.nulls(1), flag=[True])
    put(lake, tmp_path, MAY, "v1", VENDOR=pa.array([3], pa.int32()), ehail=[0.25], surge=["x"])
    store.refresh_raw_view("green", lake)
    found = query(store, "SELECT file_month, month, vendor, count, at, ehail, flag, surge FROM raw_green ORDER BY 1")
    assert found == [
        (MARCH.first_day, "2020-03", "CMT", 1.0, wall_clock[0], None, None, None),
        (APRIL.first_day, "2020-04", "2", 1.5, None, None, True, None),
        (MAY.first_day, "2020-05", "3", None, None, 0.25, None, "x"),
    ]
    schema = store.dataset.client.get_table(store.dataset.table_id("raw_green")).schema
    assert [field.name for field in schema] == [
        *("file_month", "month", "file_name"),
        *("VENDOR", "ehail", "surge", "count", "flag", "at"),
    ]


def test_files_of_the_same_columns_to_bigquery_share_an_external_table(
    store: BigQueryStore, lake: Lake, tmp_path: Path
) -> None:
    """In whatever order and width."""
    put(lake, tmp_path, MARCH, "v1", a=pa.array([1], pa.int32()), b=["x"], empty=pa.nulls(1))
    put(lake, tmp_path, APRIL, "v1", b=pa.array(["y"], pa.large_string()), a=[2])
    put(lake, tmp_path, MAY, "v1", a=[3.5], b=["z"])
    store.refresh_raw_view("green", lake)
    assert len(externals(store)) == 2
    assert query(store, "SELECT month, a, b FROM raw_green ORDER BY 1") == [
        ("2020-03", 1.0, "x"),
        ("2020-04", 2.0, "y"),
        ("2020-05", 3.5, "z"),
    ]


def test_columns_that_bigquery_has_no_name_or_type_for_are_left_out(
    store: BigQueryStore, lake: Lake, tmp_path: Path
) -> None:
    columns = {"Trip_type ": [1], "_FILE_NAME": ["x"], "Month": ["x"], "fare": [1.5], "FARE": [2.5], "list": [[1]]}
    put(lake, tmp_path, MARCH, "v1", **columns)
    store.refresh_raw_view("green", lake)
    assert query(store, "SELECT * FROM raw_green") == [
        (MARCH.first_day, "2020-03", lake.uri("raw/green/month=2020-03/v1.parquet"), 1.5)
    ]


def test_only_current_versions_show(store: BigQueryStore, lake: Lake, tmp_path: Path) -> None:
    """As they are republished in the same columns or others, and as an earlier one is selected."""
    versions = "SELECT month, REGEXP_EXTRACT(file_name, r'([^/]+)[.]parquet$'), COUNT(*) FROM raw_green GROUP BY 1, 2"
    put(lake, tmp_path, MARCH, "v1", a=[1])
    put(lake, tmp_path, APRIL, "v1", a=[1, 2])
    store.refresh_raw_view("green", lake)
    assert sorted(query(store, versions)) == [("2020-03", "v1", 1), ("2020-04", "v1", 2)]
    put(lake, tmp_path, MARCH, "v2", a=[1, 2, 3])
    store.refresh_raw_view("green", lake)
    assert sorted(query(store, versions)) == [("2020-03", "v2", 3), ("2020-04", "v1", 2)]
    put(lake, tmp_path, MARCH, "v3", a=["x"] * 4)
    store.refresh_raw_view("green", lake)
    assert sorted(query(store, versions)) == [("2020-03", "v3", 4), ("2020-04", "v1", 2)]
    lake.select_raw(MARCH, "v1")
    store.refresh_raw_view("green", lake)
    assert sorted(query(store, versions)) == [("2020-03", "v1", 1), ("2020-04", "v1", 2)]


def test_external_tables_let_go_of_superseded_objects(store: BigQueryStore, lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, MARCH, "v1", a=[1])
    store.refresh_raw_view("green", lake)
    newer = put(lake, tmp_path, MARCH, "v2", a=[2])
    store.refresh_raw_view("green", lake)
    (external,) = externals(store)
    table: Any = store.dataset.client.get_table(store.dataset.table_id(external))
    assert table.external_data_configuration.source_uris == [lake.uri(newer.path)]


def test_the_requests_are_as_the_reference_says(
    store: BigQueryStore, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table by its statement, its objects by tables.patch, each patch conditional on the ETag that was read.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_external_table_statement
    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#ExternalDataConfiguration
    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/patch
    """
    raw = put(lake, tmp_path, MARCH, "v1", Vendor=[1], fare=[1.5])
    sent = requests_of(store, monkeypatch)
    store.refresh_raw_view("green", lake)
    requests = sent.copy()
    dataset, (external,) = store.dataset, externals(store)
    (statement,) = (body["configuration"]["query"]["query"] for _, path, _, body in requests if path.endswith("/jobs"))
    assert statement == (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{dataset.project}.{dataset.name}.{external}` "
        "(`Vendor` INT64, `fare` FLOAT64) WITH PARTITION COLUMNS (month STRING) "
        f'OPTIONS (format = "PARQUET", uris = ["{lake.uri(raw.path)}"], '
        f'hive_partition_uri_prefix = "{lake.url}/raw/green", '
        'description = "Raw months of one set of columns; the view raw_… unites all of them.", '
        'labels = [("managed_by", "taxi_platform")])'
    )
    (view,) = (body for method, path, _, body in requests if (method, path) == ("POST", "/tables"))
    assert view["tableReference"] == {
        "projectId": dataset.project,
        "datasetId": dataset.name,
        "tableId": "raw_green",
    }
    assert view["labels"] == {"managed_by": "taxi_platform"}
    assert view["view"] == {
        "useLegacySql": False,
        "query": "SELECT PARSE_DATE('%Y-%m', month) AS file_month, month, _FILE_NAME AS file_name, "
        f"`Vendor` AS `Vendor`, `fare` AS `fare`\nFROM `{dataset.project}.{dataset.name}.{external}`\n"
        f'WHERE _FILE_NAME IN ("{lake.uri(raw.path)}")',
    }
    standing = {name: dataset.client.get_table(dataset.table_id(name)).etag for name in ("raw_green", external)}
    added = put(lake, tmp_path, APRIL, "v1", Vendor=[1], fare=[1.5])
    sent.clear()
    store.refresh_raw_view("green", lake)
    assert writes(sent) == [("PATCH", f"/tables/{external}"), ("PATCH", "/tables/raw_green")]
    patches = {path.rpartition("/")[2]: (headers, body) for method, path, headers, body in sent if method == "PATCH"}
    assert {name: headers["If-Match"] for name, (headers, _) in patches.items()} == standing
    config = patches[external][1]["externalDataConfiguration"]
    assert config["sourceUris"] == [lake.uri(raw.path), lake.uri(added.path)]
    assert config["hivePartitioningOptions"]["sourceUriPrefix"] == f"{lake.url}/raw/green"
    assert "schema" not in config
    assert set(patches["raw_green"][1]) == {"view"}


def test_what_is_unchanged_is_not_written(
    store: BigQueryStore, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, tmp_path, MARCH, "v1", a=[1])
    put(lake, tmp_path, APRIL, "v1", b=[1])
    store.refresh_raw_view("green", lake)
    sent = requests_of(store, monkeypatch)
    store.refresh_raw_view("green", lake)
    assert sent
    assert writes(sent) == []


def test_a_reader_meanwhile_sees_one_version_of_a_month(
    store: BigQueryStore, bigquery_url: str, lake: Lake, tmp_path: Path
) -> None:
    put(lake, tmp_path, APRIL, "v1", a=[1])
    put(lake, tmp_path, MARCH, "v0", a=[0])
    store.refresh_raw_view("green", lake)

    def republish() -> None:
        for number in range(1, 5):
            value: Any = number if number % 2 else str(number)
            put(lake, tmp_path, MARCH, f"v{number}", a=[value] * (number + 1))
            BigQueryStore(bigquery_url).refresh_raw_view("green", lake)

    sql = "SELECT file_name, COUNT(*) FROM raw_green WHERE month = '2020-03' GROUP BY 1"
    seen: set[tuple[tuple[Any, ...], ...]] = set()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(republish)
        while not writer.done():
            seen.add(tuple(query(store, sql)))
        writer.result()
    seen.add(tuple(query(store, sql)))
    whole = {((lake.uri(f"raw/green/month=2020-03/v{number}.parquet"), number + 1),) for number in range(5)}
    assert seen <= whole
    assert ((lake.uri("raw/green/month=2020-03/v4.parquet"), 5),) in seen


def test_of_refreshes_at_once_the_last_to_end_knows_of_all(
    bigquery_url: str, store: BigQueryStore, lake: Lake, tmp_path: Path
) -> None:
    months = [TripMonth("green", date(2020, number, 1)) for number in range(1, 7)]

    def land(month: TripMonth) -> None:
        value: Any = 1 if month.first_day.month % 2 else "x"
        put(lake, tmp_path, month, "v1", a=[value] * month.first_day.month)
        BigQueryStore(bigquery_url).refresh_raw_view("green", lake)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(land, months))
    counted = query(store, "SELECT file_month, COUNT(*) FROM raw_green GROUP BY 1 ORDER BY 1")
    assert counted == [(month.first_day, month.first_day.month) for month in months]


def test_a_refresh_that_was_overtaken_begins_again(
    store: BigQueryStore, bigquery_url: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the manifests, then another run lands a month and refreshes: it must not put the older state back."""
    put(lake, tmp_path, MARCH, "v1", a=[1])
    store.refresh_raw_view("green", lake)
    put(lake, tmp_path, MARCH, "v2", a=[1, 2])
    months = Lake.months
    overtaken: list[str] = []

    def slow(self: Lake, dataset: str) -> tuple[TripMonth, ...]:
        known = months(self, dataset)
        if not overtaken:
            overtaken.append(dataset)
            put(lake, tmp_path, APRIL, "v1", a=[1, 2, 3])
            BigQueryStore(bigquery_url).refresh_raw_view("green", lake)
        return known

    monkeypatch.setattr(Lake, "months", slow)
    store.refresh_raw_view("green", lake)
    counted = query(store, "SELECT month, COUNT(*) FROM raw_green GROUP BY 1 ORDER BY 1")
    assert counted == [("2020-03", 2), ("2020-04", 3)]


@pytest.mark.parametrize("after", ["statement", "table", "view"])
def test_a_refresh_that_was_killed_leaves_a_view_that_is_right(
    store: BigQueryStore, bigquery_url: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    put(lake, tmp_path, MARCH, "v1", a=[1])
    put(lake, tmp_path, APRIL, "v1", b=[1])
    store.refresh_raw_view("green", lake)
    put(lake, tmp_path, MARCH, "v2", a=[1, 2])
    if after == "statement":
        put(lake, tmp_path, MAY, "v1", c=[1])
    sql = "SELECT month, COUNT(*) FROM raw_green GROUP BY 1 ORDER BY 1"
    before = query(store, sql)
    killed = BigQueryStore(bigquery_url)
    connection: Any = killed.dataset.client._connection
    send = connection.api_request
    last = {"statement": "POST jobs", "table": "PATCH raw_green__.*", "view": "PATCH raw_green"}[after]

    def dying(*arguments: Any, **options: Any) -> Any:
        answer = send(*arguments, **options)
        request = f"{options['method']} {options['path'].rpartition('/')[2]}"
        if re.fullmatch(last, request):
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(connection, "api_request", dying)
    with pytest.raises(KeyboardInterrupt):
        killed.refresh_raw_view("green", lake)
    changed = [("2020-03", 2), ("2020-04", 1)]
    assert query(store, sql) == (changed if after == "view" else before)
    store.refresh_raw_view("green", lake)
    assert query(store, sql) == (changed if after != "statement" else [*changed, ("2020-05", 1)])


def test_a_lake_elsewhere_has_no_external_tables(store: BigQueryStore, tmp_path: Path) -> None:
    for url in (str(tmp_path), "s3://nowhere", "az://nowhere"):
        store.refresh_raw_view("green", Lake(url))
    assert "client" not in vars(store.dataset)


def test_without_a_current_month_the_view_has_no_rows(store: BigQueryStore, lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, MARCH, "v1", a=[1])
    store.refresh_raw_view("green", lake)
    store.refresh_raw_view("green", Lake(f"{lake.url}/empty"))
    assert query(store, "SELECT file_month, month, file_name FROM raw_green") == []
    store.refresh_raw_view("green", lake)
    assert query(store, "SELECT month, a FROM raw_green") == [("2020-03", 1)]


def test_datasets_whose_names_begin_alike_are_apart(store: BigQueryStore, lake: Lake, tmp_path: Path) -> None:
    hired = TripMonth("fhvhv", date(2020, 3, 1))
    put(lake, tmp_path, TripMonth("fhv", date(2020, 3, 1)), "v1", a=[1])
    put(lake, tmp_path, hired, "v1", a=[1, 2])
    for dataset in ("fhv", "fhvhv"):
        store.refresh_raw_view(dataset, lake)
    counts = [query(store, f"SELECT COUNT(*) FROM {store.dataset.sql(f'raw_{name}')}") for name in ("fhv", "fhvhv")]
    assert counts == [[(1,)], [(2,)]]


def test_a_lake_without_months_makes_nothing(store: BigQueryStore, lake: Lake) -> None:
    from google.api_core.exceptions import NotFound

    store.refresh_raw_view("green", lake)
    with pytest.raises(NotFound):
        store.dataset.client.get_dataset(store.dataset.name)
