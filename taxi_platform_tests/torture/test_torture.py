"""The torture in forms that end soon: a sample of all cuts, the same one every time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from taxi_platform_tests.torture.knife import calls, compiled


def tortured(folder: Path, *options: str) -> dict[str, Any]:
    """The counts of ``python -m taxi_platform_tests.torture`` with those options; nothing may be found."""
    told = folder / "told.json"
    command = [sys.executable, "-m", "taxi_platform_tests.torture", *options, "--json", str(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    report: dict[str, Any] = json.loads(told.read_text())
    assert report["defects"] == []
    return report


def test_a_few_cuts_steps_and_inputs(tmp_path: Path) -> None:
    """PostgreSQL, whose trials take seconds, is of the long form."""
    report = tortured(tmp_path, "--parts", "disk,machine,hostile", "--one-in", "150", "--inputs", "300", "--jobs", "1")
    assert report["kills"] > 3
    assert report["deceived"] == report["hangs"] == 0
    assert report["inputs"] >= 300
    assert report["steps"] > 10


_CALLS = {
    "write": ("write", "pwrite64", "writev", "pwritev"),
    "fsync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
    "unlink": ("unlink",),
    "truncate": ("ftruncate",),
    "mkdir": ("mkdir",),
}
"""What the library notes → the system calls that it stands for."""


@pytest.mark.long
def test_no_call_goes_past_the_library(tmp_path: Path) -> None:
    """A whole month into the lake, DuckDB, marts and views, as the library counts it and as strace sees it."""
    data, log, trace = tmp_path / "data", tmp_path / "log", tmp_path / "trace"
    watched = sorted({name for names in _CALLS.values() for name in names} | {"unlinkat", "mkdirat"})
    strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-e", f"trace={','.join(watched)}", "-e", "signal=none"]
    environment = {**os.environ, "LD_PRELOAD": str(compiled(tmp_path / "library"))}
    command = [sys.executable, "-m", "taxi_platform_tests.torture.watched", str(data), str(log)]
    if shutil.which("strace") is None:
        pytest.skip("no strace: apt-get install strace")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*strace, "-o", str(trace), *command], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    noted = Counter(call.name for call in calls(log))
    seen: Counter[str] = Counter()
    for line in trace.read_text().splitlines():
        # Of a call that another thread's interrupts, the first half has the path and the second the result.
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if call and str(data) + "/" in call[2] and "= -1 " not in call[2]:
            is_folder = call[1] == "unlinkat" and "AT_REMOVEDIR" in call[2]
            name = {"unlinkat": "rmdir" if is_folder else "unlink", "mkdirat": "mkdir"}.get(call[1])
            seen[name or next(noted for noted, names in _CALLS.items() if call[1] in names)] += 1
    assert seen == Counter({name: count for name, count in noted.items() if name in (*_CALLS, "rmdir")})
    assert {"write", "fsync", "rename", "unlink", "truncate", "mkdir"} <= seen.keys()


@pytest.mark.long
@pytest.mark.soak
def test_one_cut_in_thirty(tmp_path: Path) -> None:
    report = tortured(tmp_path, "--one-in", "30", "--inputs", "3000", "--seed", "1")
    assert report["kills"] > 60
    assert report["kinds"] >= 30
