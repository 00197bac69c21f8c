"""What the stores hold, as the catalog shows it: the same looks as ``taxi status``, and what it does not print.

Belongs here: one look at lake and stores of tables, and sums over months. Does not: judging a month
(``inspection.behind``), and reading Dagster's record of checks (``orchestration.check_history``), whose values stand
here because this wing knows no Dagster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.at_once import each
from taxi_platform.inspection.pages import STORE_TITLES
from taxi_platform.inspection.status import MonthStatus, lake_to_look_at, opened_tables, statuses_in
from taxi_platform.months import TripMonth
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.lake.snapshots import Snapshot
from taxi_platform.stores.model import MartStore, TableStore

__all__ = ["Check", "Evaluation", "Evidence", "NamedMonths", "Outcome", "gathered"]

Outcome = Literal["passed", "warned", "failed", "not ended"]


@dataclass(frozen=True)
class Evaluation:
    """One time that a check was evaluated."""

    when: datetime
    outcome: Outcome
    text: str = ""
    """What it said of the months, if anything."""


@dataclass(frozen=True)
class Check:
    """A check of an asset, with what Dagster has on record of it, newest first."""

    asset: str
    name: str
    description: str
    evaluations: tuple[Evaluation, ...] = ()


@dataclass(frozen=True)
class NamedMonths:
    """A snapshot, beside the months as they are."""

    snapshot: Snapshot
    current: frozenset[TripMonth]
    """Those of its months that are now as it names them."""


@dataclass(frozen=True)
class Evidence:
    """What was found at one moment."""

    made_at: datetime
    stores: Mapping[str, str]
    """Store of tables that is on → its kind, for people."""
    statuses: Sequence[MonthStatus] = ()
    """Every month that any store has."""
    looks: Mapping[str, datetime | None] = field(default_factory=dict)
    """Dataset → when upstream was last looked at."""
    fetched: Mapping[TripMonth, str] = field(default_factory=dict)
    """Month → when its current raw version was fetched, UTC, ISO 8601."""
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Dataset → reason → rejected rows of all months; a row with two reasons counts under both."""
    mart_rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Store of tables → table of a mart → its rows in all months, by the store's record."""
    snapshots: Sequence[NamedMonths] = ()
    checks: Sequence[Check] = ()
    has_instance: bool = False
    """Whether there is a Dagster instance whose record of checks was read."""

    def months(self, dataset: str) -> list[MonthStatus]:
        """A dataset's months, oldest first."""
        return [status for status in self.statuses if status.dataset == dataset]


def gathered(settings: Settings, contracts: Sequence[Contract]) -> Evidence:
    """Look at every store that is on; nothing is made by looking.

    Raises:
        StoreError: a store does not answer, or is not what the settings say.
    """
    lake = lake_to_look_at(settings)
    with opened_tables(settings) as stores:
        statuses = statuses_in(lake, stores, settings, contracts)
        marts = {name: _mart_rows(store, contracts) for name, store in stores.items()}
    looked = _looked(lake, contracts)
    return Evidence(
        made_at=datetime.now(timezone.utc),
        stores={name: STORE_TITLES.get(at.kind, at.kind) for name, at in settings.tables.items()},
        statuses=statuses,
        looks={contract.dataset: lake.last_look(contract.dataset) for contract in contracts},
        fetched={
            month: raw.fetched_at
            for month, found in looked.items()
            if (raw := found.manifest.current_version) is not None
        },
        reasons={contract.dataset: _reasons(contract, looked) for contract in contracts},
        mart_rows=marts,
        snapshots=[_named(snapshot, looked) for snapshot in lake.snapshots.all() if snapshot.is_finished],
    )


def _looked(lake: Lake, contracts: Sequence[Contract]) -> Mapping[TripMonth, MonthInLake]:
    return each(lake.look, [month for contract in contracts for month in lake.months(contract.dataset)])


def _named(snapshot: Snapshot, looked: Mapping[TripMonth, MonthInLake]) -> NamedMonths:
    current = (
        kept.month
        for kept in snapshot.months
        if kept.month in looked and kept.is_current_in(looked[kept.month].manifest)
    )
    return NamedMonths(snapshot, frozenset(current))


def _reasons(contract: Contract, looked: Mapping[TripMonth, MonthInLake]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for month, there in looked.items():
        if month.dataset == contract.dataset and there.clean is not None:
            found.update(there.clean.facts.reasons)
    return found


def _mart_rows(store: TableStore | None, contracts: Sequence[Contract]) -> Mapping[str, int]:
    """By the name of the mart's own table for the dataset."""
    found: Counter[str] = Counter()
    if store is None or not isinstance(store, MartStore):
        return found
    for contract in contracts:
        for marts in store.held_marts(contract).values():
            found.update({f"{contract.dataset}_{name}": mart.rows for name, mart in marts.items()})
    return found
