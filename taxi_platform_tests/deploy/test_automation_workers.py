"""The suite of the running platform on the stack whose runs go to a worker: the queue in between changes nothing.

The suite looks into a lake on disk, so the worker is one of this machine, with the code location's settings and disk.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform_tests.automation.conftest import generated, upstream
from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.deploy.test_automation import (
    platform,
    server,
    settings,
    test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing,
    test_the_stores_become_what_upstream_has_whatever_upstream_does,
)
from taxi_platform_tests.deploy.test_automation import variables_of as automated
from taxi_platform_tests.support.upstream import Upstream

pytestmark = [pytest.mark.long, pytest.mark.soak]

__all__ = [
    "generated",
    "platform",
    "server",
    "settings",
    "test_a_backfill_with_a_bad_month_and_a_killed_worker_loses_nothing",
    "test_the_stores_become_what_upstream_has_whatever_upstream_does",
    "upstream",
]


@pytest.fixture
def composed(
    compose_folder: Path, tmp_path: Path, server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Composed]:
    own = {"TAXI_HOSTS": "one", "TAXI_LAKE": "/data/lake", "TAXI_WAREHOUSE": "/data/warehouse.duckdb"}
    queue = {"TAXI_PRIVATE_ADDRESS": "127.0.0.1", "TAXI_BROKER_PASSWORD": "secret"}
    files = ("compose.yaml", "compose.workers.yaml")
    stack = Composed(compose_folder, tmp_path / "state", {**automated(server), **own, **queue}, files=files)
    with stack.up() as composed:
        here = composed["code-location"]
        monkeypatch.setenv("TAXI_BROKER", here.environment["TAXI_BROKER"])
        command = [str(Path(sys.executable).with_name("taxi")), "worker", "--concurrency", "4"]
        with here.log.open("ab") as log:
            worker = subprocess.Popen(
                command, cwd=here.root, env=here.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield composed
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
