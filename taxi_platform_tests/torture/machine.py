"""The part of the state machine: a month fetched, published again, withdrawn, selected, kept, restored, pruned, loaded,
in any order, killed anywhere, two at once.

Belongs here: the steps, and what holds after every one of them. Does not: single walks (``walks``). hypothesis chooses
the steps, and finds the shortest row of them that breaks a rule.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from taxi_platform.errors import TaxiError
from taxi_platform_tests.torture.campaign import Part, Plan
from taxi_platform_tests.torture.forks import Ended, in_fork, start
from taxi_platform_tests.torture.judge import State, broken_rules, state_of
from taxi_platform_tests.torture.knife import FILES, Way, arm
from taxi_platform_tests.torture.walks import (
    GREEN,
    MONTH,
    NOTHING,
    Material,
    Place,
    Step,
    bring,
    delete,
    first,
    load,
    make_marts,
    material,
    views,
    withdraw,
)

__all__ = ["run"]

_STEPS_A_ROW, _SECONDS = 8, 300.0
_KILLS = (Way.BEFORE, Way.HALF, Way.AFTER)


@dataclass(frozen=True)
class Cut:
    """Where a step is killed."""

    way: Way
    number: int


def _number(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


_CUTS = st.none() | st.builds(Cut, st.sampled_from(_KILLS), _number(45))


def run(plan: Plan, say: Callable[[str], object]) -> list[Part]:
    """A row of steps for every 250 hostile inputs that are asked for, at least three."""
    part = Part("state machine")
    things: Material = in_fork(partial(material, plan.folder / "machine")).known()
    rows = max(3, plan.inputs // 250)
    chosen = settings(
        max_examples=rows,
        stateful_step_count=_STEPS_A_ROW,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(_machine(things, part, plan.folder), settings=chosen)
    except AssertionError as error:
        part.deceived += 1
        part.defects.append("\n".join([str(error), *getattr(error, "__notes__", [])]))
    say(f"state machine: {part.steps} steps in {rows} rows")
    return [part]


def _machine(things: Material, part: Part, folder: Path) -> type[RuleBasedStateMachine]:
    truth = {clean.facts.version: (clean.facts.trips_rows, clean.facts.quarantined_rows) for clean in things.clean}
    steps: dict[str, Step] = {
        **{f"bring {number}": partial(_bring, number) for number in range(3)},
        **{f"select {number}": partial(_select, number) for number in range(3)},
        "withdraw": withdraw,
        "keep": _keep,
        "restore": _restore,
        "prune": _prune,
        "follow": _follow,
        "marts": _marts,
        "views": views,
    }

    class Month(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self._kept = tempfile.TemporaryDirectory(dir=folder)
            self.place = Place(Path(self._kept.name).resolve() / "data")
            self.place.data.mkdir()
            _done(in_fork(lambda: first(self.place, things), _SECONDS))

        @rule(name=st.sampled_from(sorted(steps)), cut=_CUTS)
        def step(self, name: str, cut: Cut | None) -> None:
            self._count(_done(in_fork(partial(_stepped, steps[name], self.place, things, cut), _SECONDS)))

        @rule(one=st.sampled_from(sorted(steps)), other=st.sampled_from(sorted(steps)), cut=_CUTS)
        def two_at_once(self, one: str, other: str, cut: Cut | None) -> None:
            forks = [
                start(partial(_stepped, steps[one], self.place, things, cut)),
                start(partial(_stepped, steps[other], self.place, things, None)),
            ]
            for ended in [fork.end(_SECONDS) for fork in forks]:
                self._count(_done(ended))
            part.faults["two at once"] += 1

        @invariant()
        def every_reader_finds_whole_months(self) -> None:
            state = in_fork(lambda: state_of(self.place), _SECONDS).known()
            assert not broken_rules(state), broken_rules(state)
            _check_truth(state, truth)

        def teardown(self) -> None:
            def reconciled() -> State:
                for step in (_clean_again, _follow, _marts, views):
                    step(self.place, things)
                return state_of(self.place)

            state = in_fork(reconciled, _SECONDS).known()
            self._kept.cleanup()
            clean = state["clean"]
            wanted = clean and (clean["version"], clean["trips"][0], clean["quarantined"])
            tables = state.get("tables")
            assert (tables and tables["recorded"]) == wanted, (tables, clean)
            marts = {version for version, _ in state.get("marts", {}).values()}
            assert marts == ({clean["version"]} if clean else set()), (marts, clean)
            assert state["views"].get("green_trips", 0) == (clean["trips"][0] if clean else 0), state["views"]

        def _count(self, how: str) -> None:
            part.steps += 1
            part.kills += how == "killed"
            part.faults[how] += 1

    return Month


def _stepped(step: Step, place: Place, things: Material, cut: Cut | None) -> str:
    """How the step ended; a refusal by a sentence is one of the ways."""
    if cut is not None:
        arm(place.data, FILES, cut.number, cut.way)
    try:
        step(place, things)
    except TaxiError:
        return "refused"
    return "done"


def _done(ended: Ended) -> str:
    if ended.signal is not None:
        return "killed"
    answer: str | None = ended.known()
    return answer or "done"


def _check_truth(state: State, truth: dict[str, tuple[int, int]]) -> None:
    """Whatever version a store names, it has the rows that this version has."""
    clean, tables = state.get("clean"), state.get("tables")
    if clean:
        assert (clean["trips"][0], clean["quarantined"]) == truth[clean["version"]], clean
    if tables and tables["recorded"]:
        assert tables["counted"] == truth[tables["recorded"][0]], tables
    for name, (version, trips) in state.get("marts", {}).items():
        assert trips in (None, truth[version][0]), (name, version, trips)


# ---- the steps that are not walks already


def _bring(number: int, place: Place, things: Material) -> None:
    bring(place, things, number)


def _select(number: int, place: Place, things: Material) -> None:
    place.lake().select_raw(MONTH, things.raw[number].raw.version)
    _clean_again(place, things)


def _clean_again(place: Place, things: Material) -> None:
    """What cleaning follows: the version that is current."""
    lake = place.lake()
    raw, clean = lake.current_raw(MONTH), lake.current_clean(MONTH)
    if raw is None:
        lake.remove_clean(MONTH)
    elif clean is None or clean.facts.raw_version != raw.version:
        lake.store_clean(next(one for one in things.clean if one.facts.raw_version == raw.version))


def _keep(place: Place, _: Material) -> None:
    snapshots = place.lake().snapshots
    if "kept" in snapshots.names() and snapshots.read("kept").is_finished:
        snapshots.delete("kept")
    snapshots.create("kept", [MONTH], "id")


def _restore(place: Place, _: Material) -> None:
    lake = place.lake()
    lake.restore(lake.snapshots.restorable("kept", MONTH))


def _prune(place: Place, _: Material) -> None:
    place.lake().pruning.remove(MONTH, NOTHING)


def _follow(place: Place, things: Material) -> None:
    (load if place.lake().current_clean(MONTH) else delete)(place, things)


def _marts(place: Place, things: Material) -> None:
    if place.warehouse().held_months(GREEN).get(MONTH.first_day):
        make_marts(place, things)
