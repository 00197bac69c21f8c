"""All parts of the torture in a row, and their counts.

Belongs here: which part tries what, side by side in how many processes, and the count. Does not: how one trial goes.
"""

from __future__ import annotations

import gc
import importlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from taxi_platform_tests.torture.forks import start

__all__ = ["PARTS", "Part", "Plan", "Report", "chosen", "run", "side_by_side"]

T = TypeVar("T")
_IMPORTED = (
    "duckdb",
    "hypothesis",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pgpq",
    "psycopg",
    "pyproj",
    "shapefile",
    "shapely",
    "taxi_platform.cleaning.splitting",
    "taxi_platform.ingest.conversion",
    "taxi_platform.ingest.readable",
    "taxi_platform.ingest.upstream_parquet",
    "taxi_platform.stores.duckdb.lake_views",
)
"""What every fork would import by itself."""


@dataclass(frozen=True)
class Plan:
    """What is to be tried."""

    folder: Path
    one_in: int
    inputs: int
    seed: int
    jobs: int
    parts: Sequence[str] = ()


@dataclass
class Part:
    """The counts of one part."""

    name: str
    boundaries: int = 0
    """Calls and messages that were recorded."""
    trials: int = 0
    kills: int = 0
    inputs: int = 0
    steps: int = 0
    hangs: int = 0
    deceived: int = 0
    unrepaired: int = 0
    left: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Kind of fault → how often."""
    ends: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    """Kind of call → how many were recorded."""
    defects: list[str] = field(default_factory=list)
    """What was found, told with all that is needed to try it again."""
    seconds: float = 0.0


@dataclass
class Report:
    """What came of it all."""

    plan: Plan
    parts: list[Part] = field(default_factory=list)

    @property
    def defects(self) -> list[str]:
        return [f"{part.name}: {defect}" for part in self.parts for defect in part.defects]

    @property
    def kinds(self) -> int:
        """Kinds of fault: one for each part and way."""
        return sum(len(part.faults) for part in self.parts)

    def sum(self, count: str) -> int:
        return sum(getattr(part, count) for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        totals = {name: self.sum(name) for name in ("trials", "kills", "inputs", "steps", "hangs", "deceived")}
        return {**totals, "kinds": self.kinds, "parts": [vars(part) for part in self.parts], "defects": self.defects}


PARTS = ("disk", "postgres", "machine", "hostile")
"""Modules beside this one, each with ``run(plan, say) -> list[Part]``."""


def run(plan: Plan, say: Callable[[str], object]) -> Report:
    """Every chosen part."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # else every fork's collector would copy the pages that it was given
    report = Report(plan)
    for name in plan.parts or PARTS:
        module = importlib.import_module(f"{__package__}.{name}")
        started = time.monotonic()
        for part in module.run(plan, say):
            report.parts.append(part)
            for defect in part.defects[:20]:
                say(f"!! {part.name}: {defect}")
        say(f"{name}: {time.monotonic() - started:.0f} s")
    return report


def chosen(items: Iterable[T], plan: Plan, salt: str) -> list[T]:
    """One in so many of them, the same ones for the same seed."""
    everything = list(items)
    chance = random.Random(f"{plan.seed} {salt}")
    chance.shuffle(everything)
    return everything[: max(1, len(everything) // plan.one_in)]


def side_by_side(
    items: Sequence[T], plan: Plan, work: Callable[[Sequence[T], Path], Any], seconds: float
) -> Iterator[Any]:
    """Deal the items to so many forks; yields what each returns.

    Args:
        items: to be worked on.
        plan: how many at once, and below which folder each has its own.
        work: gets a fork's items and its folder.
        seconds: the longest a fork may take.
    """
    hands = [items[number :: plan.jobs] for number in range(plan.jobs)]
    forks = [
        start(partial(work, hand, plan.folder / f"hand{number}"), quiet=False)
        for number, hand in enumerate(hands)
        if hand
    ]
    for fork in forks:
        yield fork.end(seconds).known()
