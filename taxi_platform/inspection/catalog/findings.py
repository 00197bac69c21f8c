"""What was found in the stores, as text for the catalog's pages: months, freshness, rows, reasons and checks.

Belongs here: sums over the evidence, and how they are said. Does not: finding anything out (``evidence``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.catalog.drawing import bars
from taxi_platform.inspection.catalog.evidence import Check, Evidence, Outcome
from taxi_platform.inspection.catalog.relations import Group, Relation
from taxi_platform.inspection.pages import count
from taxi_platform.inspection.status import MonthStatus
from taxi_platform.months import TripMonth, month_label

__all__ = [
    "checks",
    "dataset",
    "head",
    "history",
    "listed",
    "months",
    "quarantine",
    "rows",
    "rows_of_own_tables",
    "snapshots",
]

PageOf = Callable[[str, str], str | None]
"""Dataset and month → the link to the month's report, if there is one."""

_NONE = "-"
_LEAST_SHARE = 0.0001
_IN_LAKE = 3
"""The first numbers of a month: raw, trips and quarantine are the lake's."""
_SIGNS: dict[Outcome, str] = {"passed": "✓", "warned": "!", "failed": "✗", "not ended": "·"}


def head(evidence: Evidence) -> list[tuple[str, str, str]]:
    """The numbers at the head of the index: name, number, what to know of it."""
    statuses = [status for status in evidence.statuses if status.trips_rows is not None]
    if not statuses:
        return [("Months", "0", "no months yet: taxi run brings them")]
    newest = max(statuses, key=lambda status: status.file_month)
    rejected = sum(status.quarantined_rows or 0 for status in statuses)
    return [
        ("Trips", count(sum(status.trips_rows or 0 for status in statuses)), f"and {count(rejected)} in quarantine"),
        ("Months", count(len(evidence.statuses)), _states(evidence.statuses)),
        ("Newest month", month_label(newest.file_month), f"of {newest.dataset}"),
    ]


def dataset(contract: Contract, evidence: Evidence, page_of: PageOf) -> dict[str, Any]:
    """A dataset in some lines."""
    found = evidence.months(contract.dataset)
    pages = [(label, page) for s in found if (page := page_of(s.dataset, label := month_label(s.file_month)))]
    month, page = pages[-1] if pages else ("", None)
    trips = sum(status.trips_rows or 0 for status in found)
    look = evidence.looks.get(contract.dataset)
    label = f"{month_label(found[0].file_month)} to {month_label(found[-1].file_month)}" if found else ""
    return {
        "name": contract.dataset,
        "title": _capital(contract.title),
        "table": contract.trips.name,
        "description": contract.description,
        "months": f"{label} · {_of(len(found), 'month')} · {count(trips)} trips" if found else "No months yet.",
        "state": f"{_capital(_states(found))}." if found else f"Published from {contract.first_month:%Y-%m} on.",
        "looked": f"Upstream last looked at {look:%Y-%m-%d %H:%M} UTC." if look else "",
        "bars": bars([(month_label(status.file_month), status.trips_rows or 0) for status in found]),
        "page": page,
        "page_month": month,
    }


def months(
    contracts: Sequence[Contract], evidence: Evidence, page_of: PageOf
) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of the columns of numbers, and each dataset that has months, with a row for each."""
    marts = list(_mart_layers(evidence))
    names = ["Raw", "Trips", "Quarantined", *evidence.stores.values()]
    names += [f"Marts, {evidence.stores[name.removesuffix('_marts')]}" for name in marts]
    found = []
    for contract in contracts:
        statuses = evidence.months(contract.dataset)
        if statuses:
            lines = [_month(status, evidence, marts, page_of) for status in reversed(statuses)]
            layers = _layers(statuses, evidence, marts, names)
            found.append({**dataset(contract, evidence, page_of), "rows": lines, "layers": layers})
    return names, found


def snapshots(evidence: Evidence) -> list[tuple[str, str, str, str, str]]:
    """Each snapshot: name, when it was made, its months, how many of them are as it names them now, digest."""
    return [
        (
            named.snapshot.name,
            named.snapshot.made_at[:16].replace("T", " "),
            count(len(named.snapshot.months)),
            count(len(named.current)),
            named.snapshot.digest,
        )
        for named in evidence.snapshots
    ]


def rows(relation: Relation, evidence: Evidence) -> list[tuple[str, str]]:
    """Where the table's rows are, and how many; empty where no record says so."""
    if relation.group is Group.MARTS:
        sums = {name: sum(found.get(own, 0) for own in relation.tables) for name, found in evidence.mart_rows.items()}
        return [(evidence.stores[name], count(total)) for name, total in sums.items() if total]
    statuses = [status for status in evidence.statuses if status.dataset in relation.datasets]
    if not statuses or relation.group not in _ROWS:
        return []
    found = [("lake", count(sum(_ROWS[relation.group](status) or 0 for status in statuses)))]
    if relation.group in (Group.TRIPS, Group.UNIFIED):
        for name, title in evidence.stores.items():
            found.append((title, count(sum(status.table_rows.get(name) or 0 for status in statuses))))
    return found[1:] if relation.group is Group.UNIFIED else found


_ROWS: dict[Group, Callable[[MonthStatus], int | None]] = {
    Group.RAW: lambda status: status.raw_rows,
    Group.TRIPS: lambda status: status.trips_rows,
    Group.UNIFIED: lambda status: status.trips_rows,
    Group.QUARANTINE: lambda status: status.quarantined_rows,
}


