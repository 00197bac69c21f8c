"""Fixtures that every test may use: where the real data is, and a clean environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["taxi_platform_tests.support.emulators"]

_DEFAULT_TLC = Path(__file__).resolve().parents[2] / "shared" / "tlc"


def pytest_configure() -> None:
    """Let Ctrl-C through to what tests start: a job in a shell's background ignores it, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees none of the developer's own ``TAXI_…`` variables or Dagster instance."""
    for name in [n for n in os.environ if n.startswith(("TAXI_", "DAGSTER_")) and n != "TAXI_TLC_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tlc() -> Path:
    """Real TLC files in upstream's two layouts; ``TAXI_TLC_DIR`` says where they are."""
    folder = Path(os.environ.get("TAXI_TLC_DIR", _DEFAULT_TLC))
    if not folder.is_dir():
        pytest.skip(f"no real TLC files in {folder}: set TAXI_TLC_DIR to a folder that has them")
    return folder
