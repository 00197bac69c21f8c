"""Names that users rely on stay: what ``docs/names.yaml`` has is what this tree has; nothing leaves it unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from taxi_platform import __version__
from tools.names import FILE, lost, may_lose, names, render

ROOT = Path(__file__).resolve().parents[2]


def test_the_names_are_those_of_the_file() -> None:
    now = names()
    assert not lost(yaml.safe_load(FILE.read_text()), now), "a name that users rely on has gone: see CONTRIBUTING.md"
    assert FILE.read_text() == render(now), "make names writes what is new"


def test_what_is_gone_or_has_another_type_is_told_from_what_is_new() -> None:
    columns = {"tip": "double", "fare": "double"}
    before = {"version": "0.1.0", "tables": {"trips": {"columns": columns}}, "jobs": ["a"]}
    more = {"version": "0.1.1", "tables": {"trips": {"columns": {**columns, "x": "text"}}}}
    assert lost(before, {**more, "jobs": ["b", "a"]}) == []
    other = {"tables": {"trips": {"columns": {"tip": "bigint", "fare": "double"}}}, "jobs": []}
    assert lost(before, other) == ["jobs: a", "tables: trips: columns: tip: double"]


@pytest.mark.parametrize(
    ("before", "now", "allowed"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.9", False),
        ("0.1.9", "0.2.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.0.0", "1.9.0", False),
        ("1.9.0", "2.0.0", True),
        ("0.2.0", "0.1.0", False),
    ],
)
def test_a_name_may_go_with_a_version_that_promises_less(before: str, now: str, allowed: bool) -> None:
    assert may_lose(before, now) is allowed


def test_the_version_stands_in_one_place() -> None:
    """The package says it; the build reads it there, and the newest dated section of the changelog is not beyond it."""
    assert "version" in re.findall(r"^dynamic = (.*)", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    dated = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    parts = [tuple(map(int, version.split("."))) for version in [__version__, *dated]]
    assert parts == sorted(parts, reverse=True)
