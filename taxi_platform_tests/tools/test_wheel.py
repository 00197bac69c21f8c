"""What is installed from a wheel or an sdist is the whole package: also the files that are not Python."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from taxi_platform_tests.support.distributions import ROOT, built


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(tmp_path_factory.mktemp("distributions"))


def test_a_wheel_has_every_file_of_the_package(distributions: tuple[Path, Path]) -> None:
    """It is made from the sdist, so the sdist has them too."""
    wheel, _ = distributions
    packed = {name: zipfile.ZipFile(wheel).read(name) for name in zipfile.ZipFile(wheel).namelist()}
    package = ROOT / "taxi_platform"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    there = {str(path.relative_to(ROOT)): path.read_bytes() for path in files}
    assert there.items() <= packed.items()
    assert {name.split("/")[0].split("-")[0] for name in packed} == {"taxi_platform"}


def test_an_sdist_says_what_was_tested_and_what_changed(distributions: tuple[Path, Path]) -> None:
    _, sdist = distributions
    with tarfile.open(sdist) as packed:
        top = {name.split("/")[1] for name in packed.getnames() if name.count("/") == 1}
        assert not [member.name for member in packed if member.issym() or member.islnk()]
    assert {"CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "SECURITY.md", "constraints.txt"} <= top
    assert "taxi_platform_tests" not in top
