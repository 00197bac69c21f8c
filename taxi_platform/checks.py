"""Asset checks: is what was stored what it claims to be.

Belongs here: checks over the months of a run, one unpartitioned check each, with a table per month in metadata
(per-partition checks are a preview in Dagster 1.13 and leave rows planned for ever after a range run).
Does not: the rules that judge rows (``contracts.rules``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg

from taxi_platform.contracts.model import Contract
from taxi_platform.io_managers.values import CleanMonths
from taxi_platform.references import CleanMonth
from taxi_platform.resources import LakeResource

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
        additional_ins={"trips": dg.AssetIn(key=["trips", contract.dataset], input_manager_key="lake_io")},
        description="In every month, rows in the raw file = rows in trips + rows in quarantine, counted in the files.",
    )
    def nothing_lost(trips: CleanMonths, lake: LakeResource) -> dg.AssetCheckResult:
        store = lake.open()
        rows, broken = [], []
        for clean in _opened(trips):
            raw = store.count_raw(clean.month)
            counted = store.count_clean(clean.month)
            whole = raw is not None and counted is not None and raw == counted.trips + counted.quarantined
            rows.append((clean.month.label, raw, counted and counted.trips, counted and counted.quarantined))
            if not whole:
                broken.append(clean.month.label)
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
        additional_ins={"trips": dg.AssetIn(key=["trips", contract.dataset], input_manager_key="lake_io")},
        description="Upstream has no column and no code that the contract does not know.",
    )
    def contract_known(trips: CleanMonths) -> dg.AssetCheckResult:
        rows = [(clean.month.label, *drift) for clean in _opened(trips) for drift in _drift(clean)]
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


def _opened(months: CleanMonths) -> Iterable[CleanMonth]:
    for month in months:
        with months.open(month) as clean:
            assert isinstance(clean, CleanMonth), "what lake_io loads is stored"
            yield clean


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; numbers with thousands separators, None as a hyphen."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
