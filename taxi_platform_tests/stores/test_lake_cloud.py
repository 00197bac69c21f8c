"""What a lake in a cloud promises beside: no client before it is used, conditions instead of locks, bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import obstore
import pytest

from taxi_platform.errors import StoreBusyError, StoreError, StoreUnavailableError
from taxi_platform.stores import google
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects import cloud as objects_cloud
from taxi_platform.stores.lake.objects.cloud import CloudObjects
from taxi_platform.stores.lake.objects.model import open_objects
from taxi_platform.stores.lake.objects.requests import PART_SIZE
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw
from taxi_platform.transience import RACE
from taxi_platform_tests.stores.writers import exit_codes_of_writers_at_once, is_killed_before
from taxi_platform_tests.support.answering import answering
from tools.emulators import gcs
from tools.emulators.process import free_port


def opened(url: str) -> CloudObjects:
    objects = open_objects(url)
    assert isinstance(objects, CloudObjects)
    return objects


def test_uris_lie_below_the_url() -> None:
    assert Lake("gs://bucket/some/prefix/").url == "gs://bucket/some/prefix"
    assert Lake("gs://bucket").uri("trips/x.parquet") == "gs://bucket/trips/x.parquet"


def test_construction_loads_no_client_and_no_library_of_google() -> None:
    code = """
import sys
from taxi_platform.stores.lake.lake import Lake
for url in ("gs://bucket", "s3://bucket/prefix", "az://container", "/some/folder"):
    Lake(url)
