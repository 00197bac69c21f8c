"""``taxi verify-upstream``: the headers of every published month against the contracts, as a table or as JSON.

Belongs here: which months, and the JSON. Does not: looking (``inspection.verification``) and the table (``report``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from taxi_platform.cli.report import print_upstream
from taxi_platform.cli.running import named_contracts
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import SettingsError
from taxi_platform.inspection.verification import verify
from taxi_platform.months import add_months, month_label, parse_month_range
from taxi_platform.settings import Settings
from taxi_platform.sources import open_published
from taxi_platform.sources.layouts import DTC, DTC_MONTHS

if TYPE_CHECKING:
    from taxi_platform.inspection.verification import MonthReport

__all__ = ["verify_upstream"]


def verify_upstream(settings: Settings, datasets: str | None, months: str | None, *, as_json: bool) -> int:
    """Look and print; returns the exit code: 1 where anything is not as the contracts know it."""
    published = open_published(settings.source, settings.source_url)
    contracts = named_contracts(datasets) if datasets is not None else list(CONTRACTS.values())
    today = date.today()  # noqa: DTZ011 - a day more or less makes no month late
    wanted = [(contract, _months(contract, months, settings, today)) for contract in contracts]
    if not any(days for _, days in wanted):
        first = min(contracts, key=lambda contract: contract.first_month)
        raise SettingsError(
            f"no month of {months} is published of these datasets: {first.dataset} begins with "
            f"{month_label(first.first_month)}, and the last month that is over is the last there can be"
        )
    reports = verify(published, wanted, today)
    if as_json:
        click.echo(json.dumps(_as_json(published.name, reports), indent=2))
    else:
        print_upstream(reports)
    return 0 if all(report.is_fine for report in reports) else 1


def _months(contract: Contract, months: str | None, settings: Settings, today: date) -> list[date]:
    """The chosen months, from the dataset's first to the last complete one.

    By default all that the source should have.
    """
    last = add_months(today.replace(day=1), -1)
    if months is not None:
        return [day for day in parse_month_range(months) if contract.first_month <= day <= last]
    count = (last.year - contract.first_month.year) * 12 + last.month - contract.first_month.month + 1
    days = (add_months(contract.first_month, back) for back in range(count))
    return [day for day in days if settings.source != DTC.name or day in DTC_MONTHS]


def _as_json(source: str, reports: Sequence[MonthReport]) -> dict[str, object]:
    counts = Counter(report.state.value for report in reports)
    return {"source": source, "states": dict(counts), "months": [report.to_json() for report in reports]}
