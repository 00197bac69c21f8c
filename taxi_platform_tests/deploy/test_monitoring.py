"""The files for Prometheus, judged by its own tool, and the numbers that they ask for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from taxi_platform_tests.deploy.tools import REPOSITORY
from taxi_platform_tests.support.platform import Platform

FOLDER = REPOSITORY / "deploy" / "prometheus"


def promtool(*arguments: str, given: str | None = None) -> str:
    """What the tool says; skips where Prometheus is not installed, fails in continuous integration."""
    if shutil.which("promtool") is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed: apt-get install prometheus")
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_alert_comes_where_it_has_to_and_nowhere_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")
    promtool("check", "config", "prometheus.yml")


def test_the_alerts_ask_for_numbers_that_there_are(tmp_path: Path) -> None:
    off = {"TAXI_POSTGRES": "off", "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"}
    platform = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), **off})
    assert platform.taxi("run", "--months", "2020-01").code == 0
    text = platform.taxi("metrics").out
    promtool("check", "metrics", given=text)
    asked = set(re.findall(r"taxi_\w+", (FOLDER / "alerts.yml").read_text())) - {"taxi_platform"}
    there = set(re.findall(r"^# TYPE (\w+) gauge$", text, re.MULTILINE))
    assert asked - there <= {"taxi_last_tick_failed"}, "nothing ticks without a daemon"
    told = (REPOSITORY / "docs" / "operations.md").read_text()
    for alert in re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text()):
        assert f"`{alert}`" in told
    for name in there:
        assert f"`{name}`" in told
