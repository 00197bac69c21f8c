"""Every table and view of the platform, as the catalog lists them: one entry for each that a store can have.

Belongs here: the register, made of the contracts' and marts' declarations. Does not: where single columns come from
(``lineage``), and which of the tables a store has now (``evidence``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table, normalised
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import DATASET
from taxi_platform.stores.bookkeeping import RECORDS
from taxi_platform.stores.ownership import LAKE

__all__ = ["Group", "Relation", "raw_name", "relations", "upstream_names"]


class Group(Enum):
    """A heading under which tables are listed, and what is said below it."""

    UNIFIED = ("All trips in one shape", "Begin here for questions about single trips.")
    MARTS = ("Marts", "Counted and summed by month, equal in every store to the cent. Begin here for anything else.")
    VIEWS = ("Views over marts", "Means, percentiles, shares and comparisons, computed when they are asked.")
    DIMENSIONS = ("Zones, dates and codes", "To be joined with trips and marts.")
    TRIPS = ("Trips of each dataset", "With every column that upstream publishes of it.")
    QUARANTINE = ("Quarantine", "The records that are no trips, each with its reasons.")
    RAW = ("Raw records", "As upstream published them, in the columns of each file.")
    RECORDS = ("Records of the platform", "What stands in a store, and what it was made from.")

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self.text = text


@dataclass(frozen=True)
class Relation:
    """A table or view, by the name that it has in every store."""

    name: str
    group: Group
    description: str
    columns: tuple[Column, ...]
    is_view: bool = False
    made_from: tuple[str, ...] = ()
    """Names of the relations that its rows are made from."""
    files: tuple[str, ...] = ()
    """What upstream publishes that its rows are made from, for people."""
    datasets: tuple[str, ...] = ()
    """The datasets whose rows it has; empty if it is of no dataset."""
    tables: tuple[str, ...] = ()
    """The tables, one a dataset, that a mart's view unites; each has the view's columns without ``dataset``."""
    grain: tuple[str, ...] = ()
    """Columns that tell its rows apart, where there are any."""
    cluster_by: tuple[str, ...] = ()
    has_types_of_files: bool = False
    """Whether the columns have the types of upstream's files, which changed over the years."""

    def column(self, name: str) -> Column | None:
        """The column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def raw_name(dataset: str) -> str:
    """The view over a dataset's raw months."""
    return f"raw_{dataset}"


def relations(contracts: Sequence[Contract]) -> tuple[Relation, ...]:
    """Every relation of these datasets, group by group, in the order of the groups."""
    found = [
        _unified(contracts),
        *_marts(contracts),
        *_views(contracts),
        *_dimensions(),
        *(relation for contract in contracts for relation in _dataset(contract)),
        *_records(contracts),
    ]
    groups = list(Group)
    return tuple(sorted(found, key=lambda relation: groups.index(relation.group)))


def _unified(contracts: Sequence[Contract]) -> Relation:
    made_from = (*(contract.trips.name for contract in contracts), MAPPED_ZONES.name)
    datasets = tuple(contract.dataset for contract in contracts)
    return replace(_of(UNIFIED, Group.UNIFIED), is_view=True, made_from=made_from, datasets=datasets)


def _marts(contracts: Sequence[Contract]) -> Iterator[Relation]:
    for mart in MARTS:
        suited = [contract for contract in contracts if mart.suits(contract)]
        yield replace(
            _of(mart.view, Group.MARTS),
            is_view=True,
            made_from=tuple(name for read in mart.reads for name in _named(read, suited)),
            datasets=tuple(contract.dataset for contract in suited),
            tables=tuple(mart.table(contract).name for contract in suited),
            grain=(DATASET.name, FILE_MONTH.name, *mart.key),
        )


def _named(read: str, contracts: Sequence[Contract]) -> tuple[str, ...]:
    return tuple(contract.quarantine.name for contract in contracts) if read == "quarantine" else (read,)


def _views(contracts: Sequence[Contract]) -> Iterator[Relation]:
    datasets = tuple(contract.dataset for contract in contracts)
    for view in VIEWS:
        yield replace(_of(view.view, Group.VIEWS), is_view=True, made_from=view.reads, datasets=datasets)


def _dimensions() -> Iterator[Relation]:
    yield replace(
        _of(MAPPED_ZONES, Group.DIMENSIONS), made_from=(ZONE_SHAPES.name,), files=("misc/taxi_zone_lookup.csv",)
    )
    yield replace(_of(ZONE_SHAPES, Group.DIMENSIONS), files=("misc/taxi_zones.zip",))
    for dimension in DIMENSIONS.values():
        yield _of(dimension.table, Group.DIMENSIONS)


def _dataset(contract: Contract) -> Iterator[Relation]:
    raw, dataset = raw_name(contract.dataset), (contract.dataset,)
    shapes = (ZONE_SHAPES.name,) if contract.derived else ()
    yield replace(_of(contract.trips, Group.TRIPS), made_from=(raw, *shapes), datasets=dataset)
    yield replace(_of(contract.quarantine, Group.QUARANTINE), made_from=(raw,), datasets=dataset)
    yield Relation(
        raw,
        Group.RAW,
        f"Raw {contract.dataset} records, the current version of every month in the lake, as upstream published them.",
        _raw_columns(contract),
        is_view=True,
        files=(f"{contract.dataset}_tripdata_YYYY-MM",),
        datasets=dataset,
        has_types_of_files=True,
    )


def upstream_names(contract: Contract) -> Mapping[str, tuple[str, Column]]:
    """Each name by which files have a column, `normalised` → the way of writing it that is shown, and the column."""
    found: dict[str, tuple[str, Column]] = {}
    for column in contract.columns:
        for spelling in () if column.derived_from else column.spellings or (column.name,):
            found.setdefault(normalised(spelling), (spelling, column))
    return found


def _raw_columns(contract: Contract) -> tuple[Column, ...]:
    """Every column that the contract reads from files; a file has some of them."""
    own = (Column(name, c.type, c.description, unit=c.unit) for name, c in upstream_names(contract).values())
    unparsed = Column(UNPARSED_COLUMN, ColumnType.TEXT, "The text of a record that does not fit; of CSV files only.")
    return (FILE_MONTH, *own, unparsed)


def _records(contracts: Sequence[Contract]) -> Iterator[Relation]:
    datasets = tuple(contract.dataset for contract in contracts)
    for table in RECORDS:
        yield replace(_of(table, Group.RECORDS), datasets=datasets)
    yield _of(LAKE, Group.RECORDS)


def _of(table: Table, group: Group) -> Relation:
    return Relation(table.name, group, table.description, table.columns, grain=table.key, cluster_by=table.cluster_by)
