"""A lake in a cloud on a bad day: refusals, resets, lost answers, cut bodies and silence, at every request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from taxi_platform.errors import StoreError, StoreUnavailableError
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects import clouds
from taxi_platform.stores.lake.objects import requests as cloud_requests
from taxi_platform.stores.lake.objects.clouds import Pace
from taxi_platform.stores.lake.objects.model import open_objects
from taxi_platform.stores.lake.objects.requests import PART_SIZE
from taxi_platform.stores.testing.months import MARCH, staged_clean, staged_raw
from taxi_platform.transience import PATIENT
from taxi_platform_tests.support.faults import (
    Answer,
    Cut,
    Fault,
    Faults,
    Lost,
    Reset,
    Shortened,
    Silence,
    Trickled,
    spoiling,
)

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BUSY, TOO_MANY = Answer(503, SLOW_DOWN), Answer(429, b"")
KINDS = ("look", "read", "list", "condition", "copy", "delete", "write", "begin", "part", "complete")
ADDRESSES = {"gs": "STORAGE_EMULATOR_HOST", "s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ENDPOINT"}


@pytest.fixture
def faults(cloud_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy before the cloud's emulator, which the environment now points at."""
    scheme = cloud_url[:2]
    server: str = request.getfixturevalue({"gs": "gcs_server", "s3": "s3_server", "az": "azure_server"}[scheme])
    with spoiling(server) as proxy:
        monkeypatch.setenv(ADDRESSES[scheme], proxy.url)
        yield proxy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Short waits and silences; and obstore repeats nothing by itself, so that what is left is ours."""
    silence = 0.3 if "Silence" in request.node.name else 2.0
    monkeypatch.setattr(clouds, "ORDINARY", Pace(silence, keeps_at_it=0))
    monkeypatch.setattr(cloud_requests, "SLOW_LINES", ((4, silence),))
    monkeypatch.setattr(cloud_requests, "_PART_PATIENCE", 0)
    monkeypatch.setattr(cloud_requests, "PATIENT", replace(PATIENT, first_wait=0.01))


def walk(url: str, folder: Path) -> None:
    """Every request there is: a month stored, read and taken out again, and an object of several parts."""
    lake, objects = Lake(url, wait_seconds=30), open_objects(url, wait_seconds=30)
    raw = lake.store_raw(staged_raw(folder))
    clean = lake.store_clean(staged_clean(folder))
    assert lake.current_raw(MARCH) == raw
    assert lake.count_raw(MARCH) == 5
    assert lake.current_clean(MARCH) == clean
    assert lake.months("green") == (MARCH,)
    again = lake.store_raw(staged_raw(folder, "v2", rows=7, token="t2"))
    assert [version.version for version in lake.raw_versions(MARCH)] == ["v1", "v2"]
    with lake.local_copy(again.path) as copy:
        assert copy.read_bytes() == (folder / "v2.parquet").read_bytes()
    big = folder / "big"
    big.write_bytes(bytes(range(256)) * ((PART_SIZE + (1 << 20)) >> 8))
    assert objects.create("big", big, {}) == big.stat().st_size
    with objects.local_copy("big") as copy:
        assert copy.read_bytes() == big.read_bytes()
    objects.remove("big")
    assert objects.size("big") is None
    assert lake.remove_clean(MARCH)
    assert lake.current_clean(MARCH) is None
    assert list(objects.paths(".incoming")) == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", [BUSY, Reset(), Lost(), Cut(), Silence()], ids=lambda f: type(f).__name__)
def test_what_passes_is_waited_out_at_every_request(
    faults: Faults, cloud_url: str, fault: Fault, tmp_path: Path
) -> None:
    """The first request of every kind fails, and but for silence the next one is one too many (429)."""
    for kind in KINDS:
        faults.spoil(kind, fault)
        if not isinstance(fault, Silence):
            faults.spoil(kind, TOO_MANY)
    walk(cloud_url, tmp_path)
    assert {kind for kind, _ in faults.seen} >= set(KINDS) - ({"begin"} if cloud_url.startswith("az") else set())


def test_a_store_that_refuses_everything_for_seconds_is_waited_for(
    faults: Faults, cloud_url: str, tmp_path: Path
) -> None:
    """With the waits as they are for everybody."""
    lake = Lake(cloud_url)
    faults.spoil("*", BUSY, times=1_000, seconds=3)
    stored = lake.store_raw(staged_raw(tmp_path))
    assert lake.current_raw(MARCH) == stored


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", [BUSY, Reset(), Shortened()], ids=lambda f: type(f).__name__)
def test_what_does_not_pass_is_told_after_the_wait(
    faults: Faults, cloud_url: str, fault: Fault, tmp_path: Path
) -> None:
    Lake(cloud_url).store_raw(staged_raw(tmp_path))
    faults.spoil("read", fault, times=1_000)
    told = {
        Answer: r"the store answered 503 Service Unavailable SlowDown: Please reduce your request rate\.",
        Reset: r"no answer \(.*\): check the address and the network",
        Shortened: r"only [\d,]+ of its [\d,]+ bytes came",
    }[type(fault)]
    pattern = re.compile(rf"the lake cannot read {cloud_url}/raw/.*/manifest\.json: {told}")
    with pytest.raises(StoreUnavailableError, match=pattern):
        Lake(cloud_url, wait_seconds=0.2).current_raw(MARCH)


@pytest.mark.usefixtures("quick")
def test_the_answer_to_a_manifests_write_is_lost_while_another_run_writes(
    faults: Faults, cloud_url: str, tmp_path: Path
) -> None:
    """Ours arrived, then theirs: both are kept."""
    lake, objects = Lake(cloud_url), open_objects(cloud_url)
    lake.store_raw(staged_raw(tmp_path))
    faults.forget()
    seen: list[bytes | None] = []

    def change(before: bytes | None) -> bytes:
        seen.append(before)
        if len(seen) == 1:
            faults.spoil("condition", Lost())
        return (before or b"") + b"+"

    objects.update("list", change)
    assert objects.read("list") == b"+"
    assert seen == [None], "read back, it is ours: nothing is changed again"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a_conflict_of_writers_at_once_is_tried_again(
    faults: Faults, cloud_url: str, tmp_path: Path, code: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html: 409, upload again."""
    conflict = Answer(409, f"<Error><Code>{code}</Code><Message>A conflict.</Message></Error>".encode())
    for kind in ("copy", "condition"):
        faults.spoil(kind, conflict, times=2)
    stored = Lake(cloud_url).store_raw(staged_raw(tmp_path))
    assert Lake(cloud_url).current_raw(MARCH) == stored


