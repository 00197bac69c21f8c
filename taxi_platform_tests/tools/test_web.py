"""Servers that tools and tests start end with those who started them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
STARTS = """
import subprocess, sys
from tools.web import ending_with_us
server = subprocess.Popen(ending_with_us(["sleep", "600"]), start_new_session=True)
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed: apt-get install util-linux")
def test_a_server_ends_when_the_process_that_started_it_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        while server.name() != "sleep":
            time.sleep(0.01)
        starter.kill()
    server.wait(60)
    assert not server.is_running()
