"""BigQuery on a bad day; and datasets whose tables were made, or are to end, in a way that is not ours."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreError, StoreUnavailableError
from taxi_platform.references import MonthCounts
from taxi_platform.stores.bigquery import connection as bigquery_client
from taxi_platform.stores.bigquery import requests as bigquery_requests
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_clean
from taxi_platform.transience import PATIENT
from taxi_platform_tests.support.faults import Answer, Fault, Faults, Lost, Reset, Silence, spoiling
from taxi_platform_tests.support.upstream import serve
from tools.emulators.process import free_port

GREEN = CONTRACTS["green"]


def refusal(status: int, reason: str, message: str) -> Answer:
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return Answer(status, json.dumps({"error": error}).encode(), "application/json")


@pytest.fixture
def faults(bigquery_server: str, bigquery_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy before the emulator, which the environment now points at; waits are short."""
    for module in (bigquery_client, bigquery_requests):
        monkeypatch.setattr(module, "PATIENT", replace(PATIENT, first_wait=0.01))
    with spoiling(bigquery_server) as proxy:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
        yield proxy


@pytest.fixture
def store(bigquery_url: str) -> BigQueryStore:
    return BigQueryStore(bigquery_url, wait_seconds=60)


@pytest.mark.parametrize(
    "fault", [refusal(503, "backendError", "Try later."), Reset(), Lost()], ids=["backendError", "Reset", "Lost"]
)
def test_what_passes_is_waited_out_at_every_request(
    faults: Faults, store: BigQueryStore, lake: Lake, tmp_path: Path, fault: Fault
) -> None:
    """The first two requests of every kind fail: looking, creating, loading a file, querying, changing."""
    for kind, path in (
        ("read", "/tables"),
        ("read", "/queries/"),
        ("read", "/jobs/"),
        ("POST", "/tables"),
        ("POST", "/jobs"),
        ("PATCH", ""),
        ("write", "/upload"),
    ):
        faults.spoil(kind, fault, times=1 if path == "/upload" else 2, path=path)
    clean = lake.store_clean(staged_clean(tmp_path))
    loaded = store.replace_month(GREEN, clean, lake)
    store.refresh_views([GREEN])
    assert loaded.counts == MonthCounts(4, 1)
    assert store.count_months(GREEN)[MARCH.first_day] == MonthCounts(4, 1)
    read = store.read_months("taxi.green_trips", [MARCH.first_day])
    assert sum(batch.num_rows for batch in read) == 4


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "jobRateLimitExceeded", "Job exceeded rate limits: Your table exceeded quota for updates."),
        refusal(400, "invalidQuery", "Could not serialize access to table t:d.months due to concurrent update"),
        refusal(403, "rateLimitExceeded", "Exceeded rate limits: too many table update operations for this table."),
    ],
    ids=["jobRateLimitExceeded", "concurrent update", "rateLimitExceeded"],
)
def test_a_job_that_fails_of_what_passes_is_sent_again(faults: Faults, store: BigQueryStore, answer: Answer) -> None:
    """Its results are answered with its failure however often they are asked for: another job is needed."""
    faults.spoil("read", answer, path="/queries/", times=3)
    assert [row.values() for row in store.dataset.query("SELECT 1")] == [(1,)]
    assert sum(kind == "POST" and path.startswith("/bigquery/v2") for kind, path in faults.seen) == 2


def test_another_failure_of_a_job_is_told_at_once(faults: Faults, store: BigQueryStore) -> None:
    with pytest.raises(StoreError, match="cannot query: "):
        store.dataset.query("SELECT no_such_column")
    faults.spoil("POST", refusal(403, "billingNotEnabled", "Billing has not been enabled for this project."), times=9)
    with pytest.raises(
        StoreError, match=r"cannot query \(.*Billing has not been enabled.*\): the project has no billing"
    ):
        store.dataset.query("SELECT 1")


def test_bigquery_down_or_silent_is_one_sentence_within_the_wait(
    faults: Faults, bigquery_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_requests, "SILENCE", (1.0, 0.2))
    faults.spoil("*", Silence(), times=99)
    with pytest.raises(
        StoreUnavailableError, match=r"the BigQuery dataset .* cannot list its tables \(it is silent\): check"
    ):
        BigQueryStore(bigquery_url, wait_seconds=0.1).count_months(GREEN)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    with pytest.raises(
        StoreUnavailableError, match=r"cannot list its tables \(Connection refused\): check the network"
    ):
        BigQueryStore(bigquery_url, wait_seconds=0.1).count_months(GREEN)


