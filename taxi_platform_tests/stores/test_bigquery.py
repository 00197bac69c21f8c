"""BigQuery itself: the jobs as they are sent, what they cost, and runs that meet."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema, bigquery_schema
from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bigquery import upload as bigquery_upload
from taxi_platform.stores.bigquery.connection import MAXIMUM_BYTES_BILLED
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean
from taxi_platform.stores.warehouse import open_warehouse
from taxi_platform_tests.support.answering import answering

GREEN = CONTRACTS["green"]


@pytest.fixture
def store(bigquery_url: str) -> BigQueryStore:
    opened = open_warehouse(bigquery_url)
    assert isinstance(opened, BigQueryStore)
    return opened


@pytest.fixture
def bucket(gcs_bucket: str) -> Lake:
    return Lake(f"gs://{gcs_bucket}")


def clean(lake: Lake, folder: Path, version: str = "c1", trips: int = 4, quarantined: int = 1) -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version, trips, quarantined))


def loads(store: BigQueryStore) -> list[str]:
    """Ids of the load jobs of the store's dataset, in the order they came."""
    jobs = store._dataset.client.list_jobs(all_users=True)
    started = sorted((job.created, job.job_id) for job in jobs if store._dataset.name in job.job_id)
    return [job_id.replace(store._dataset.name, "taxi") for _, job_id in started]


def test_a_month_in_a_bucket_is_one_load_job_per_table_as_the_reference_says(
    store: BigQueryStore, bucket: Lake, tmp_path: Path
) -> None:
    """https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad."""
    stored = clean(bucket, tmp_path)
    loaded = store.replace_month(GREEN, stored, bucket)
    assert loads(store) == ["load_taxi_green_trips_202003_c1_0", "load_taxi_green_quarantine_202003_c1_0"]
    dataset = store._dataset
    job: Any = dataset.client.get_job(loaded.facts["trips"]["job"])
    sent = job.to_api_repr()["configuration"]["load"]
    assert sent.pop("schema") == {"fields": bigquery_schema(GREEN.trips)}
    assert sent == {
        "sourceUris": [f"{bucket.url}/{stored.trips_path}"],
        "sourceFormat": "PARQUET",
        "parquetOptions": {"enableListInference": True},
        "destinationTable": {
            "projectId": dataset.project,
            "datasetId": dataset.name,
            "tableId": "green_trips$202003",
        },
        "createDisposition": "CREATE_NEVER",
        "writeDisposition": "WRITE_TRUNCATE",
        "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"],
    }
    labels = {"managed_by": "taxi_platform", "table": "green_trips", "file_month": "2020-03"}
    assert job.to_api_repr()["configuration"]["labels"] == labels
    facts = loaded.facts["trips"]
    assert facts["input_bytes"] == bucket._objects.size(stored.trips_path)
    assert facts["job_url"].startswith(f"https://console.cloud.google.com/bigquery?project={dataset.project}&j=bq:US:")


