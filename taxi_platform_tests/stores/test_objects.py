"""The suite of objects over ours: a folder, and an emulated bucket of each cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform.stores.lake.objects.model import Objects, open_objects
from taxi_platform.stores.testing.objects import ObjectsSuite


class TestDisk(ObjectsSuite):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return open_objects(str(tmp_path / "lake"))


class TestCloud(ObjectsSuite):
    @pytest.fixture
    def objects(self, cloud_url: str) -> Objects:
        return open_objects(cloud_url)
