"""Trials: a walk that is cut at one call, what readers find then, and whether doing it again ends it.

Belongs here: the order of a trial, what was expected, and its outcome. Does not: walks, rules and faults by themselves.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taxi_platform_tests.torture.forks import Ended, in_fork
from taxi_platform_tests.torture.judge import State, broken_rules, files, state_of
from taxi_platform_tests.torture.knife import FILES, Call, Kind, Way, arm, calls, rest
from taxi_platform_tests.torture.walks import NOTHING, Material, Place, Walk

__all__ = ["FAULTS", "LINES", "Fault", "Outcome", "Reference", "cuts", "reference", "trial"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault at a call."""

    name: str
    way: Way
    code: int = 0
    kinds: Kind = FILES

    @property
    def kills(self) -> bool:
        return self.way in (Way.BEFORE, Way.HALF, Way.AFTER)


OPENINGS = Kind.MAKE | Kind.LOOK
FAULTS = (
    Fault("killed before", Way.BEFORE),
    Fault("killed in", Way.HALF),
    Fault("killed after", Way.AFTER),
    Fault("EIO", Way.REFUSE, errno.EIO),
    Fault("ENOSPC", Way.REFUSE, errno.ENOSPC),
    Fault("ENOSPC from then on", Way.REFUSE_FROM, errno.ENOSPC),
    Fault("EROFS from then on", Way.REFUSE_FROM, errno.EROFS),
    Fault("half written", Way.SHORT),
    Fault("EMFILE", Way.REFUSE, errno.EMFILE, OPENINGS),
    Fault("EACCES", Way.REFUSE, errno.EACCES, OPENINGS),
)
LINES = (
    Fault("killed before a message", Way.BEFORE, kinds=Kind.SENT),
    Fault("killed after a message", Way.AFTER, kinds=Kind.SENT),
    Fault("killed at an answer", Way.BEFORE, kinds=Kind.GOT),
    Fault("line cut before a message", Way.REFUSE, errno.EPIPE, Kind.SENT),
    Fault("answer lost", Way.LOSE, kinds=Kind.GOT),
)
"""Faults of messages to and from a server."""


@dataclass(frozen=True)
class Reference:
    """A walk that nobody cut: the states before and after it, its calls, and the files that are left at the end."""

    walk: Walk
    template: Path
    before: State
    after: State
    calls: Sequence[Call]
    openings: int
    left: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What came of one trial."""

    walk: str
    fault: Fault
    number: int
    call: str
    ended: str
    """``killed``, ``finished``, ``refused``."""
    sentence: str = ""
    deceived: Sequence[str] = ()
    """Where a reader found neither the state before nor the one after, or a rule was broken."""
    unrepaired: Sequence[str] = ()
    """What was not as it should be after the walk was done again."""
    left: Sequence[str] = ()
    """Files that nothing will ever remove."""
    hung: bool = False

    @property
    def defects(self) -> list[str]:
        return [
            *self.deceived,
            *self.unrepaired,
            *(f"left over: {name}" for name in self.left),
            *(["it hangs"] * self.hung),
        ]


@dataclass(frozen=True)
class _Verdict:
    deceived: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def reference(walk: Walk, things: Material, folder: Path) -> Reference:
    """Prepare the walk's state, walk it once, and note all that happens; raises `RuntimeError` if it fails uncut."""
    own = folder / re.sub(r"\W+", "-", walk.name)
    template, log = own / "template", own / "calls"
    template.mkdir(parents=True)
    in_fork(lambda: walk.prepare(walk.where(template), things)).known()
    copies = [walk.where(own / f"copy{number}") for number in range(2)]
    for copy in copies:
        _copied(template, copy.data)

    def walked() -> tuple[State, State, list[str]]:
        walk.ready(copies[0], things)
        before = state_of(copies[0])
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
        arm(copies[0].data, walk.kinds, log=descriptor)
        walk.do(copies[0], things)
        rest()
        after = state_of(copies[0])
        return before, after, _left(copies[0], things)

    def openings() -> int:
        arm(copies[1].data, OPENINGS)
        walk.do(copies[1], things)
        return rest()

    before, after, left = in_fork(walked).known()
    opened = in_fork(openings).known() if walk.kinds == FILES else 0
    for copy in copies:
        shutil.rmtree(copy.data)
    folder = copies[0].data
    noted = [call._replace(path=_short(call.path, folder), other=_short(call.other, folder)) for call in calls(log)]
    return Reference(walk, template, before, after, noted, opened, left)