def test_a_month_on_disk_is_streamed_along_with_the_same_job(
    store: BigQueryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several chunks, the least there can be (https://cloud.google.com/bigquery/docs/reference/api-uploads)."""
    monkeypatch.setattr(bigquery_upload, "CHUNK", 256 << 10)
    lake = Lake(str(tmp_path / "lake"))
    month = clean(lake, tmp_path, trips=30_000)
    assert month.trips_size > 2 * bigquery_upload.CHUNK
    loaded = store.replace_month(GREEN, month, lake)
    assert loads(store) == ["load_taxi_green_trips_202003_c1_0", "load_taxi_green_quarantine_202003_c1_0"]
    assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(30_000, 1)}
    job: Any = store._dataset.client.get_job(loaded.facts["trips"]["job"])
    assert "sourceUris" not in job.to_api_repr()["configuration"]["load"]
    assert job.to_api_repr()["configuration"]["load"]["writeDisposition"] == "WRITE_TRUNCATE"


def test_a_users_own_table_is_replaced_by_the_month_or_as_a_whole(store: BigQueryStore) -> None:
    """In a dataset of its schema's name, made with it."""
    columns = (
        FILE_MONTH,
        Column("revenue", ColumnType.DOUBLE, "Paid."),
        Column("paid", ColumnType.BOOLEAN, "Whether."),
    )
    mart = Table("revenue", "Revenue.", columns, schema=f"marts_{store._dataset.name}")
    months = [date(2020, 3, 1), date(2020, 4, 1)]
    for month, revenue in ((months[0], 1.0), (months[1], 2.0), (months[0], 3.0)):
        rows = pa.table([[month], [revenue], [True]], schema=arrow_schema(mart))
        assert store.replace_table(mart, rows, month) == 1
    assert store.existing_table(mart.qualified_name) == mart_without_description(mart)
    found = store.read_months(mart.qualified_name, None, ["revenue"]).read_all()
    assert sorted(found["revenue"].to_pylist()) == [2.0, 3.0]
    narrow = replace(mart, columns=columns[:2])
    rows = pa.table([months, [5.0, 6.0]], schema=arrow_schema(narrow))
    assert store.replace_table(narrow, rows.to_reader()) == 2
    found = store.read_months(mart.qualified_name, months).read_all()
    assert found.column_names == ["file_month", "revenue"]
    assert sorted(found["revenue"].to_pylist()) == [5.0, 6.0]
    assert store.existing_table("marts.absent") is None


def test_a_users_own_table_cannot_stand_among_the_platforms(store: BigQueryStore) -> None:
    """Where the address names the dataset that the table's schema would be: ``marts.months`` is not ``taxi.months``."""
    schema = store.dataset.name
    mart = Table("months", "Months.", (Column("a", ColumnType.BIGINT, "A."),), schema=schema)
    rows = pa.table([[1]], schema=arrow_schema(mart))
    with pytest.raises(StoreError, match=rf"{schema}\.months would stand among the platform's own tables, .* another"):
        store.replace_table(mart, rows)


def mart_without_description(mart: Table) -> Table:
    """What a catalogue tells of a table: its columns."""
    return replace(mart, description="")


def test_tables_are_partitioned_clustered_described_and_labelled(
    store: BigQueryStore, bucket: Lake, tmp_path: Path
) -> None:
    store.replace_month(GREEN, clean(bucket, tmp_path), bucket)
    client, dataset = store._dataset.client, store._dataset
    for table in (GREEN.trips, GREEN.quarantine):
        standing = client.get_table(dataset.table_id(table.name))
        partitioning = standing.time_partitioning
        assert partitioning is not None
        assert (partitioning.type_, partitioning.field) == ("MONTH", "file_month")
        assert list(standing.clustering_fields or ()) == list(table.cluster_by)
        assert standing.description == table.description
        assert standing.labels == {"managed_by": "taxi_platform"}
        assert all(field.description for field in standing.schema)
    assert client.get_dataset(dataset.name).labels == {"managed_by": "taxi_platform"}


def test_descriptions_follow_the_contract(store: BigQueryStore, bucket: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(bucket, tmp_path), bucket)
    columns = tuple(replace(c, description="New.") if c.name == "extra" else c for c in GREEN.columns)
    store.replace_month(replace(GREEN, columns=columns, description="Newer."), clean(bucket, tmp_path), bucket)
    standing = store._dataset.client.get_table(store._dataset.table_id("green_trips"))
    described = {field.name: field.description for field in standing.schema}
    assert (standing.description, described["extra"]) == ("Newer.", "New. Unit: US dollars.")


def test_what_a_killed_run_has_loaded_is_not_loaded_twice(
    store: BigQueryStore, bucket: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = clean(bucket, tmp_path)

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BigQueryStore, "_recorded", killed)
        with pytest.raises(KeyboardInterrupt):
            store.replace_month(GREEN, month, bucket)
    assert len(loads(store)) == 2
    assert store.replace_month(GREEN, month, bucket).counts == MonthCounts(4, 1)
    assert len(loads(store)) == 2
    assert not store.replace_month(GREEN, month, bucket).changed


def test_an_earlier_version_can_come_back(store: BigQueryStore, bucket: Lake, tmp_path: Path) -> None:
    for version, trips in (("c1", 4), ("c2", 6), ("c1", 4)):
        month = clean(bucket, tmp_path, version, trips)
        assert store.replace_month(GREEN, month, bucket).changed
        assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(trips, 1)}
    assert [job for job in loads(store) if "trips" in job] == [
        "load_taxi_green_trips_202003_c1_0",
        "load_taxi_green_trips_202003_c2_0",
        "load_taxi_green_trips_202003_c1_1",
    ]


