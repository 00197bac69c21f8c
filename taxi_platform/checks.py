"""Asset checks: is what was stored what it claims to be.

Belongs here: checks over the months of a run, one unpartitioned check each, with a table per month in metadata
(per-partition checks are a preview in Dagster 1.13 and leave rows planned for ever after a range run).
Does not: the rules that judge rows (``contracts.rules``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from taxi_platform.contracts.model import Contract
from taxi_platform.months import TripMonth
from taxi_platform.partitions import run_months
from taxi_platform.references import CleanMonth
from taxi_platform.resources import LakeResource

if TYPE_CHECKING:
    from taxi_platform.stores.lake import Lake

__all__ = ["build_checks"]


def build_checks(contracts: Sequence[Contract]) -> list[dg.AssetChecksDefinition]:
    """Every check of those datasets."""
    checks = []
    for contract in contracts:
        checks += [_conservation(contract), _contract_drift(contract)]
    return checks


def _conservation(contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["trips", contract.dataset],
        name="nothing_lost",
        blocking=True,
        description="In every month, rows in the raw file = rows in trips + rows in quarantine, counted in the files.",
    )
    def nothing_lost(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        rows, broken = [], []
        for month in _months(context, contract, store):
            raw, clean = store.count_raw(month), store.count_clean(month)
            trips, quarantined = (clean.trips, clean.quarantined) if clean else (None, None)
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


def _contract_drift(contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["trips", contract.dataset],
        name="contract_known",
        description="Upstream has no column and no code that the contract does not know.",
    )
    def contract_known(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        cleaned = (store.current_clean(month) for month in _months(context, contract, store))
        rows = [(clean.month.label, *drift) for clean in cleaned if clean is not None for drift in _drift(clean)]
        return dg.AssetCheckResult(
            passed=not rows,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"unknown": _table(("month", "column", "code", "rows"), rows)},
        )

    return contract_known


def _drift(clean: CleanMonth) -> Iterable[tuple[str, str, int | None]]:
    for column in clean.facts.unknown_columns:
        yield column, "(column)", None
    for column, codes in clean.facts.unknown_codes.items():
        for code, rows in codes.items():
            yield column, code, rows


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