def trial(known: Reference, things: Material, fault: Fault, number: int, folder: Path) -> Outcome:
    """Cut the walk at its n-th call by that fault, look, walk it again, and look again."""
    place = known.walk.where(folder / "trial")
    _copied(known.template, place.data)
    in_fork(lambda: known.walk.ready(place, things)).known()

    def cut() -> None:
        arm(place.data, fault.kinds, number, fault.way, fault.code)
        known.walk.do(place, things)

    def judged() -> _Verdict:
        verdict = _Verdict(deceived=list(_deceived(state_of(place), known)))
        known.walk.do(place, things)
        again = state_of(place)
        verdict.unrepaired.extend([*broken_rules(again), *_differences(again, known.after)])
        verdict.left.extend(_more(_left(place, things), known.left))
        place.forget()
        return verdict

    ended = in_fork(cut)
    judgement = in_fork(judged)
    shutil.rmtree(place.data)
    failed = f"reading it: {judgement.error or judgement}\n{judgement.details}"
    verdict = judgement.answer or _Verdict(deceived=[failed])
    return Outcome(
        known.walk.name,
        fault,
        number,
        _called(known, fault, number),
        _how(ended),
        ended.error or "",
        verdict.deceived,
        [*verdict.unrepaired, *_untyped(ended)],
        verdict.left,
        ended.hung or judgement.hung,
    )


def _called(known: Reference, fault: Fault, number: int) -> str:
    """What the cut call was when the walk was not cut."""
    if fault.kinds == FILES:
        return known.calls[number].what
    return f"{'message' if fault.kinds == Kind.SENT else 'answer' if fault.kinds == Kind.GOT else 'opening'} {number}"


def cuts(known: Reference) -> Iterator[tuple[Fault, int]]:
    """Every fault at every call that it can meet."""
    for fault in FAULTS if known.walk.kinds == FILES else LINES:
        if fault.kinds == FILES:
            for number, call in enumerate(known.calls):
                if call.name == "write" or fault.way not in (Way.HALF, Way.SHORT):
                    yield fault, number
            continue
        counted = {Kind.SENT: "send", Kind.GOT: "receive"}.get(fault.kinds)
        met = known.openings if counted is None else sum(call.name == counted for call in known.calls)
        yield from ((fault, number) for number in range(met))


def _left(place: Place, things: Material) -> list[str]:
    """The files once the lake has stored the month once more and keeps nothing for readers.

    Of DuckDB's files it is known that whoever opens one next takes what its log has.
    """
    lake = place.lake(NOTHING)
    lake.store_raw(things.raw[2])
    lake.store_clean(things.clean[2])
    return files(place)


def _deceived(state: State, known: Reference) -> Iterator[str]:
    yield from broken_rules(state)
    for layer in {**known.before, **known.after, **state}:
        found, before, after = state.get(layer), known.before.get(layer), known.after.get(layer)
        if found not in (before, after):
            yield f"{layer} is {found}, neither {before} nor {after}"


def _differences(state: State, wanted: State) -> Iterator[str]:
    for layer in {**wanted, **state}:
        if state.get(layer) != wanted.get(layer):
            yield f"{layer} is {state.get(layer)} after all, not {wanted.get(layer)}"


def _more(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    rest_of = list(wanted)
    return [name for name in found if name not in rest_of or rest_of.remove(name)]  # type: ignore[func-returns-value]


def _untyped(ended: Ended) -> list[str]:
    """An error that is no sentence of the platform's."""
    if ended.error is None or ended.error.startswith("taxi_platform.errors."):
        return []
    return [f"no sentence: {ended.error}\n{ended.details}"]


def _how(ended: Ended) -> str:
    if ended.signal == signal.SIGKILL:
        return "killed"
    if ended.error is not None:
        return "refused"
    return "hung" if ended.hung else "finished" if ended.signal is None else f"signal {ended.signal}"


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)


def _short(path: str, folder: Path) -> str:
    return path.removeprefix(f"{folder}/")
