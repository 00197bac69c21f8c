"""What every store holds of every month, counted in the store itself.

Belongs here: looking into the stores. Does not: judging (``behind``) and printing (``cli``). Counts come from the
stores, never from what a run once recorded.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Literal

from taxi_platform.contracts.contract import Contract
from taxi_platform.inspection.at_once import each
from taxi_platform.inspection.behind import kept_options, lake_gaps, marts_gap, table_gap
from taxi_platform.months import TripMonth
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.model import HeldMart, HeldMonth, MartStore, TableStore, held_open

__all__ = [
    "MonthStatus",
    "State",
    "held_months",
    "lake_to_look_at",
    "month_statuses",
    "opened_tables",
    "statuses_in",
    "strangers",
]

State = Literal["whole", "behind", "refused", "withdrawn", "under way"]

REMOTE_LOOK_SECONDS = 30.0
"""The longest wait for a remote store that does not answer: a person wants to know soon that it is down."""


@dataclass(frozen=True)
class MonthStatus:
    """One month's rows in each store; None if a store does not have the month, or is off."""

    dataset: str
    file_month: date
    raw_rows: int | None
    trips_rows: int | None
    quarantined_rows: int | None
    table_rows: Mapping[str, int | None]
    """Store of tables → its trips; every store has an entry."""
    source_etag: str | None
    raw_version: str | None = None
    """The current raw version."""
    data_version: str | None = None
    """The data version of the lake's trips."""
    behind: Mapping[str, str] = field(default_factory=dict)
    """Layer → one sentence about what it lacks, from upstream to the tables; layers that are off are left out."""
    refused: str | None = None
    """Why upstream's version is not taken. The stores then have the version before it, or nothing."""
    options: tuple[str, ...] = ()
    """The options that the trips were cleaned with."""
    off: tuple[str, ...] = ()
    """Stores of tables, and layers of marts, that are switched off."""
    mart_rows: Mapping[str, int | None] = field(default_factory=dict)
    """Layer of marts → rows in all its marts, by the store's record; every layer has an entry."""
    is_withdrawn: bool = False
    """Whether upstream has withdrawn the month, so that no store may have it."""
    is_selected: bool = False
    """Whether a person made another version current than upstream's."""
    restored_from: str | None = None
    """The snapshot whose raw version and trips the month has, because a person restored it."""
    is_under_way: bool = False
    """Whether a run that has not ended will bring the month; False if the run records were not read."""

    def to_json(self) -> dict[str, Any]:
        """The status as JSON-compatible values, as ``taxi status --json`` prints it."""
        facts = {**asdict(self), "file_month": self.file_month.isoformat(), "state": self.state}
        del facts["table_rows"], facts["mart_rows"]
        counted = {**self.table_rows, **self.mart_rows}
        rows = {f"{name}_rows": "off" if name in self.off else rows for name, rows in counted.items()}
        before = list(facts).index("source_etag")
        return dict([*list(facts.items())[:before], *rows.items(), *list(facts.items())[before:]])

    @property
    def rows(self) -> tuple[int | None, ...]:
        """Rows in the raw layer, in trips, in quarantine, and in each store of tables."""
        return (self.raw_rows, self.trips_rows, self.quarantined_rows, *self.table_rows.values())

    @property
    def state(self) -> State:
        """The state of the month in one word."""
        if self.is_under_way:
            return "under way"
        if self.refused:
            return "refused"
        if self.behind:
            return "behind"
        return "withdrawn" if self.is_withdrawn else "whole"

    @property
    def is_gone(self) -> bool:
        """Whether the month is withdrawn and no store has any of it."""
        return self.is_withdrawn and not self.behind

    @property
    def is_whole(self) -> bool:
        """Whether every store has the month in this release's versions, and raw = trips + quarantine."""
        return not (self.behind or self.refused or self.is_withdrawn)


def month_statuses(
    settings: Settings,
    contracts: Collection[Contract],
    only: Mapping[str, Collection[date]] | None = None,
    under_way: Collection[TripMonth] = (),
) -> list[MonthStatus]:
    """The status of every month that any store has, or of the months in ``only``, sorted by dataset and month.

    Args:
        settings: which stores there are; a store that is off is not looked at.
        contracts: the datasets.
        only: dataset → months to look at.
        under_way: months that a run will bring, if the caller knows.
    """
    with opened_tables(settings) as stores:
        return statuses_in(lake_to_look_at(settings), stores, settings, contracts, only, under_way)


