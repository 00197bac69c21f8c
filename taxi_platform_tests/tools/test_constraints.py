"""constraints.txt: several Pythons' answers in one file, and what the committed one must hold."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.constraints import PYTHONS, find_python, merge

ROOT = Path(__file__).resolve().parents[2]


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def _chosen(text: str, python: str) -> dict[str, str]:
    """What an installer on that Python reads."""
    chosen = {}
    for requirement in map(Requirement, _lines(text)):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            assert requirement.name not in chosen
            chosen[requirement.name] = str(requirement.specifier).removeprefix("==")
    return chosen


def test_a_version_all_agree_on_needs_no_marker() -> None:
    assert _lines(merge({"3.10": {"a": "1"}, "3.11": {"a": "1"}})) == ["a==1"]


def test_a_python_that_does_not_need_a_package_has_no_say() -> None:
    assert _lines(merge({"3.10": {"tomli": "2"}, "3.11": {}, "3.12": {}})) == ["tomli==2"]


def test_every_python_reads_its_own_version_back() -> None:
    resolved = {
        "3.10": {"numpy": "2.2", "b": "1", "odd": "1"},
        "3.11": {"numpy": "2.4", "b": "1", "odd": "2"},
        "3.12": {"numpy": "2.4", "b": "1", "odd": "1"},
        "3.13": {"numpy": "2.10", "c": "3", "odd": "2"},
    }

    merged = merge(resolved)

    assert {python: _chosen(merged, python) | versions for python, versions in resolved.items()} == {
        python: _chosen(merged, python) for python in resolved
    }
    assert _lines(merged)[2:5] == [
        'numpy==2.2 ; python_version < "3.11"',
        'numpy==2.4 ; python_version >= "3.11" and python_version < "3.13"',
        'numpy==2.10 ; python_version >= "3.13"',
    ]


def test_this_python_is_found() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert find_python(version) is not None
    assert find_python("2.99") is None


def test_the_committed_file_pins_every_direct_dependency_on_every_python() -> None:
    text = (ROOT / "constraints.txt").read_text()
    lists = re.findall(
        r"^(?:dependencies|dev) = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL
    )
    direct = [Requirement(line) for block in lists for line in re.findall(r'^  "([^"]+)"', block, re.MULTILINE)]
    assert {"dagster", "pytest", "pyarrow"} <= {requirement.name for requirement in direct}

    for python in PYTHONS:
        chosen = _chosen(text, python)
        for requirement in direct:
            if requirement.marker and not requirement.marker.evaluate({"python_version": python}):
                continue
            version = chosen.get(str(canonicalize_name(requirement.name)))
            assert version is not None, f"{requirement.name} is not pinned: run make constraints"
            assert requirement.specifier.contains(version), requirement


def test_dagster_s_packages_are_of_one_family() -> None:
    chosen = _chosen((ROOT / "constraints.txt").read_text(), "3.12")

    family = {name: version for name, version in chosen.items() if name.startswith("dagster")}
    assert {"dagster-shared", "dagster-pipes", "dagster-graphql"} <= family.keys()
    minor, patch = family["dagster"].split(".")[1:]
    assert set(family.values()) == {f"1.{minor}.{patch}", f"0.{int(minor) + 16}.{patch}"}


def test_the_committed_file_names_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text()

    assert "://" not in text
    assert "/" not in "".join(_lines(text))
    assert "--" not in "".join(_lines(text))
