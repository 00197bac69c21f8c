"""Who may import whom: the wings of the package from above to below, and nothing imports tests."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "taxi_platform"

WINGS = (
    ("definitions",),
    ("cli",),
    ("orchestration",),
    ("inspection",),
    ("settings",),
    ("stores",),
    ("cleaning", "ingest", "marts"),
    ("sources",),
    ("machine", "contracts"),
    ("references", "transience"),
    ("months",),
    ("errors",),
)
"""From above to below: each may import what stands further down, and nothing beside it or further up."""
ROOMS = {
    "orchestration": (
        ("build",),
        ("alerts",),
        ("assets",),
        ("automation", "checks"),
        ("io_managers", "freshness"),
        ("resources", "checked_months", "executor"),
        ("metadata", "columns", "partitions", "jobs", "gcp", "check_history", "workers"),
        ("keys", "betas", "interrupts", "health", "leases", "hosts"),
    ),
    "stores": (
        ("testing",),
        ("warehouse",),
        ("postgres", "duckdb", "bigquery", "ownership"),
        ("bookkeeping", "catalogue", "arrow_tables", "layer"),
        ("model",),
        ("lake",),
        ("google",),
    ),
}
"""The same within the two largest wings; ``stores`` itself, which opens them, stands above."""
MOST_PACKAGES, MOST_MODULES = 10, 6


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import of the package, those for types too."""
    return grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)


def imported(file: Path) -> set[str]:
    """The full names of what a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def children(graph: grimp.ImportGraph, package: str) -> set[str]:
    return {module for module in graph.find_children(package) if not module.endswith(".__main__")}


@pytest.mark.parametrize("package", [PACKAGE, *(f"{PACKAGE}.{wing}" for wing in ROOMS)])
def test_nothing_imports_upward(graph: grimp.ImportGraph, package: str) -> None:
    layers = ROOMS.get(package.partition(".")[2], WINGS)
    height = {f"{package}.{name}": place for place, layer in enumerate(layers) for name in layer}
    assert children(graph, package) == set(height)
    wrong = [
        f"{importer} -> {target}"
        for importer, target in arrows(graph, package)
        if height[above(importer, package)] >= height[above(target, package)]
    ]
    assert not wrong


def above(module: str, package: str) -> str:
    """The child of the package that the module is in."""
    return ".".join(module.split(".")[: package.count(".") + 2])


def arrows(graph: grimp.ImportGraph, package: str) -> list[tuple[str, str]]:
    """Importer and imported, of every import from one child of the package to another."""
    within = [module for module in graph.modules if module.startswith(f"{package}.")]
    return [
        (module, target)
        for module in sorted(within)
        for target in sorted(graph.find_modules_directly_imported_by(module))
        if target.startswith(f"{package}.") and above(module, package) != above(target, package)
    ]


def test_there_is_no_circle(graph: grimp.ImportGraph) -> None:
    packages = [m for m in graph.modules if m.split(".")[0] == PACKAGE and graph.find_children(m)]
    assert len(packages) > 10
    circles = []
    for package in sorted(packages):
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for importer, target in arrows(graph, package):
            sorter.add(above(importer, package), above(target, package))
        try:
            sorter.prepare()
        except CycleError as error:
            circles.append(error.args[1])
    assert not circles


def test_the_package_is_small_at_its_top(graph: grimp.ImportGraph) -> None:
    top = children(graph, PACKAGE)
    packages = {module for module in top if graph.find_children(module)}
    assert len(packages) <= MOST_PACKAGES
    assert len(top - packages) <= MOST_MODULES


def test_one_wing_knows_dagster(graph: grimp.ImportGraph) -> None:
    """Beside it the commands that run what it defines."""
    knowing = {above(module, PACKAGE) for module in graph.find_modules_that_directly_import("dagster")}
    assert knowing == {f"{PACKAGE}.{wing}" for wing in ("orchestration", "cli")}


def test_only_the_suite_of_stores_imports_pytest(graph: grimp.ImportGraph) -> None:
    """The package does not depend on it: nothing else of ours imports the suite."""
    suite = f"{PACKAGE}.stores.testing"
    assert graph.find_modules_that_directly_import("pytest") <= {suite, *graph.find_descendants(suite)}
    assert graph.find_upstream_modules(f"{suite}.tables")
    within = graph.find_descendants(suite) | {suite}
    assert not {m for module in within for m in graph.find_modules_that_directly_import(module)} - within


@pytest.mark.parametrize("folder", ["taxi_platform", "tools", "benchmarks", "examples"])
def test_nothing_imports_tests(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    assert not [str(f) for f in files if any(name.split(".")[0] == "taxi_platform_tests" for name in imported(f))]


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_the_platform_does_without(folder: str) -> None:
    files = list((ROOT / "taxi_platform").rglob("*.py"))
    assert not [str(f) for f in files if any(name.split(".")[0] == folder for name in imported(f))]


def test_one_module_locks_files(graph: grimp.ImportGraph) -> None:
    """The others ask it: two systems of locks know nothing of each other."""
    assert graph.find_modules_that_directly_import("fcntl") == {f"{PACKAGE}.machine.locks"}
    assert "filelock" not in graph.modules


def test_one_module_retries(graph: grimp.ImportGraph) -> None:
    assert graph.find_modules_that_directly_import("tenacity") == {f"{PACKAGE}.transience"}


def test_what_the_linter_is_told_about_security_has_its_reason() -> None:
    """A rule of bandit's that is left aside says why, and none is left aside for the whole package."""
    told = [line for file in (ROOT / PACKAGE).rglob("*.py") for line in re.findall(r"noqa: S\d+.*", file.read_text())]
    assert told
    assert [line for line in told if not re.match(r"noqa: S\d+ - \w+", line)] == []
