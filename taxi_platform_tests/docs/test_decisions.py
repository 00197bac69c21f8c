"""A decision is one short file: what, why, and what was refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
MOST_LINES = 40
PLACES = (ROOT, ROOT / "taxi_platform")
"""Where a file that a decision names is looked for."""


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_a_decision_says_what_why_and_what_was_refused(decision: Path) -> None:
    lines = decision.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert [line for line in lines if line.startswith("## ")] == ["## What", "## Why", "## Refused"]
    assert all(part.strip() for part in re.split(r"^## \w+$", decision.read_text(), flags=re.MULTILINE))
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_what_a_decision_names_is_there(decision: Path) -> None:
    named = re.findall(r"`([\w/]+/(?:\w+\.py)?|\w+\.py)`", decision.read_text())
    assert [name for name in named if not any((place / name).exists() for place in PLACES)] == []


def test_architecture_lists_every_decision_by_its_title() -> None:
    listed = dict(
        re.findall(r"^\* \[(.+)\]\(decisions/(.+)\.md\)$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    )
    titles = {decision.read_text().splitlines()[0].removeprefix("# "): decision.stem for decision in DECISIONS}
    assert listed == titles
    assert len(titles) > 10
