"""The torture in forms that end soon: a sample of all cuts, the same one every time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def tortured(folder: Path, *options: str) -> dict[str, Any]:
    """The counts of ``python -m taxi_platform_tests.torture`` with those options; nothing may be found."""
    told = folder / "told.json"
    command = [sys.executable, "-m", "taxi_platform_tests.torture", *options, "--json", str(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    report: dict[str, Any] = json.loads(told.read_text())
    assert report["defects"] == []
    return report


def test_one_cut_in_a_hundred(tmp_path: Path) -> None:
    report = tortured(tmp_path, "--one-in", "100", "--inputs", "300", "--jobs", "1")
    assert report["kills"] > 5
    assert report["deceived"] == report["hangs"] == 0
    assert all(part["trials"] or part["inputs"] or part["steps"] for part in report["parts"])


@pytest.mark.long
def test_one_cut_in_twelve(tmp_path: Path) -> None:
    report = tortured(tmp_path, "--one-in", "12", "--inputs", "5000", "--seed", "1")
    assert report["kills"] > 60
    assert report["kinds"] >= 30