# ---- tables that are not to end, and tables of somebody else's making


def test_nothing_of_ours_expires_where_the_dataset_has_it_so_for_new_tables(
    store: BigQueryStore, lake: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """https://cloud.google.com/bigquery/docs/updating-datasets#table-expiration and #partition-expiration."""
    from google.cloud import bigquery

    dataset = bigquery.Dataset(f"{store.dataset.project}.{store.dataset.name}")
    dataset.default_table_expiration_ms = 3_600_000
    dataset.default_partition_expiration_ms = 7_200_000
    store.dataset.client.create_dataset(dataset)
    clean = lake.store_clean(staged_clean(tmp_path))
    store.replace_month(GREEN, clean, lake)
    store.refresh_views([GREEN])
    client = store.dataset.client
    listed = [client.get_table(item.reference) for item in client.list_tables(dataset.reference)]
    assert {table.table_id for table in listed} >= {"green_trips", "green_quarantine", "months", "zones", "trips"}
    assert [table.table_id for table in listed if table.expires is not None] == []
    assert [t.table_id for t in listed if t.time_partitioning and t.time_partitioning.expiration_ms is not None] == []
    assert "green_trips was to expire, as its dataset's defaults have it for new tables: it stays" in caplog.text


def test_an_expiry_that_a_table_has_already_is_cleared_by_the_next_load(
    faults: Faults, store: BigQueryStore, lake: Lake, tmp_path: Path
) -> None:
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path)), lake)
    client = store.dataset.client
    table = client.get_table(store.dataset.table_id("taxi.green_trips"))
    table.expires = datetime.now(timezone.utc) + timedelta(hours=1)
    client.update_table(table, ["expires"])
    faults.spoil("PATCH", refusal(412, "conditionNotMet", "Somebody else was faster."), path="green_trips")
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c2", trips=7)), lake)
    assert client.get_table(store.dataset.table_id("taxi.green_trips")).expires is None


@pytest.mark.parametrize(
    ("partitioning", "how"),
    [
        (None, "in no partitions"),
        (("DAY", "file_month"), "by DAY of file_month"),
        (("MONTH", "pickup_datetime"), "by MONTH of"),
    ],
)
def test_a_table_that_is_partitioned_otherwise_is_one_sentence(
    store: BigQueryStore, lake: Lake, tmp_path: Path, partitioning: tuple[str, str] | None, how: str
) -> None:
    from google.cloud import bigquery

    from taxi_platform.contracts.schemas import bigquery_schema

    client = store.dataset.client
    client.create_dataset(f"{store.dataset.project}.{store.dataset.name}")
    schema = [bigquery.SchemaField.from_api_repr(field) for field in bigquery_schema(GREEN.trips)]
    table = bigquery.Table(store.dataset.table_id("taxi.green_trips"), schema)
    if partitioning:
        table.time_partitioning = bigquery.TimePartitioning(partitioning[0], partitioning[1])
    client.create_table(table)
    sentence = (
        rf"has a table green_trips that keeps its rows {how}.* a partition by MONTH of file_month: rename that table"
    )
    with pytest.raises(StoreError, match=sentence):
        store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path)), lake)
    assert store.count_months(GREEN, [date(2020, 3, 1)]) == {}


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_look_at_stores_that_are_down_says_so_soon(
    bigquery_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Whoever looks waits no longer than a look may take, however long loads may wait."""
    from taxi_platform.inspection import status
    from taxi_platform.settings import Settings

    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(status, "REMOTE_LOOK_SECONDS", 0.2)
    environment = {"TAXI_DATA": str(tmp_path), "TAXI_WAREHOUSE": bigquery_url, "TAXI_WAIT_SECONDS": "3600"}
    settings = Settings.from_environment(environment)
    only = {"green": [MARCH.first_day]} if command == "run" else None
    with pytest.raises(
        StoreUnavailableError, match=r"cannot list its tables \(Connection refused\): check the network"
    ):
        status.month_statuses(settings, [GREEN], only)


def test_a_certificate_that_nobody_vouches_for_is_a_sentence_and_no_reason_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    for module in (bigquery_client, bigquery_requests):
        monkeypatch.setattr(module, "PATIENT", replace(PATIENT, first_wait=99, longest_wait=99))
    with serve(tmp_path, tls=context) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        with pytest.raises(StoreError, match="certificate is not trusted: set REQUESTS_CA_BUNDLE"):
            BigQueryStore("bigquery://test/taxi").count_months(GREEN)
        assert server.requests == []
