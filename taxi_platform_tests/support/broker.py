"""A Redis server of a test's own, with a password, whose data outlive a restart.

Belongs here: what a server's operator does. Does not: what is in it (``orchestration.workers``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import redis
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tools.emulators.process import free_port

__all__ = ["Broker"]


class Broker:
    """The server of a folder; skips where redis-server is missing, fails so in CI."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        program = shutil.which("redis-server")
        if program is None:
            missing = "redis-server is not installed: apt-get install redis-server"
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(missing)
            pytest.skip(missing)
        self._folder, self._host, self._port = folder, host, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [program, "--bind", host, "--port", str(self._port), "--requirepass", "secret"]
        self._command += ["--dir", str(folder), "--appendonly", "yes", "--save", ""]

    @property
    def url(self) -> str:
        return f"redis://:secret@{self._host}:{self._port}/0"

    def start(self) -> Broker:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        _answers(self.url)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@retry(retry=retry_if_exception_type(redis.ConnectionError), stop=stop_after_delay(30), wait=wait_fixed(0.05))
def _answers(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.ping()