@pytest.mark.usefixtures("quick")
def test_a_download_may_take_longer_than_any_silence(faults: Faults, cloud_url: str, tmp_path: Path) -> None:
    """What is bounded is the time without a byte, not the request."""
    objects = open_objects(cloud_url)
    (tmp_path / "file").write_bytes(bytes(range(256)) * 256)
    objects.replace("x", tmp_path / "file", {})
    faults.forget()
    faults.spoil("read", Trickled(pause=0.3))
    with objects.local_copy("x") as copy:
        assert copy.read_bytes() == (tmp_path / "file").read_bytes()
    assert [kind for kind, _ in faults.seen] == ["look", "read"], "it was not cut after 2 s, and asked for again"


@pytest.mark.usefixtures("quick")
def test_an_upload_over_a_slow_line_finds_its_pace_and_keeps_it(
    faults: Faults, cloud_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that takes longer than the first pace allows goes at the next; later uploads begin with that one."""
    monkeypatch.setattr(cloud_requests, "SLOW_LINES", ((4, 0.3), (1, 2.0)))
    objects = open_objects(cloud_url)
    (tmp_path / "file").write_bytes(bytes(PART_SIZE + 1))
    faults.spoil("part", Silence())
    objects.replace("x", tmp_path / "file", {})
    first = [kind for kind, _ in faults.seen].count("part")
    objects.replace("y", tmp_path / "file", {})
    assert objects.size("y") == objects.size("x") == PART_SIZE + 1
    assert [kind for kind, _ in faults.seen].count("part") == first + 2


@pytest.mark.usefixtures("quick")
def test_no_right_to_delete_is_a_warning(
    faults: Faults, cloud_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>Not authorized to delete.</Message></Error>"
    faults.spoil("delete", Answer(403, denied), times=1_000)
    lake = Lake(cloud_url, grace=timedelta(0))
    stored = lake.store_raw(staged_raw(tmp_path))
    lake.store_clean(staged_clean(tmp_path, "c1"))
    clean = lake.store_clean(staged_clean(tmp_path, "c2"))
    assert (lake.current_raw(MARCH), lake.current_clean(MARCH)) == (stored, clean)
    assert "permission denied (AccessDenied: Not authorized to delete.)" in caplog.text
    assert "it stays behind, and may be deleted by hand" in caplog.text
    with pytest.raises(StoreError, match=r"cannot remove .*permission denied"):
        open_objects(cloud_url).remove(stored.path)


def test_a_look_asks_at_most_twice_of_each_layer_of_a_month(faults: Faults, cloud_url: str, tmp_path: Path) -> None:
    lake = Lake(cloud_url)
    lake.store_raw(staged_raw(tmp_path))
    lake.store_clean(staged_clean(tmp_path))
    faults.forget()
    found = Lake(cloud_url).look(MARCH)
    assert (found.raw_rows, found.trips_rows, found.quarantined_rows, found.problems) == (5, 4, 1, ())
    asked = [re.findall(r"/(raw|trips|quarantine)/green/month=2020-03/", unquote(path)) for _, path in faults.seen]
    assert sorted(asked) == [["quarantine"], ["raw"], ["raw"], ["trips"]]
