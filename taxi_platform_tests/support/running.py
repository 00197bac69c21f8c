"""A platform that runs: web interface, daemon and code server as real processes, on an instance of their own.

Belongs here: starting and ending them, asking them things, waiting for what they do. Does not: asserting.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

import taxi_platform
from taxi_platform.orchestration.keys import asset_name
from tools.web import ending_with_us

__all__ = ["LocalPlatform", "RunningPlatform", "running_platform", "serving"]

_PATIENCE = 600.0
"""Seconds to wait for anything: many times what it takes, so that a slow machine only takes longer."""
_PACKAGE = Path(taxi_platform.__file__).parent

_WORKER = re.compile(r"Started process for run \(pid: (\d+)\)")

_BACKFILL = """
mutation ($selection: [AssetKeyInput!]!, $months: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $selection, partitionNames: $months}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""

_BACKFILL_OF = """
mutation ($partitions: [PartitionsByAssetSelector!]!) {
  launchPartitionBackfill(backfillParams: {partitionsByAssets: $partitions}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@dataclass(frozen=True)
class RunningPlatform:
    """What a test does with it."""

    url: str
    home: Path
    instance: dg.DagsterInstance
    log: Path

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """GraphQL, as the web interface speaks it."""
        import requests

        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        if document.get("errors"):
            raise RuntimeError(document["errors"])
        data: dict[str, Any] = document["data"]
        return data

    def backfill_of(self, assets: Sequence[str], first: str, last: str) -> str:
        """The same of assets of several datasets, whose partitions differ; from month to month, both included."""
        span = {"ranges": [{"start": f"{first}-01", "end": f"{last}-01"}]}
        selection = [{"assetKey": {"path": [name]}, "partitions": span} for name in assets]
        result = self.ask(_BACKFILL_OF, partitions=selection)["launchPartitionBackfill"]
        if "backfillId" not in result:
            raise RuntimeError(result)
        return str(result["backfillId"])

    def backfill(self, layers: Sequence[str], dataset: str, months: Sequence[str]) -> str:
        """Start a backfill as the web interface does; returns its id."""
        selection = [{"path": [asset_name(layer, dataset)]} for layer in layers]
        keys = [f"{month}-01" for month in months]
        result = self.ask(_BACKFILL, selection=selection, months=keys)["launchPartitionBackfill"]
        if "backfillId" not in result:
            raise RuntimeError(result)
        return str(result["backfillId"])

    def wait(self, what: str, condition: Callable[[], object]) -> None:
        """Until the condition holds; fails with the end of the processes' log when that takes too long."""
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])
                raise TimeoutError(f"waited {_PATIENCE:.0f} s for {what}\n{tail}")
            time.sleep(0.5)

    def kill_worker(self, run_id: str) -> None:
        """End the process of a run as a machine does that is out of memory."""
        messages = (entry.message for entry in self.instance.all_logs(run_id))
        started = next(filter(None, (_WORKER.search(message) for message in messages)))
        os.kill(int(started[1]), signal.SIGKILL)


@dataclass(frozen=True)
class LocalPlatform(RunningPlatform):
    """One whose processes are all of this machine."""

    process: subprocess.Popen[bytes]

    def go_down(self) -> None:
        """End every process at once, workers included, as a machine does that loses its power."""
        import psutil

        root = psutil.Process(self.process.pid)
        processes = [root, *root.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)


@contextlib.contextmanager
def running_platform(home: Path, variables: Mapping[str, str]) -> Iterator[LocalPlatform]:
    """``dagster dev`` on the shipped ``dagster.yaml`` and ``workspace.yaml``, with the instance in ``home``.

    A home where a platform ran before is taken up again.
    """
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_PACKAGE / "dagster.yaml", home / "dagster.yaml")
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("TAXI_", "DAGSTER_"))}
    environment = {**outside, **variables, "DAGSTER_HOME": str(home)}
    command = ("-m", "dagster", "dev", "-w", str(_PACKAGE / "workspace.yaml"), "-h", "127.0.0.1", "-p")
    with serving(home, command, _PACKAGE.parent, environment) as platform:
        yield platform


@contextlib.contextmanager
def serving(
    home: Path, command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[LocalPlatform]:
    """``python COMMAND PORT``, which serves the instance in ``home`` on a free port, from it answering to its end."""
    port, log = _free_port(), home / "dev.log"
    with log.open("wb") as output, dg.DagsterInstance.from_config(str(home)) as instance:
        process = subprocess.Popen(
            ending_with_us([sys.executable, *command, str(port)]),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        platform = LocalPlatform(f"http://127.0.0.1:{port}", home, instance, log, process)
        try:
            platform.wait("the web interface", lambda: process.poll() is not None or _answers(platform))
            if process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace"))
            yield platform
        finally:
            _end(process)


def _answers(platform: RunningPlatform) -> bool:
    import requests

    with contextlib.suppress(requests.RequestException):
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        return bool(platform.ask(query)["repositoriesOrError"].get("nodes"))
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask once, as Ctrl-C does; then the whole group, so that nothing is left running."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
