"""Asset checks: whether stored months are what they claim to be.

Belongs here: what each check finds in the months of a run. Checks are not partitioned: partitioned checks are a preview
in Dagster 1.13, and after a run over a range they stay planned for ever. Does not: what a check's page shows
(``checked_months``) and the rules that judge rows (``contracts.rules``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.inspection.at_once import each
from taxi_platform.inspection.behind import table_gap
from taxi_platform.inspection.unusual_months import (
    FEWEST_MONTHS,
    NULL_POINTS,
    REASON_FACTOR,
    REASON_POINTS,
    VOLUME_FACTOR,
    History,
)
from taxi_platform.marts import marts_of
from taxi_platform.marts.zones import ZONE_HOUR_GRID
from taxi_platform.months import TripMonth, add_months
from taxi_platform.orchestration.checked_months import Finding, evaluation
from taxi_platform.orchestration.freshness import CHECK, LATE_AFTER, STALE_AFTER, judged
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.partitions import run_months
from taxi_platform.orchestration.resources import LakeResource
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.layer import StoreAt
from taxi_platform.stores.model import MartCounts

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["build_checks"]

_WARN = dg.AssetCheckSeverity.WARN
_NOT_JUDGED = "not judged"

_MOST_CODES = 100
"""The number of a column's unknown codes that are shown, the most frequent first. Free text has one per row."""


def build_checks(
    contracts: Sequence[Contract], table_stores: Sequence[str], with_marts: Sequence[StoreAt] = ()
) -> list[dg.AssetChecksDefinition]:
    """Every check of those datasets, with those stores of tables (``warehouse``, ``postgres``, …).

    Args:
        contracts: the datasets.
        table_stores: the stores of tables.
        with_marts: those of them that make marts.
    """
    checks = []
    for contract in contracts:
        checks += [_looked_after(contract), _conservation(contract), _contract_drift(contract), _unusual(contract)]
        checks += [_same_as_lake(layer, contract) for layer in table_stores]
        checks += [_marts_add_up(store, contract) for store in with_marts]
    return checks


def _looked_after(contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key("raw", contract.dataset),
        name=CHECK,
        description=(
            f"Upstream was looked at, and answered, within {LATE_AFTER.days} days (else a warning) or "
            f"{STALE_AFTER.days} days (else an error), whether it had anything new or not."
        ),
    )
    def looked_after(lake: LakeResource) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(**judged(lake.open().last_look(contract.dataset), datetime.now(timezone.utc)))

    return looked_after


