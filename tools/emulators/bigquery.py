"""BigQuery for tests: local-bigquery in an environment of its own, with partition decorators and external tables added.

Belongs here: installing and running it. Does not: what is added to it (``bigquery_server``, ``bigquery_external``). The
package needs Python 3.13 and libraries that contradict this project's, so it is installed once into a cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxi_platform.machine.locks import exclusive
from tools.emulators.process import EmulatorMissingError, free_port, running

__all__ = ["PROJECT", "delete_dataset", "emulated_bigquery"]

PROJECT = "taxi-project"
_PATIENCE = 600.0
"""Seconds for another process that is installing it."""
_DUCKDB = "1.5.5"
_EXTENSIONS = ("icu", "ducklake", "httpfs", "spatial")
_PACKAGES = (
    "local-bigquery==0.3.2",
    f"duckdb=={_DUCKDB}",
    f"duckdb-extensions=={_DUCKDB}",
    *(f"duckdb-extension-{name}=={_DUCKDB}" for name in _EXTENSIONS),
)
_UNPACK = f"from duckdb_extensions import import_extension\nfor name in {_EXTENSIONS!r}: import_extension(name)"


@contextmanager
def emulated_bigquery(folder: Path, gcs_url: str, host: str = "127.0.0.1") -> Iterator[str]:
    """A running emulator: its URL, as ``BIGQUERY_EMULATOR_HOST`` takes it.

    Args:
        folder: for its data and log.
        gcs_url: the Cloud Storage that ``gs://`` addresses of load jobs lie in.
        host: the address to listen at.

    Raises:
        EmulatorMissingError: there is no Python 3.13, or the package cannot be installed.
    """
    home = _installed()
    port = free_port()
    command = [
        str(home / "env" / "bin" / "python"),
        *("-m", "tools.emulators.bigquery_server"),
        *("serve", "--host", host, "--port", str(port), "--grpc-port", str(free_port())),
        *("--project", PROJECT, "--dataset", "unused", "--data-dir", str(folder / "data")),
    ]
    env = {"HOME": str(home), "STORAGE_EMULATOR_HOST": gcs_url, "PYTHONPATH": str(Path(__file__).parents[2])}
    with running(command, port, folder / "log", env, host):
        yield f"http://{host}:{port}"


def delete_dataset(url: str, dataset: str) -> None:
    """Delete a dataset with all that is in it, if there is one: every request is slower for each that stays."""
    import requests

    address = f"{url}/bigquery/v2/projects/{PROJECT}/datasets/{dataset}?deleteContents=true"
    answer = requests.delete(address, timeout=60)
    if answer.status_code != requests.codes.not_found:
        answer.raise_for_status()


def _installed() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "taxi_platform" / "bigquery"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "installed"
    with exclusive(folder / "install.lock", f"the installation in {folder}", _PATIENCE):
        if not done.exists() or done.read_text() != " ".join(_PACKAGES):
            python = str(folder / "env" / "bin" / "python")
            _run(_python_3_13(), "-m", "venv", "--clear", str(folder / "env"))
            _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES)
            _run(python, "-c", _UNPACK, home=folder)
            done.write_text(" ".join(_PACKAGES))
    return folder


def _python_3_13() -> str:
    """An interpreter that runs: pyenv's shims are on the path for every version, whether chosen or not."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = shutil.which("python3.13")
    for candidate in (*sorted(map(str, pyenv.glob("3.13.*/bin/python3.13"))), *([found] if found else [])):
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    raise EmulatorMissingError("there is no Python 3.13 to run local-bigquery with")


def _run(*command: str, home: Path | None = None) -> None:
    env = {**os.environ, **({"HOME": str(home)} if home else {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise EmulatorMissingError(f"local-bigquery cannot be installed: {done.stderr.strip()[-300:]}")
