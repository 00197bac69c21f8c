"""Asset checks: is what was stored what it claims to be.

Belongs here: checks over the months of a run, one unpartitioned check each, with a table per month in metadata
(per-partition checks are a preview in Dagster 1.13 and leave rows planned for ever after a range run).
Does not: the rules that judge rows (``contracts.rules``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.behind import table_gap
from taxi_platform.contracts.model import Contract
from taxi_platform.foreign_text import shown
from taxi_platform.history import FEWEST_MONTHS, NULL_POINTS, REASON_FACTOR, REASON_POINTS, VOLUME_FACTOR, History
from taxi_platform.keys import asset_key
from taxi_platform.months import TripMonth
from taxi_platform.partitions import run_months
from taxi_platform.references import CleanMonth
from taxi_platform.resources import LakeResource
from taxi_platform.stores.model import MonthCounts

if TYPE_CHECKING:
    from taxi_platform.stores.lake import Lake

__all__ = ["build_checks"]

_SHOWN_CODES = 100
"""Of a column's unknown codes, the most frequent; a column of free text may have as many as rows."""


def build_checks(contracts: Sequence[Contract], table_stores: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """Every check of those datasets, with those stores of tables (``warehouse``, ``postgres``)."""
    checks = []
    for contract in contracts:
        checks += [_conservation(contract), _contract_drift(contract), _unusual(contract)]
        checks += [_same_as_lake(layer, contract) for layer in table_stores]
    return checks


def _conservation(contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key("trips", contract.dataset),
        name="nothing_lost",
        blocking=True,
        description="In every month, rows in the raw file = rows in trips + rows in quarantine, counted in the files.",
    )
    def nothing_lost(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        rows, broken = [], []
        for month in _months(context, contract, store):
            raw, trips, quarantined = _rows(store, month)
            rows.append((month.label, raw, trips, quarantined))
            if raw is None or trips is None or quarantined is None or raw != trips + quarantined:
                broken.append(month.label)
        return dg.AssetCheckResult(
            passed=not broken,
            metadata={
                "months": _table(("month", "raw", "trips", "quarantined"), rows),
                "months_that_do_not_add_up": ", ".join(broken) or "none",
            },
        )

    return nothing_lost


def _rows(lake: "Lake", month: TripMonth) -> tuple[int | None, int | None, int | None]:
    """Raw, trips and quarantined; 0 each of a withdrawn month, of which only earlier versions are there."""
    found = lake.look(month)
    cleaned = found.clean
    if cleaned is None:
        return (0, 0, 0) if found.manifest.is_withdrawn else (found.raw_rows, None, None)
    # Not always of the current version: an earlier one can be cleaned again.
    raw = found.manifest.find(cleaned.facts.raw_version)
    raw_rows = None if raw is None or lake.raw_problem(raw) else raw.rows
    return raw_rows, found.trips_rows, found.quarantined_rows


def _contract_drift(contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key("trips", contract.dataset),
        name="contract_known",
        description=(
            "Upstream has no column and no code that the contract does not know; text is UTF-8, times have no zone."
        ),
    )
    def contract_known(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        cleaned = (store.look(month).clean for month in _months(context, contract, store))
        rows = [(clean.month.label, *drift) for clean in cleaned if clean is not None for drift in _drift(clean)]
        return dg.AssetCheckResult(
            passed=not rows,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"unknown": _table(("month", "column", "code", "rows"), rows)},
        )

    return contract_known


def _unusual(contract: Contract) -> dg.AssetChecksDefinition:
    trips = asset_key("trips", contract.dataset)
    volume = dg.AssetCheckSpec(
        "usual_volume",
        asset=trips,
        description=(
            f"A month has at most {VOLUME_FACTOR:g} times, and at least 1/{VOLUME_FACTOR:g} of, the trips of a "
            f"middling month in the year before it; said where the lake has {FEWEST_MONTHS} months of that year."
        ),
    )
    nulls = dg.AssetCheckSpec(
        "usual_nulls",
        asset=trips,
        description=f"No column's share of nulls is more than {NULL_POINTS:.0%} above a middling month's, likewise.",
    )

    reasons = dg.AssetCheckSpec(
        "usual_reasons",
        asset=trips,
        description=(
            f"No reason's share of the records is more than {REASON_POINTS:.0%} and {REASON_FACTOR:g} times away from "
            "a middling month's, likewise."
        ),
    )

    # One step for all: they read the same facts.
    @dg.multi_asset_check(name=f"{contract.dataset}_unusual", specs=[volume, nulls, reasons])
    def unusual(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterable[dg.AssetCheckResult]:
        history = History(contract, lake.open())
        months = _months(context, contract, history.lake)
        yield dg.AssetCheckResult(check_name=volume.name, asset_key=trips, **_judged_volume(history, months))
        yield dg.AssetCheckResult(check_name=nulls.name, asset_key=trips, **_judged_nulls(history, months))
        yield dg.AssetCheckResult(check_name=reasons.name, asset_key=trips, **_judged_reasons(history, months))

    return unusual


def _judged_volume(history: History, months: Sequence[TripMonth]) -> dict[str, Any]:
    rows: list[tuple[object, ...]] = []
    unusual: list[str] = []
    for month in months:
        facts, middling = history.facts(month), history.middling_trips(month)
        if facts is None or middling is None:
            continue
        rows.append((month.label, facts.trips_rows, round(middling)))
        if not middling / VOLUME_FACTOR <= facts.trips_rows <= middling * VOLUME_FACTOR:
            unusual.append(month.label)
    return _warning(unusual, _table(("month", "trips", "middling month of the year before"), rows))


def _judged_nulls(history: History, months: Sequence[TripMonth]) -> dict[str, Any]:
    found = {month.label: history.unusual_nulls(month) for month in months}
    rows = [
        (label, column, f"{share:.1%}", f"{usual:.1%}")
        for label, columns in found.items()
        for column, (share, usual) in columns.items()
    ]
    table = _table(("month", "column", "null", "in a middling month of the year before"), rows)
    return _warning([label for label, columns in found.items() if columns], table)


def _judged_reasons(history: History, months: Sequence[TripMonth]) -> dict[str, Any]:
    found = {month.label: history.unusual_reasons(month) for month in months}
    rows = [
        (label, reason, f"{share:.2%}", f"{usual:.2%}")
        for label, reasons in found.items()
        for reason, (share, usual) in reasons.items()
    ]
    table = _table(("month", "reason", "rejected", "in a middling month of the year before"), rows)
    warning = _warning([label for label, reasons in found.items() if reasons], table)
    not_judged = [month.label for month in months if not history.is_judged(month)]
    warning["metadata"]["months_not_judged"] = ", ".join(not_judged) or "none"
    if len(not_judged) == len(months):
        warning["description"] = f"not judged: the lake has fewer than {FEWEST_MONTHS} months of the year before"
    return warning


def _warning(unusual: Sequence[str], table: dg.MarkdownMetadataValue) -> dict[str, Any]:
    return {
        "passed": not unusual,
        "severity": dg.AssetCheckSeverity.WARN,
        "metadata": {"months": table, "unusual_months": ", ".join(unusual) or "none"},
    }


def _same_as_lake(layer: str, contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(layer, contract.dataset),
        name="same_as_lake",
        required_resource_keys={"lake", layer},
        description=(
            "Every month has the rows of the lake's trips and quarantine, counted in both now, and their data version."
        ),
    )
    def same_as_lake(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        lake = context.resources.lake.open()
        months = _months(context, contract, lake)
        held = getattr(context.resources, layer).open().held_months(contract, [m.first_day for m in months])
        rows, different = [], []
        for month in months:
            here, there = held.get(month.first_day), lake.look(month)
            gap = table_gap(there, here)
            rows.append((month.label, *_counts(here.counts if here else None), *_counts(there.counts), gap or ""))
            if gap or (here is None) != (there.counts is None):
                different.append(month.label)
        header = ("month", "trips", "quarantined", "trips in the lake", "quarantined in the lake", "")
        return dg.AssetCheckResult(
            passed=not different,
            metadata={"months": _table(header, rows), "months_that_differ": ", ".join(different) or "none"},
        )

    return same_as_lake


def _counts(counts: MonthCounts | None) -> tuple[int | None, int | None]:
    return (counts.trips, counts.quarantined) if counts else (None, None)


def _drift(clean: CleanMonth) -> Iterable[tuple[str, str, int | None]]:
    facts = clean.facts
    if facts.decoded_rows:
        yield "(text)", "(not UTF-8, read as Windows-1252)", facts.decoded_rows
    for column in facts.unknown_columns:
        yield shown(column), "(column)", None
    for column, codes in facts.unknown_codes.items():
        for code, rows in Counter(codes).most_common(_SHOWN_CODES):
            yield column, shown(code), rows
    for column, zones in facts.zones.items():
        yield shown(column), f"(zone) {zones}", None


def _months(context: dg.AssetCheckExecutionContext, contract: Contract, lake: "Lake") -> tuple[TripMonth, ...]:
    """The months of the run; all that the lake has, where the check was started by itself."""
    months = run_months(contract, context.run.tags)
    return lake.months(contract.dataset) if months is None else months


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; numbers with thousands separators, None as a hyphen."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
