"""What all workers of a session share: made by the first that asks for it.

Belongs here: one folder for all, and that one worker fills it. Does not: what is in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from taxi_platform.machine.locks import exclusive

__all__ = ["made_once"]

_PATIENCE = 300.0
"""Seconds for another worker that is making it."""


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of that name, which ``make`` has filled; nobody changes it afterwards."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, done = shared / name, shared / f"{name}.done"
    with exclusive(shared / f"{name}.lock", str(folder), _PATIENCE):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
