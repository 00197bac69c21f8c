"""The browser of this machine, for tests that look at pages.

Belongs here: finding it, and what becomes of a test without it. Does not: driving it (``tools.web``).
"""

from __future__ import annotations

import os

import pytest

from tools.web import find_chromium

__all__ = ["chromium_or_skip"]


def chromium_or_skip() -> str:
    """Where Chromium is; without it the test is skipped and says so, and with ``CI`` set it fails."""
    found = find_chromium()
    if found is None and os.environ.get("CI", "").lower() == "true":
        pytest.fail("there is no Chromium: apt-get install chromium")
    return found or pytest.skip("there is no Chromium: apt-get install chromium")
