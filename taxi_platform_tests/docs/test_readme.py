"""The README's promises that a look can keep: commands, variables, figures; and the index names every page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from taxi_platform.cli import main
from taxi_platform.machine.environment import variable
from taxi_platform.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()
BLOCKS = "".join(re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
MOST_LINES = 170
PEERS = {
    "Prefect flow": "Prefect flow, pandas",
    "Dagster": "stock Dagster, pandas",
    "dlt": "dlt, Arrow",
    "this platform": "this platform",
}
"""How the name of a way begins in the README → its row on the page of benchmarks."""


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.mark.parametrize("line", re.findall(r"^taxi (.+)", BLOCKS, re.MULTILINE))
def test_every_command_takes_the_options_that_are_shown(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)
    command = main.commands[name]
    options = {spelling for parameter in command.params for spelling in (*parameter.opts, *parameter.secondary_opts)}
    assert {argument for argument in arguments if argument.startswith("-")} <= options
    takes = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    assert len([argument for argument in arguments if not argument.startswith("-")]) <= len(takes)


def test_every_command_in_a_sentence_is_one() -> None:
    named = set(re.findall(r"`taxi ([a-z-]+)", README)) | set(re.findall(r"^taxi ([a-z-]+)", BLOCKS, re.MULTILINE))
    assert len(named) >= 6
    assert named <= set(main.commands)


def test_every_target_of_make_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "dev", "bench"} <= named <= targets


def test_every_variable_is_there() -> None:
    for name in Settings.model_fields:
        assert f"`{variable(name)}`" in README


def test_the_figures_of_other_ways_are_those_of_the_benchmark() -> None:
    """The table that ``make bench`` wrote, and the tables of single steps."""
    head = cells(next(line for line in README.splitlines() if "stock IO managers" in line))
    rows = {row[0]: row for row in map(cells, README.splitlines()) if len(row) == len(head)}
    of_every_way = re.search(r"<!-- bench written by make bench -->\n(.*?)<!-- end", PERFORMANCE, re.DOTALL)
    assert of_every_way is not None
    measured = {row[0]: row for row in map(cells, of_every_way[1].splitlines()) if len(row) == 7}
    compared = 0
    for place, title in enumerate(head):
        peer = next((row for start, row in PEERS.items() if title.startswith(start)), None)
        if peer is None:
            continue
        brings, cpu, largest = (rows[name][place] for name in _MEASURED)
        assert [brings, largest, cpu] == [measured[peer][1], measured[peer][4], measured[peer][6]]
        compared += 1
    assert compared == len(PEERS)


_MEASURED = ("brings", "CPU seconds, against this platform", "largest process, MiB")


@pytest.mark.parametrize(
    ("sentence", "row"),
    [
        (r"takes ([\d.]+) CPU\s+seconds and ([\d,]+) MiB", r"\| this platform \| ([\d.]+) \| [\d.]+ \| ([\d,]+) \|"),
        (r"with pandas ([\d.]+) and ([\d,]+)", r"\| pandas \| ([\d.]+) \| [\d.]+ \| ([\d,]+) \|"),
        (r"PostgreSQL\s+takes ([\d.]+) CPU", r"\| PostgreSQL, this platform \| 1,369,765 \| ([\d.]+)"),
        (r"`pandas.to_sql` ([\d.]+)", r"\| PostgreSQL, `pandas.to_sql` \| 1,369,765 \| ([\d.]+)"),
        (r"one look: ([\d.]+) times `import dagster`", r"\| a month that is unchanged[^|]*\| [\d.]+ \| ([\d.]+)"),
    ],
)
def test_the_figures_of_steps_are_those_of_their_benchmarks(sentence: str, row: str) -> None:
    said, measured = re.search(sentence, README), re.search(row, PERFORMANCE)
    assert said is not None
    assert measured is not None
    assert said.groups() == measured.groups()


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([a-z-]+\.md)", index)) == pages
    for reader in ("Analyst", "Student", "Operator", "Contributor"):
        assert re.search(rf"^## {reader}", index, re.MULTILINE)
