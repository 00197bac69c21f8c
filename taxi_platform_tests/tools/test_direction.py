"""Who may import whom: tests import everything, and nothing imports tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(file: Path) -> set[str]:
    """The full names of what a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("folder", ["taxi_platform", "tools", "benchmarks", "examples"])
def test_nothing_imports_tests(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    assert not [str(f) for f in files if any(name.split(".")[0] == "taxi_platform_tests" for name in imported(f))]


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_the_platform_does_without(folder: str) -> None:
    files = list((ROOT / "taxi_platform").rglob("*.py"))
    assert not [str(f) for f in files if any(name.split(".")[0] == folder for name in imported(f))]