def statuses_in(
    lake: Lake,
    stores: Mapping[str, TableStore | None],
    settings: Settings,
    contracts: Collection[Contract],
    only: Mapping[str, Collection[date]] | None = None,
    under_way: Collection[TripMonth] = (),
) -> list[MonthStatus]:
    """The same, of a lake and stores of tables that the caller has opened."""
    layers = [layer.name for layer in settings.table_layers()]
    mart_layers = [layer.marts for layer in settings.table_layers() if layer.has_marts]
    statuses: list[MonthStatus] = []
    for contract in sorted(contracts, key=lambda c: c.dataset):
        chosen = None if only is None else sorted(only.get(contract.dataset, ()))
        with held_open(stores.values()):  # and not while the lake is looked at, which may take its time
            tables = {name: held_months(store, contract, chosen) for name, store in stores.items()}
            marts = {
                name: _held_marts(stores.get(at.layer.name), contract, chosen) for name, at in settings.marts_in.items()
            }
        in_lake = [month.first_day for month in lake.months(contract.dataset)] if chosen is None else []
        days = sorted({*(chosen or ()), *in_lake, *(day for held in tables.values() for day in held)})
        for found in each(lake.look, map(contract.month, days)).values():
            held = {name: months.get(found.month.first_day) for name, months in tables.items()}
            made = {name: months.get(found.month.first_day, {}) for name, months in marts.items()}
            status = _status(contract, found, held, layers, found.month in under_way)
            statuses.append(_with_marts(contract, status, held, made, mart_layers))
    return statuses


def strangers(settings: Settings) -> list[str]:
    """One sentence for each store of tables that holds another lake's months."""
    from taxi_platform.stores.ownership import stranger

    lake = lake_to_look_at(settings)
    with opened_tables(settings) as stores:
        return [
            sentence
            for name, store in stores.items()
            if store is not None and (sentence := stranger(store, settings.tables[name].layer, lake)) is not None
        ]


def held_months(
    store: TableStore | None, contract: Contract, months: Collection[date] | None
) -> Mapping[date, HeldMonth]:
    """What a store of tables holds of each month; empty if it was never used."""
    return {} if store is None else store.held_months(contract, None if months is None else sorted(months))


def _held_marts(
    store: TableStore | None, contract: Contract, months: Collection[date] | None
) -> Mapping[date, Mapping[str, HeldMart]]:
    """What a store of tables has of each month's marts, by its record; empty if it was never used."""
    if store is None:
        return {}
    assert isinstance(store, MartStore), "its layer says so"
    return store.held_marts(contract, None if months is None else sorted(months))


def _with_marts(
    contract: Contract,
    status: MonthStatus,
    held: Mapping[str, HeldMonth | None],
    made: Mapping[str, Mapping[str, HeldMart]],
    layers: Collection[str],
) -> MonthStatus:
    """The status with what is to be said of marts."""
    tables = {name: held.get(name.removesuffix("_marts")) for name in made}
    gaps = {name: marts_gap(contract, tables[name], marts) for name, marts in made.items()}
    rows = {name: sum(mart.rows for mart in marts.values()) if marts else None for name, marts in made.items()}
    return replace(
        status,
        behind={**status.behind, **{name: gap for name, gap in gaps.items() if gap}},
        off=(*status.off, *(name for name in layers if name not in made)),
        mart_rows={name: rows.get(name) for name in layers},
    )


def _status(
    contract: Contract,
    found: MonthInLake,
    held: Mapping[str, HeldMonth | None],
    layers: Collection[str],
    is_under_way: bool,
) -> MonthStatus:
    manifest = found.manifest
    raw = manifest.current_version
    rows = {name: there.counts.trips if there else None for name, there in held.items()}
    gaps = {name: table_gap(found, there) for name, there in held.items()}
    behind = {**lake_gaps(contract, found), **{name: gap for name, gap in gaps.items() if gap}}
    return MonthStatus(
        dataset=found.month.dataset,
        file_month=found.month.first_day,
        raw_rows=found.raw_rows,
        trips_rows=found.trips_rows,
        quarantined_rows=found.quarantined_rows,
        table_rows={name: rows.get(name) for name in layers},
        source_etag=raw.etag if raw else None,
        raw_version=raw.version if raw else None,
        data_version=found.data_version,
        behind=behind,
        refused=manifest.refusal,
        options=kept_options(found.clean.facts) if found.clean else (),
        off=tuple(name for name in layers if name not in held),
        is_withdrawn=manifest.is_withdrawn,
        is_selected=manifest.is_selected,
        restored_from=manifest.restored_from,
        is_under_way=is_under_way,
    )


def lake_to_look_at(settings: Settings) -> Lake:
    """The lake for looking, which waits no longer than for a remote store of tables."""
    return Lake(settings.lake, wait_seconds=min(settings.wait_seconds, REMOTE_LOOK_SECONDS))


@contextlib.contextmanager
def opened_tables(settings: Settings) -> Iterator[Mapping[str, TableStore | None]]:
    """The opened stores of tables that are not off; None for one that was never used, so that looking makes none."""
    with contextlib.ExitStack() as stack:
        stores: dict[str, TableStore | None] = {}
        for name, store in settings.tables.items():
            at_most = REMOTE_LOOK_SECONDS if store.is_service else math.inf
            stores[name] = stack.enter_context(store.opened(at_most)) if store.is_made else None
        yield stores
