"""What a lake on disk promises beside: locks, kills, full disks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taxi_platform.errors import SettingsError, StoreBusyError, StoreError
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.objects.disk import DiskObjects
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw
from taxi_platform_tests.stores.writers import is_killed_before


def test_the_url_is_an_absolute_folder_and_uris_lie_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake("data/lake")
    assert lake.url == f"{tmp_path}/data/lake"
    assert lake.uri("trips/x.parquet") == f"{tmp_path}/data/lake/trips/x.parquet"
    assert not (tmp_path / "data").exists(), "construction touches nothing"


@pytest.mark.parametrize("url", ["ftp://host/x", "gs://", "gs:///x", "s3://?x", "az://a b", "", " ", "file:///x"])
def test_a_bad_url_is_a_settings_error_naming_the_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="TAXI_LAKE"):
        Lake(url)


def test_reading_an_empty_lake_creates_nothing(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert lake.current_raw(MARCH) is None
    assert lake.months("green") == ()
    assert not (tmp_path / "lake").exists()


def test_the_local_copy_is_the_file_itself(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stored = lake.store_raw(staged_raw(tmp_path))
    with lake.local_copy(stored.path) as file:
        assert str(file) == lake.uri(stored.path)


def test_the_staged_file_is_left_to_its_owner(tmp_path: Path) -> None:
    staged = staged_raw(tmp_path)
    stored = Lake(str(tmp_path / "lake")).store_raw(staged)
    with staged.file.open("r+b") as stream:
        stream.write(b"gone")
    with Lake(str(tmp_path / "lake")).open_parquet(stored.path) as parquet:
        assert parquet.metadata.num_rows == 5


def test_a_folder_holds_nothing_but_months(tmp_path: Path) -> None:
    """Locks and temporary files lie in hidden folders at the root, out of every reader's glob."""
    lake = Lake(str(tmp_path / "lake"))
    lake.store_raw(staged_raw(tmp_path))
    clean = lake.store_clean(staged_clean(tmp_path))
    visible = {str(p.relative_to(tmp_path / "lake")) for p in (tmp_path / "lake").rglob("[!.]*") if p.is_file()}
    assert {path for path in visible if not path.startswith(".locks/")} == {
        "raw/green/month=2020-03/v1.parquet",
        "raw/green/month=2020-03/manifest.json",
        clean.trips_path,
        clean.quarantine_path,
        "lake.json",
    }
    assert list((tmp_path / "lake" / ".incoming").iterdir()) == []


def test_leftovers_of_a_killed_writer_are_cleared_by_the_next_of_that_month(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    lake = Lake(str(root))
    (root / ".incoming").mkdir(parents=True)
    mine = [root / ".incoming" / f"{layer}.green.month=2020-03.abc" for layer in ("raw", "trips", "quarantine")]
    other = root / ".incoming" / "raw.green.month=2020-04.abc"
    for leftover in (*mine, other):
        leftover.write_bytes(b"half")
    lake.store_raw(staged_raw(tmp_path))
    lake.store_clean(staged_clean(tmp_path))
    assert list((root / ".incoming").iterdir()) == [other], "another month's writer may be alive"


def test_leftovers_of_a_killed_maker_of_the_lake_are_cleared(tmp_path: Path) -> None:
    """The lake's own note lies beside all folders of months."""
    incoming = tmp_path / "lake" / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / "lake.json.abc").write_bytes(b"half")
    Lake(str(tmp_path / "lake")).store_raw(staged_raw(tmp_path))
    assert list(incoming.iterdir()) == []


def test_a_writer_waits_for_another_and_says_for_whom_when_it_gives_up(tmp_path: Path) -> None:
    patient = DiskObjects(tmp_path)
    hurried = DiskObjects(tmp_path, lock_timeout=0.05)
    with patient.exclusive("raw/green/month=2020-03"):
        with (
            pytest.raises(
                StoreBusyError,
                match=r"raw/green/month=2020-03 is held by another thread of this process for over 0.05 s",
            ),
            hurried.exclusive("raw/green/month=2020-03"),
        ):
            pass
        with hurried.exclusive("raw/green/month=2020-04"):
            pass
    with hurried.exclusive("raw/green/month=2020-03"):
        pass