print([m for m in ("google.auth", "obstore", "requests", "pyarrow", "google_crc32c") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_objects_say_where_they_come_from(cloud_url: str, tmp_path: Path) -> None:
    lake = Lake(cloud_url)
    raw = lake.store_raw(staged_raw(tmp_path))
    clean = lake.store_clean(staged_clean(tmp_path))
    store = opened(cloud_url)._requests.cloud.store
    attributes = obstore.get(store, raw.path).attributes
    assert attributes["Content-Type"] == "application/vnd.apache.parquet"
    assert {key: attributes[key] for key in ("version", "sha256", "rows", "schema_fingerprint")} == {
        "version": raw.version,
        "sha256": raw.sha256,
        "rows": "5",
        "schema_fingerprint": raw.schema_fingerprint,
    }
    assert attributes["source_url"] == "https://example.org/green/2020-03.csv.gz?%C3%BC=1"
    trips = obstore.get(store, clean.trips_path).attributes
    assert (trips["version"], trips["raw_version"], trips["rows"]) == ("c1", "v1", "4")
    assert obstore.get(store, "raw/green/month=2020-03/manifest.json").attributes["Content-Type"] == "application/json"


def test_an_update_that_always_loses_gives_up_in_one_sentence(cloud_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.stores.lake.objects.cloud.RACE", replace(RACE, attempts=2))
    objects = opened(cloud_url)

    def interrupted(before: bytes | None) -> bytes:
        obstore.put(objects._requests.cloud.store, "list", (before or b"") + b"+")
        return b"mine"

    with pytest.raises(StoreBusyError, match=r"other runs keep changing .*/list: let them end"):
        objects.update("list", interrupted)
    assert objects.read("list") == b"++"


def test_processes_that_store_one_month_at_once_all_arrive(lake_url: str, tmp_path: Path) -> None:
    assert exit_codes_of_writers_at_once(lake_url, tmp_path, ["5", "6", "7"]) == [0, 0, 0]
    lake = Lake(lake_url)
    assert sorted(raw.version for raw in lake.raw_versions(MARCH)) == ["v5", "v6", "v7"]
    current = lake.current_raw(MARCH)
    assert current is not None
    assert lake.count_raw(MARCH) == current.rows
    clean = lake.current_clean(MARCH)
    assert clean is not None, "the pair is of one run"
    assert clean.facts.trips_rows in (5, 6, 7)


@pytest.mark.parametrize("what", ["raw", "clean"])
@pytest.mark.parametrize(
    "cloud_url", ["gs", *(pytest.param(c, marks=pytest.mark.long) for c in ("s3", "az"))], indirect=True
)
def test_a_kill_between_any_two_requests_leaves_the_old_month_or_the_new_one(
    cloud_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(objects_cloud, "LEFTOVER_AGE", timedelta(days=-1))  # as if a day had passed at every re-run
    finished = False
    for calls in range(10):
        url = f"{cloud_url}/{calls}"
        lake = Lake(url)
        old_raw = lake.store_raw(staged_raw(tmp_path / "old", "v1", rows=5))
        old_clean = lake.store_clean(staged_clean(tmp_path / "old", "c1", trips=4))
        finished = not is_killed_before(calls, url, tmp_path / f"new{calls}", what)
        raw, clean = lake.current_raw(MARCH), lake.current_clean(MARCH)
        assert raw is not None
        assert raw == old_raw or (what == "raw" and raw.version == "v2")
        assert clean is not None
        assert clean == old_clean or (what == "clean" and clean.facts.version == "c2")
        assert lake.count_raw(MARCH) == raw.rows
        lake.store_raw(staged_raw(tmp_path / "again", "v2", rows=7))
        again = lake.store_clean(staged_clean(tmp_path / "again", "c2", trips=7))
        assert lake.current_clean(MARCH) == again
        assert list(opened(url).paths(".incoming")) == []
        if finished:
            break
    assert finished
    assert calls >= 2, "a month is stored in several requests"


def test_what_another_run_is_uploading_is_not_cleared(cloud_url: str, tmp_path: Path) -> None:
    objects = opened(cloud_url)
    obstore.put(objects._requests.cloud.store, ".incoming/raw/green/month=2020-03/v1.parquet.abc", b"half")
    Lake(cloud_url).store_raw(staged_raw(tmp_path))
    assert list(objects.paths(".incoming")) == [".incoming/raw/green/month=2020-03/v1.parquet.abc"]


def test_an_object_replaced_while_it_is_read_never_mixes(cloud_url: str, tmp_path: Path) -> None:
    objects = opened(cloud_url)
    for version in ("c1", "c2"):
        staged_clean(tmp_path, version, trips=9)
    first, second = (tmp_path / f"{version}.green_trips.parquet" for version in ("c1", "c2"))
    objects.replace("zones.parquet", first, {})
    stream, after = objects.open("zones.parquet"), objects.open("zones.parquet")
    assert stream is not None
    assert after is not None
    assert stream.read(4) == b"PAR1"
    objects.replace("zones.parquet", second, {})
    with pytest.raises(StoreBusyError, match=r"zones\.parquet was replaced while it was being read: run it again"):
        after.read(4)


def test_a_reader_of_a_superseded_pair_reads_on(cloud_url: str, tmp_path: Path) -> None:
    lake = Lake(cloud_url)
    stored = lake.store_clean(staged_clean(tmp_path, "c1", trips=4))
    with lake.open_parquet(stored.trips_path) as before:
        lake.store_clean(staged_clean(tmp_path, "c2", trips=9))
        assert before.read().num_rows == 4
    with lake.open_parquet(stored.trips_path) as again:
        assert again.read().num_rows == 4


def test_a_missing_bucket_is_one_sentence(cloud_url: str, tmp_path: Path) -> None:
    scheme = cloud_url.partition("://")[0]
    lake = Lake(f"{scheme}://no-such-bucket")
    for ask in (
        lambda: lake.current_raw(MARCH),
        lambda: lake.store_raw(staged_raw(tmp_path)),
        lambda: lake.store_clean(staged_clean(tmp_path)),
    ):
        with pytest.raises(StoreError, match="there is no bucket no-such-bucket: create it, or set TAXI_LAKE"):
            ask()


def refusing(status: int) -> AbstractContextManager[str]:
    """A server that answers every request with one status."""
    return answering(lambda _: b"<Error><Code>AccessDenied</Code></Error>", status, "application/xml")


def pointed_at(url: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{address}/devstoreaccount1")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_what_is_needed(
    cloud_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    needed = {
        "gs": r"roles/storage\.objectUser|gcloud auth application-default login",
        "s3": r"s3:GetObject, s3:PutObject|AWS_ACCESS_KEY_ID",
        "az": r"Storage Blob Data Contributor|AZURE_STORAGE_ACCOUNT_NAME",
    }[cloud_url[:2]]
    with refusing(status) as address:
        pointed_at(cloud_url, address, monkeypatch)
        for ask in (Lake(cloud_url).current_raw, lambda month: Lake(cloud_url).store_raw(staged_raw(tmp_path))):
            with pytest.raises(StoreError, match=needed):
                ask(MARCH)


def test_no_answer_is_one_sentence(cloud_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pointed_at(cloud_url, f"http://127.0.0.1:{free_port()}", monkeypatch)
    with pytest.raises(
        StoreUnavailableError, match=r"the lake cannot read .*: check the address and the network, then run it"
    ):
        Lake(cloud_url, wait_seconds=0.1).current_raw(MARCH)


def test_google_without_credentials_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StoreError, match=r"no valid credentials .*: run `gcloud auth application-default login`"):
        Lake("gs://bucket").current_raw(MARCH)


def test_google_objects_are_compared_by_crc32c(gcs_bucket: str, gcs_server: str, tmp_path: Path) -> None:
    """Changed bytes of equal length are found; an object replaced meanwhile is its own writer's to verify."""
    (tmp_path / "sent").write_bytes(b"a" * (PART_SIZE + 1))
    (tmp_path / "other").write_bytes(b"b" * (PART_SIZE + 1))
    opened(f"gs://{gcs_bucket}").replace("x", tmp_path / "sent", {})
    check = (gcs_server, google.emulator_token, f"{gcs_bucket}/x")
    google.verify_crc32c(*check, None, tmp_path / "sent")
    with pytest.raises(StoreError, match=r"gs://taxi-\w+/x arrived with CRC32C \S{8} instead of \S{8}: run it again"):
        google.verify_crc32c(*check, None, tmp_path / "other")
    google.verify_crc32c(*check, "1", tmp_path / "other")


UPLOADED = """
import resource, sys
from pathlib import Path
from taxi_platform.stores.lake.objects.model import open_objects
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
objects = open_objects(sys.argv[1])
objects.create("small", Path(sys.argv[2]), {})
before = peak()
objects.create("big", Path(sys.argv[3]), {})
objects.replace("replaced", Path(sys.argv[3]), {})
with objects.local_copy("big") as file:
    assert file.stat().st_size == Path(sys.argv[3]).stat().st_size
print(peak() - before)
"""


@pytest.mark.parametrize("megabytes", [100, pytest.param(250, marks=pytest.mark.long)])
def test_uploading_and_downloading_take_no_memory_for_the_size_of_a_file(
    gcs_bucket: str, gcs_server: str, tmp_path: Path, megabytes: int
) -> None:
    (tmp_path / "small").write_bytes(b"x")
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(megabytes << 20)
    command = [sys.executable, "-c", UPLOADED, f"gs://{gcs_bucket}", str(tmp_path / "small"), str(tmp_path / "big")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert float(done.stdout) < megabytes * 0.4
    gcs.delete_bucket(gcs_server, gcs_bucket)