def rows_of_own_tables(relation: Relation, evidence: Evidence) -> list[tuple[str, list[str]]]:
    """Each dataset's table of a mart, with its rows in each store."""
    return [
        (name, [_number(evidence.mart_rows.get(store, {}).get(name)) for store in evidence.stores])
        for name in relation.tables
    ]


def quarantine(contract: Contract, evidence: Evidence) -> dict[str, Any]:
    """A dataset's reasons, with their rows in all months, most frequent first."""
    found, statuses = evidence.reasons.get(contract.dataset, {}), evidence.months(contract.dataset)
    raw, rejected = (
        sum(getattr(status, f"{name}_rows") or 0 for status in statuses) for name in ("raw", "quarantined")
    )
    said = f"{count(rejected)} of {count(raw)} raw records, {_share(rejected, raw)}." if statuses else "no months yet."
    meanings = contract.reason_descriptions
    listed_reasons = sorted({**dict.fromkeys(meanings, 0), **found}.items(), key=lambda item: -item[1])
    return {
        "name": contract.dataset,
        "title": _capital(contract.title),
        "quarantine": contract.quarantine.name,
        "text": said,
        "has_months": bool(statuses),
        "reasons": [(name, count(n), _share(n, raw), meanings.get(name, "")) for name, n in listed_reasons],
    }


def history(evidence: Evidence) -> str:
    """A sentence about where the history of checks comes from."""
    if not evidence.has_instance:
        return "There is no Dagster instance in the data root, and so no history of checks: a run makes one."
    signs = ", ".join(f"{sign} {outcome}" for outcome, sign in _SIGNS.items())
    return f"The newest evaluations of each check, by Dagster's own record: {signs}."


def checks(evidence: Evidence, *, were_evaluated: bool) -> list[tuple[str, list[dict[str, Any]]]]:
    """Asset → its checks, of assets with a check that was evaluated, or of the others."""
    by_asset = {asset: list(found) for asset, found in groupby(evidence.checks, lambda check: check.asset)}
    return [
        (asset, [_check(check) for check in found])
        for asset, found in by_asset.items()
        if any(check.evaluations for check in found) is were_evaluated
    ]


def listed(names: Sequence[str]) -> str:
    """Names as a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _check(check: Check) -> dict[str, Any]:
    last = check.evaluations[0] if check.evaluations else None
    outcomes = Counter(evaluation.outcome for evaluation in check.evaluations)
    return {
        "name": check.name,
        "description": check.description,
        "last": f"{_SIGNS[last.outcome]} {last.outcome}" if last else "never evaluated",
        "css": _css(last.outcome) if last else "quiet",
        "when": f"{last.when:%Y-%m-%d %H:%M}" if last else _NONE,
        "text": last.text if last else "",
        "before": [
            (_SIGNS[each.outcome], _css(each.outcome), f"{each.outcome}, {each.when:%Y-%m-%d %H:%M}")
            for each in check.evaluations
        ],
        "counted": ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()) or "none",
    }


def _css(outcome: Outcome) -> str:
    return "quiet" if outcome == "not ended" else outcome


def _month(status: MonthStatus, evidence: Evidence, marts: Iterable[str], page_of: PageOf) -> dict[str, Any]:
    label, fetched = month_label(status.file_month), evidence.fetched.get(TripMonth(status.dataset, status.file_month))
    more = [status.refused] if status.refused else [f"{layer} {gap}" for layer, gap in status.behind.items()]
    return {
        "label": label,
        "page": page_of(status.dataset, label),
        "numbers": [_number(number) for number in _counted(status, evidence, marts)],
        "state": status.state + (", an earlier version was selected" if status.is_selected else ""),
        "more": "; ".join(filter(None, more)),
        "fetched": fetched[:10] if fetched else _NONE,
        "snapshots": ", ".join(
            named.snapshot.name
            for named in evidence.snapshots
            if TripMonth(status.dataset, status.file_month) in named.current
        ),
    }


def _counted(status: MonthStatus, evidence: Evidence, marts: Iterable[str]) -> list[int | None]:
    in_tables = [status.table_rows.get(name) for name in evidence.stores]
    return [
        status.raw_rows,
        status.trips_rows,
        status.quarantined_rows,
        *in_tables,
        *(status.mart_rows.get(name) for name in marts),
    ]


def _layers(
    statuses: Sequence[MonthStatus], evidence: Evidence, marts: Sequence[str], names: Sequence[str]
) -> list[tuple[str, str, str, str]]:
    """Where the dataset is, its newest month there, how many months and how many rows."""
    lines = []
    for place, name in enumerate(names):
        there = [
            (s.file_month, number) for s in statuses if (number := _counted(s, evidence, marts)[place]) is not None
        ]
        newest = month_label(max(there)[0]) if there else _NONE
        where = name if place >= _IN_LAKE else f"{name}, in the lake"
        lines.append((where, newest, count(len(there)), count(sum(number for _, number in there))))
    return lines


def _mart_layers(evidence: Evidence) -> list[str]:
    """Layers of marts that are on."""
    on = {name for status in evidence.statuses for name in status.mart_rows if name not in status.off}
    return [f"{name}_marts" for name in evidence.stores if f"{name}_marts" in on]


def _states(statuses: Sequence[MonthStatus]) -> str:
    states = Counter(status.state for status in statuses)
    if states.keys() == {"whole"}:
        return "all whole in every store"
    return ", ".join(f"{number} {state}" for state, number in states.most_common())


def _of(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _number(value: int | None) -> str:
    return _NONE if value is None else count(value)


def _share(part: float, whole: float) -> str:
    """In percent; what is there is never 0."""
    if not whole or not part:
        return _NONE
    return f"{part / whole:.2%}" if part / whole >= _LEAST_SHARE else f"<{_LEAST_SHARE:.2%}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
