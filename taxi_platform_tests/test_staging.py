"""Staging folders: private, removed whatever happens, and cleared away after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taxi_platform.errors import StoreError
from taxi_platform.machine.staging import staging_folder

_HOLD = """
import sys
from pathlib import Path
from taxi_platform.machine.staging import staging_folder

with staging_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def _holder(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process with a staging folder of its own, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_staging_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "below" / "staging") as folder:
        assert folder.parent == tmp_path / "below" / "staging"
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_staging_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("text")

    assert list(tmp_path.iterdir()) == []


def test_a_staging_folder_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="on the way"), staging_folder(tmp_path):
        raise RuntimeError("on the way")

    assert list(tmp_path.iterdir()) == []


def test_two_folders_at_once_are_two(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as one, staging_folder(tmp_path) as other:
        assert one != other
        assert one.is_dir()
        assert other.is_dir()


def test_the_folder_of_a_killed_process_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    process, left = _holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (left / "half").exists()

    with staging_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    process, theirs = _holder(tmp_path)
    try:
        with staging_folder(tmp_path):
            assert (theirs / "half").read_text() == "half"
    finally:
        process.communicate("")

    assert not theirs.exists()


def test_other_things_in_the_folder_are_nobody_s_leftovers(tmp_path: Path) -> None:
    (tmp_path / "1-mine").mkdir()

    with staging_folder(tmp_path):
        assert (tmp_path / "1-mine").is_dir()


def test_a_folder_that_cannot_be_made_is_one_sentence_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(StoreError, match=r"no staging folder can be made in .*: Not a directory; .*TAXI_DATA"),
        staging_folder(tmp_path / "file" / "staging"),
    ):
        pytest.fail("there is no folder")