def _conservation(contract: Contract) -> dg.AssetChecksDefinition:
    key = dg.AssetCheckKey(asset_key("trips", contract.dataset), "nothing_lost")

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        blocking=True,
        description="In every month, rows in the raw file = rows in trips + rows in quarantine, counted in the files.",
    )
    def nothing_lost(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        found = {}
        counted = each(lambda month: _rows(store, month), _months(context, contract, store))
        for month, rows in counted.items():
            raw, trips, quarantined = rows
            is_whole = raw is not None and trips is not None and quarantined is not None and raw == trips + quarantined
            found[month] = Finding([rows], not is_whole)
        header = ("raw", "trips", "quarantined")
        return evaluation(context, key, header, found, bad_months="months_that_do_not_add_up")

    return nothing_lost


def _rows(lake: "Lake", month: TripMonth) -> tuple[int | None, int | None, int | None]:
    """Rows in raw, trips and quarantine; 0 for each if the month is withdrawn, because only old versions remain."""
    found = lake.look(month)
    cleaned = found.clean
    if cleaned is None:
        return (0, 0, 0) if found.manifest.is_withdrawn else (found.raw_rows, None, None)
    # This may be another version than the current one, because an earlier one can be cleaned again.
    raw = found.manifest.find(cleaned.facts.raw_version)
    raw_rows = None if raw is None or lake.raw_problem(raw) else raw.rows
    return raw_rows, found.trips_rows, found.quarantined_rows


def _contract_drift(contract: Contract) -> dg.AssetChecksDefinition:
    key = dg.AssetCheckKey(asset_key("trips", contract.dataset), "contract_known")

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        description=(
            "Upstream has no column and no code that the contract does not know; text is UTF-8, times have no zone."
        ),
    )
    def contract_known(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        found = {}
        for month, looked in each(store.look, _months(context, contract, store)).items():
            drift = [] if looked.clean is None else list(_drift(looked.clean))
            found[month] = Finding(drift, bool(drift))
        header = ("column", "code", "rows")
        return evaluation(context, key, header, found, bad_months="months_with_unknowns", severity=_WARN)

    return contract_known


def _unusual(contract: Contract) -> dg.AssetChecksDefinition:
    trips = asset_key("trips", contract.dataset)
    volume = dg.AssetCheckSpec(
        "usual_volume",
        asset=trips,
        description=(
            f"A month has at most {VOLUME_FACTOR:g} times, and at least 1/{VOLUME_FACTOR:g} of, the trips of a "
            f"median month in the year before it; said where the lake has {FEWEST_MONTHS} months of that year."
        ),
    )
    nulls = dg.AssetCheckSpec(
        "usual_nulls",
        asset=trips,
        description=f"No column's share of nulls is more than {NULL_POINTS:.0%} above the median month's, likewise.",
    )

    reasons = dg.AssetCheckSpec(
        "usual_reasons",
        asset=trips,
        description=(
            f"No reason's share of the records is more than {REASON_POINTS:.0%} and {REASON_FACTOR:g} times away from "
            "the median month's, likewise."
        ),
    )

    # One step for all three, because they read the same facts.
    @dg.multi_asset_check(name=f"{contract.dataset}_unusual", specs=[volume, nulls, reasons])
    def unusual(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterable[dg.AssetCheckResult]:
        history = History(contract, lake.open())
        months = _months(context, contract, history.lake)
        history.read(months)
        yield _judged_volume(context, volume.key, history, months)
        header = ("column", "null", "in the median month of the year before")
        found = {month: _shares(history.unusual_nulls(month), 1) for month in months}
        yield _warning(context, nulls.key, header, found, history)
        header = ("reason", "rejected", "in the median month of the year before")
        found = {month: _shares(history.unusual_reasons(month), 2) for month in months}
        yield _warning(context, reasons.key, header, found, history)

    return unusual


def _judged_volume(
    context: dg.AssetCheckExecutionContext, key: dg.AssetCheckKey, history: History, months: Sequence[TripMonth]
) -> dg.AssetCheckResult:
    found = {}
    for month in months:
        facts, median = history.facts(month), history.median_trips(month)
        if facts is None:
            found[month] = Finding([])
        elif median is None:
            found[month] = Finding([(facts.trips_rows, _NOT_JUDGED)])
        else:
            is_usual = median / VOLUME_FACTOR <= facts.trips_rows <= median * VOLUME_FACTOR
            found[month] = Finding([(facts.trips_rows, f"{round(median):,}")], not is_usual)
    header = ("trips", "median month of the year before")
    return _warning(context, key, header, found, history)


def _shares(unusual: Mapping[str, tuple[float, float]], decimals: int) -> Finding:
    """A line for each share that is far from the usual one; a month with such a line fails the check."""
    lines = [(name, f"{share:.{decimals}%}", f"{usual:.{decimals}%}") for name, (share, usual) in unusual.items()]
    return Finding(lines, bool(lines))


def _warning(
    context: dg.AssetCheckExecutionContext,
    key: dg.AssetCheckKey,
    header: Sequence[str],
    found: Mapping[TripMonth, Finding],
    history: History,
) -> dg.AssetCheckResult:
    """The evaluation; if there is nothing to compare a month with, it says so."""
    not_judged = [month.label for month in found if not history.is_judged(month)]
    which = "" if len(not_judged) == len(found) else f" {', '.join(not_judged)}"
    why = f"{_NOT_JUDGED}{which}: the lake has fewer than {FEWEST_MONTHS} months of the year before"
    return evaluation(
        context,
        key,
        header,
        found,
        bad_months="unusual_months",
        severity=_WARN,
        description=why if not_judged else None,
        more={"months_not_judged": ", ".join(not_judged) or "none"},
    )


def _same_as_lake(layer: str, contract: Contract) -> dg.AssetChecksDefinition:
    key = dg.AssetCheckKey(asset_key(layer, contract.dataset), "same_as_lake")

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        required_resource_keys={"lake", layer},
        description=(
            "Every month has the rows of the lake's trips and quarantine, counted in both now, and their data version."
        ),
    )
    def same_as_lake(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        lake = context.resources.lake.open()
        months = _months(context, contract, lake)
        held = getattr(context.resources, layer).open().held_months(contract, [m.first_day for m in months])
        found = {}
        for month, there in each(lake.look, months).items():
            here = held.get(month.first_day)
            gap = table_gap(there, here)
            line = (*_counts(here.counts if here else None), *_counts(there.counts), gap or "")
            found[month] = Finding([line], bool(gap) or (here is None) != (there.counts is None))
        header = ("trips", "quarantined", "trips in the lake", "quarantined in the lake", "")
        return evaluation(context, key, header, found, bad_months="months_that_differ")

    return same_as_lake


def _marts_add_up(store: StoreAt, contract: Contract) -> dg.AssetChecksDefinition:
    key = dg.AssetCheckKey(asset_key(store.layer.marts, contract.dataset), "marts_add_up")
    marts = [mart for mart in marts_of(contract) if mart.adds_up]
    header = ("trips", *(f"trips in {mart.name}" for mart in marts), "rows of the grid", "zones in all hours", "")

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        required_resource_keys={"lake", store.layer.name},
        description=(
            "In every month, each mart has as many trips in all as the store has, counted there now, and "
            f"{ZONE_HOUR_GRID.name} has a row for every zone in every hour."
        ),
    )
    def marts_add_up(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        lake = context.resources.lake.open()
        months, zones = _months(context, contract, lake), lake.zones()
        days = [month.first_day for month in months]
        tables = getattr(context.resources, store.layer.name).open()
        held, counted = (
            tables.count_months(contract, days),
            tables.count_marts(contract, [*marts, ZONE_HOUR_GRID], days),
        )
        found = {}
        for month in months:
            trips = held.get(month.first_day, MonthCounts(0, 0)).trips
            there = counted.get(month.first_day, {})
            sums = {mart.name: there.get(mart.name, MartCounts(0, 0)).trips for mart in marts}
            grid = there.get(ZONE_HOUR_GRID.name, MartCounts(0, 0)).rows
            wanted = (zones.num_rows if zones else 0) * _hours(month) if trips else 0
            wrong = [name for name, count in sums.items() if count != trips]
            wrong += [ZONE_HOUR_GRID.name] if grid != wanted else []
            found[month] = Finding([(trips, *sums.values(), grid, wanted, ", ".join(wrong))], bool(wrong))
        return evaluation(context, key, header, found, bad_months="months_that_do_not_add_up")

    return marts_add_up


def _hours(month: TripMonth) -> int:
    return 24 * (add_months(month.first_day, 1) - month.first_day).days


def _counts(counts: MonthCounts | None) -> tuple[int | None, int | None]:
    return (counts.trips, counts.quarantined) if counts else (None, None)


def _drift(clean: CleanMonth) -> Iterable[tuple[str, str, int | None]]:
    facts = clean.facts
    if facts.decoded_rows:
        yield "(text)", "(not UTF-8, read as Windows-1252)", facts.decoded_rows
    for column in facts.unknown_columns:
        yield excerpt(column), "(column)", None
    for column, codes in facts.unknown_codes.items():
        for code, rows in Counter(codes).most_common(_MOST_CODES):
            yield column, excerpt(code), rows
    for column, zones in facts.zones.items():
        yield excerpt(column), f"(zone) {zones}", None


def _months(context: dg.AssetCheckExecutionContext, contract: Contract, lake: "Lake") -> tuple[TripMonth, ...]:
    """The months of the run; all months of the lake if the check was started without a run of its asset."""
    months = run_months(contract, context.run.tags)
    return lake.months(contract.dataset) if months is None else months
