"""Fixtures that start emulators once per test process and hand out a lake URL of its own to every test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["disk"])
def lake_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty lake of each kind; the environment lets a `Lake` reach it."""
    return str(tmp_path / "lake")
