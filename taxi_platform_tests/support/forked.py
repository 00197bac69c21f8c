"""``python -m MODULE …`` without the seconds that imports take: a fork of a process that has imported everything.

Belongs here: the process that imports once, and its forks, each of which becomes one command with a folder, an
environment, a session and a memory of its own. Does not: which commands (``platform``).

Importing the platform has no side effects, so what a run needs of it is there before the fork too; definitions are not.
Commands that a test sends signals to or runs side by side are started as anyone starts them: ``Platform.start``.

Run by itself, it takes a command a line on its standard input and answers each with its process id, then its exit code;
it ends when its input does.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Done", "run_module"]

_IMPORTED = (
    "dagster._core.execution.api",
    "dagster._core.executor.in_process",
    "dagster._core.storage.event_log.sqlite",
    "dagster._core.storage.runs.sqlite",
    "dagster._core.storage.schedules.sqlite",
    "dagster._core.storage.sqlite_storage",
    "duckdb",
    "fsspec.implementations.local",
    "isal.igzip_threaded",
    "obstore.store",
    "pgpq",
    "psycopg",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pyproj",
    "requests",
    "rich.table",
    "shapefile",
    "shapely.geometry",
    "taxi_platform.cleaning.month",
    "taxi_platform.cleaning.splitting",
    "taxi_platform.cli.inspecting",
    "taxi_platform.cli.launch",
    "taxi_platform.cli.running",
    "taxi_platform.ingest.conversion",
    "taxi_platform.orchestration.io_managers.lake",
    "taxi_platform.orchestration.io_managers.tables",
    "taxi_platform.sources.sample.source",
    "taxi_platform.stores.duckdb.lake_views",
    "taxi_platform.stores.duckdb.store",
    "taxi_platform.stores.postgres.embedded.sharing",
    "taxi_platform.stores.postgres.store",
    "upath.implementations.local",
)


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run_module(
    module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> Done:
    """``python -m MODULE ARGUMENTS`` in that folder with that environment and no input, to its end.

    Raises:
        TimeoutError: it took longer than so many seconds, and was killed.
    """
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        request = {
            "module": module,
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "streams": [os.devnull, str(out), str(err)],
        }
        return Done(_parent().carry_out(request, timeout), out.read_text(), err.read_text())


class _Parent:
    """The process that forks, as its user sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is for the tests; this ends with its input
        )
        atexit.register(self._process.communicate)

    def carry_out(self, request: Mapping[str, object], timeout: float) -> int:
        """The exit code of a command."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            print(json.dumps(request), file=stdin, flush=True)
            child = int(stdout.readline())
            is_late = threading.Event()

            def kill() -> None:
                is_late.set()
                os.killpg(child, signal.SIGKILL)

            timer = threading.Timer(timeout, kill)
            timer.start()
            try:
                code = int(stdout.readline())
            finally:
                timer.cancel()
        if is_late.is_set():
            raise TimeoutError(f"{request['module']} {request['arguments']} took longer than {timeout:.0f} s")
        return code


@functools.cache
def _parent() -> _Parent:
    return _Parent()


class _Leaving:
    """Ends an interpreter after its threads and exit functions, before it would take all its modules apart."""

    code = 1
    """Of an error that nobody caught, which the interpreter prints."""

    def __call__(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.code)


def _serve(leaving: _Leaving) -> None:
    """Fork for every request; a fork returns when its command has ended."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # else a fork's collector would write to, and so copy, every page it was given
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            _become(json.loads(line), leaving)
            break
        print(child, flush=True)  # noqa: T201 - the lines are the protocol
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
    leaving.code = 0


def _become(request: Mapping[str, object], leaving: _Leaving) -> None:
    arguments, environment, streams = request["arguments"], request["environment"], request["streams"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    assert isinstance(streams, list)
    os.setsid()
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(environment)
    for number, place in enumerate(streams):
        opened = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv[1:] = arguments
    sys.path[0] = str(Path.cwd())
    try:
        runpy.run_module(str(request["module"]), run_name="__main__", alter_sys=True)
    except SystemExit as end:
        leaving.code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    _leaving = _Leaving()
    atexit.register(_leaving)
    _serve(_leaving)