def test_a_reader_of_a_replaced_month_keeps_what_it_opened(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stored = lake.store_clean(staged_clean(tmp_path, "c1", trips=4))
    with lake.open_parquet(stored.trips_path) as before:
        lake.store_clean(staged_clean(tmp_path, "c2", trips=9))
        assert before.read().num_rows == 4


@pytest.mark.parametrize("what", ["raw", "clean"])
def test_a_kill_at_any_step_leaves_the_old_month_or_the_new_one_and_a_rerun_repairs(tmp_path: Path, what: str) -> None:
    """SIGKILL before each sync and each rename in turn, until the writer gets through."""
    finished = False
    for calls in range(40):
        root = tmp_path / f"lake{calls}"
        lake = Lake(str(root))
        old_raw = lake.store_raw(staged_raw(tmp_path / "old", "v1", rows=5))
        old_clean = lake.store_clean(staged_clean(tmp_path / "old", "c1", trips=4))
        finished = not is_killed_before(calls, str(root), tmp_path / f"new{calls}", what)
        raw, clean = lake.current_raw(MARCH), lake.current_clean(MARCH)
        assert raw is not None
        assert raw == old_raw or (what == "raw" and raw.version == "v2")
        assert clean is not None
        assert clean == old_clean or (what == "clean" and clean.facts.version == "c2")
        assert lake.count_raw(MARCH) == raw.rows
        lake.store_raw(staged_raw(tmp_path / "again", "v2", rows=7))
        again = lake.store_clean(staged_clean(tmp_path / "again", "c2", trips=7))
        assert lake.current_clean(MARCH) == again
        assert list((root / ".incoming").iterdir()) == []
        if finished:
            break
    assert finished
    assert calls > 3, "a month is stored in several steps"


def test_a_kill_while_a_month_is_withdrawn_leaves_no_trips_without_quarantine_and_a_rerun_ends_it(
    tmp_path: Path,
) -> None:
    seen = set()
    for calls in range(40):
        root = tmp_path / f"lake{calls}"
        lake = Lake(str(root))
        stored = lake.store_raw(staged_raw(tmp_path / "old"))
        lake.store_clean(staged_clean(tmp_path / "old", trips=4, quarantined=1))
        finished = not is_killed_before(calls, str(root), tmp_path / "new", "withdrawn")
        left = (lake.current_raw(MARCH) is not None, lake.count_clean(MARCH))
        assert left in [(True, MonthCounts(4, 1)), (False, MonthCounts(4, 1)), (False, None)]
        seen.add(left)
        lake.withdraw_raw(MARCH)
        lake.remove_clean(MARCH)
        assert (lake.current_raw(MARCH), lake.count_clean(MARCH)) == (None, None)
        assert lake.raw_versions(MARCH) == (stored,)
        if finished:
            break
    assert finished
    assert len(seen) > 2, "a month is withdrawn in several steps"


def test_twenty_racing_writers_of_one_version_make_one_object(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stageds = [staged_raw(tmp_path / str(i), "v1", token=f"t{i}") for i in range(20)]
    with ThreadPoolExecutor(20) as pool:
        versions = list(pool.map(lake.store_raw, stageds))
    assert {version.version for version in versions} == {"v1"}
    assert len(lake.raw_versions(MARCH)) == 1
    assert len([p for p in (tmp_path / "lake/raw/green/month=2020-03").iterdir() if p.suffix == ".parquet"]) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; only root can mount one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_the_month_before_stays(small_disk: Path, tmp_path: Path) -> None:
    lake = Lake(str(small_disk / "lake"))
    before = lake.store_clean(staged_clean(tmp_path, "c1"))
    raw = lake.store_raw(staged_raw(tmp_path, "v1"))
    big_raw = staged_raw(tmp_path, "v2")
    big_raw.file.write_bytes(os.urandom(2 << 20))
    with pytest.raises(StoreError, match=r"cannot write .*v2\.parquet: the disk is full: free space"):
        lake.store_raw(big_raw)
    (small_disk / "filler").write_bytes(b"")
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(os.urandom(4096)):
                pass
        except OSError:
            pass
    with pytest.raises(StoreError, match="the disk is full: free space"):
        lake.store_clean(staged_clean(tmp_path, "c2"))
    assert lake.current_raw(MARCH) == raw
    assert lake.current_clean(MARCH) == before
    assert list((small_disk / "lake/.incoming").iterdir()) == []


def test_a_read_only_disk_is_one_sentence_and_can_be_read(small_disk: Path, tmp_path: Path) -> None:
    lake = Lake(str(small_disk / "lake"))
    before = lake.store_raw(staged_raw(tmp_path, "v1"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert lake.current_raw(MARCH) == before
    with pytest.raises(StoreError, match="the file system is read-only: set TAXI_LAKE"):
        lake.store_raw(staged_raw(tmp_path, "v2"))


def test_a_folder_without_permission_is_one_sentence(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permission denied: give this user access"):
        Lake(str(tmp_path / "closed" / "lake")).store_raw(staged_raw(tmp_path, month=APRIL))


def test_a_file_where_the_lake_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    with pytest.raises(StoreError, match="a file stands where a folder is needed: set TAXI_LAKE to a folder"):
        Lake(str(tmp_path / "lake")).store_raw(staged_raw(tmp_path))