def test_a_job_that_fails_leaves_the_month_before_and_the_next_run_loads(
    store: BigQueryStore, bucket: Lake, tmp_path: Path
) -> None:
    store.replace_month(GREEN, clean(bucket, tmp_path), bucket)
    wrong = staged_clean(tmp_path, "c2", trips=6)
    table = pq.read_table(wrong.trips_file)
    text = table.set_column(table.column_names.index("fare_amount"), "fare_amount", pa.array(["much"] * 6))
    pq.write_table(text.replace_schema_metadata(table.schema.metadata), wrong.trips_file)
    with pytest.raises(StoreError, match=r"cannot load .*green_trips\$202003: Error while reading data"):
        store.replace_month(GREEN, bucket.store_clean(wrong), bucket)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}
    assert store.replace_month(GREEN, clean(bucket, tmp_path, "c2", trips=6), bucket).changed
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(6, 1)}


def test_one_month_by_two_runs_at_once_is_loaded_once(
    store: BigQueryStore, bigquery_url: str, bucket: Lake, tmp_path: Path
) -> None:
    month = clean(bucket, tmp_path)
    stores = [BigQueryStore(bigquery_url) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: one.replace_month(GREEN, month, bucket), stores))
    assert sorted(one.changed for one in done) == [False, True]
    assert len(loads(store)) == 2


def test_a_reader_meanwhile_sees_whole_months_only(store: BigQueryStore, bigquery_url: str, tmp_path: Path) -> None:
    lakes = [Lake(str(tmp_path / f"lake{number}")) for number in range(3)]
    months = [clean(lake, tmp_path, f"c{i}", trips=100 * (i + 1)) for i, lake in enumerate(lakes)]
    store.replace_month(GREEN, months[0], lakes[0])

    def write() -> None:
        for month, lake in zip(months[1:], lakes[1:], strict=True):
            BigQueryStore(bigquery_url).replace_month(GREEN, month, lake)

    seen = {store.count_months(GREEN)[MARCH.first_day].trips}
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        while not writer.done():
            seen.add(store.count_months(GREEN)[MARCH.first_day].trips)
        writer.result()
    seen.add(store.count_months(GREEN)[MARCH.first_day].trips)
    assert {100, 300} <= seen <= {100, 200, 300}


def test_every_query_is_bounded_and_names_its_months(store: BigQueryStore, bucket: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(bucket, tmp_path), bucket)
    store.count_months(GREEN)
    store.read_months("taxi.green_trips", [MARCH.first_day], ["fare_amount"]).read_all()
    mine = [
        job
        for job in store._dataset.client.list_jobs(all_users=True)
        if job.job_type == "query" and store._dataset.name in job.query
    ]
    assert len(mine) >= 4
    for job in mine:
        assert job.maximum_bytes_billed == MAXIMUM_BYTES_BILLED
        assert "file_month" in job.query
        assert job.labels == {"managed_by": "taxi_platform"}


@pytest.mark.parametrize("url", ["bigquery://", "bigquery://project", "bigquery://project/", "bigquery://p/a/b"])
def test_an_address_that_names_no_dataset_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"TAXI_WAREHOUSE=.* is not bigquery://project/dataset"):
        BigQueryStore(url)


def refusing(reason: str) -> AbstractContextManager[str]:
    """A server that answers every request with 403 and one reason, as BigQuery writes it."""
    message = "Access Denied: User does not have permission to query table"
    error = {"code": 403, "message": message, "errors": [{"reason": reason, "message": message}]}
    return answering(lambda _: json.dumps({"error": error}).encode(), status=403)


def test_a_refusal_names_the_roles_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing("accessDenied") as address:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        with pytest.raises(StoreError, match=r"project\.taxi cannot .*: permission denied; .* roles/bigquery\.jobUser"):
            BigQueryStore("bigquery://project/taxi").count_months(GREEN)


def test_missing_credentials_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StoreError, match=r"no valid credentials for .* run `gcloud auth application-default login`"):
        BigQueryStore("bigquery://project/taxi").count_months(GREEN)
