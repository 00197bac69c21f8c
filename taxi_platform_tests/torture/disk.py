"""The part of the lake on disk, DuckDB and the views: every call of every walk, cut by every fault.

Belongs here: which trials, and their count. Does not: how one goes (``trials``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from taxi_platform_tests.torture.campaign import Part, Plan, chosen, side_by_side
from taxi_platform_tests.torture.forks import in_fork
from taxi_platform_tests.torture.trials import Fault, Outcome, Reference, cuts, reference, trial
from taxi_platform_tests.torture.walks import WALKS, Material, Walk, material

__all__ = ["run", "tortured"]

_HOURS = 24 * 3600.0


def run(plan: Plan, say: Callable[[str], object]) -> list[Part]:
    """Cut every walk of `WALKS`."""
    return tortured(plan, say, WALKS.values())


def tortured(plan: Plan, say: Callable[[str], object], walks: Iterable[Walk]) -> list[Part]:
    """Cut those walks; a part for each word before the colon of their names."""
    own = plan.folder / uuid.uuid4().hex[:8]
    things: Material = in_fork(partial(material, own / "material")).known()
    knowns = [reference(walk, things, own / "walks") for walk in walks]
    parts = {store: Part(store) for store in dict.fromkeys(known.walk.name.partition(":")[0] for known in knowns)}
    for known in knowns:
        part = parts[known.walk.name.partition(":")[0]]
        part.boundaries += len(known.calls)
        part.calls.update(call.name for call in known.calls)
        opened = f", {known.openings} openings" if known.openings else ""
        say(f"{known.walk.name}: {len(known.calls)} calls{opened}")
    tried = chosen([(known, *cut) for known in knowns for cut in cuts(known)], plan, " ".join(parts))
    for outcomes in side_by_side(tried, plan, partial(_tried, things), _HOURS):
        for outcome in outcomes:
            _counted(parts[outcome.walk.partition(":")[0]], outcome)
    return list(parts.values())


def _tried(things: Material, cut: Sequence[tuple[Reference, Fault, int]], folder: Path) -> list[Outcome]:
    folder.mkdir(exist_ok=True)
    return [trial(known, things, fault, number, folder) for known, fault, number in cut]


def _counted(part: Part, outcome: Outcome) -> None:
    """Add the outcome to the part."""
    part.trials += 1
    part.kills += outcome.ended == "killed"
    part.hangs += outcome.hung
    part.deceived += bool(outcome.deceived)
    part.unrepaired += bool(outcome.unrepaired)
    part.left += bool(outcome.left)
    part.faults[outcome.fault.name] += 1
    part.ends[outcome.ended] += 1
    part.defects += [
        f"{outcome.walk}, {outcome.fault.name} at {outcome.number} ({outcome.call}), {outcome.ended}: {defect}"
        for defect in outcome.defects
    ]
