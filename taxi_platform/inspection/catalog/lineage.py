"""Where every column comes from and where it goes, from upstream's files to the last view.

Belongs here: the arrows between columns, from the contracts and from the origins on record of marts
(``marts.queries.origins``). Does not: drawing them (``drawing``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES, ZONES
from taxi_platform.inspection.catalog.relations import Group, Relation, raw_name, upstream_names
from taxi_platform.marts import MARTS
from taxi_platform.marts.model import DATASET, Mart
from taxi_platform.marts.queries import origins

__all__ = ["ColumnLineage", "Place"]

_LOCATED = "derived_"
"""What the trips' columns begin with that have a zone from coordinates; ``taxi.trips`` has both in one column."""


class Place(NamedTuple):
    """A column of a relation."""

    relation: str
    column: str


class ColumnLineage:
    """The arrows between the columns of these relations."""

    def __init__(self, relations: Sequence[Relation], contracts: Sequence[Contract]) -> None:
        known = {Place(relation.name, column.name) for relation in relations for column in relation.columns}
        found: dict[Place, list[Place]] = defaultdict(list)
        for place, source in (*_of_datasets(contracts), *_of_marts(relations), *_of_zones()):
            if place in known and source in known and source not in found[place]:
                found[place].append(source)
        self._sources: Mapping[Place, Sequence[Place]] = found
        self._uses: dict[Place, list[Place]] = defaultdict(list)
        for place, sources in found.items():
            for source in sources:
                self._uses[source].append(place)

    def sources(self, place: Place) -> Sequence[Place]:
        """The columns that its values are made from, one step back."""
        return self._sources.get(place, ())

    def uses(self, place: Place) -> Sequence[Place]:
        """The columns that are made from it, one step on."""
        return self._uses.get(place, ())

    def steps(self, place: Place) -> Iterator[Sequence[Place]]:
        """The columns before it, step by step, back to upstream's files; one that is met again is left out."""
        met, last = {place}, [place]
        while last:
            step = list(dict.fromkeys(source for each in last for source in self.sources(each) if source not in met))
            met.update(step)
            last = step
            if step:
                yield step


Arrow = tuple[Place, Place]
"""A column, and one that its values are made from."""


def _of_datasets(contracts: Iterable[Contract]) -> Iterator[Arrow]:
    for contract in contracts:
        trips, raw = contract.trips.name, raw_name(contract.dataset)
        for table in (trips, contract.quarantine.name):
            yield Place(table, FILE_MONTH.name), Place(raw, FILE_MONTH.name)
        for column in contract.columns:
            yield from ((Place(trips, column.name), source) for source in _read_from(column, trips, raw, contract))


def _read_from(column: Column, trips: str, raw: str, contract: Contract) -> Iterator[Place]:
    """Upstream's columns by the first way of writing them, or what cleaning computes the column from."""
    if column.derived_from:
        yield from (Place(trips, name) for name in column.derived_from)
        yield Place(ZONE_SHAPES.name, "geometry")
        return
    names = upstream_names(contract)
    yield from (Place(raw, names[name][0]) for name in column.known_as)


def _of_marts(relations: Iterable[Relation]) -> Iterator[Arrow]:
    marts = {mart.name: mart for mart in MARTS}
    quarantines = [relation.name for relation in relations if relation.group is Group.QUARANTINE]
    for name, columns in origins().items():
        mart = marts.get(name)
        for column, sources in (*columns.items(), *(_added(mart) if mart else ())):
            for source in sources:
                relation, _, of = source.partition(".")
                if relation == "quarantine":
                    yield from ((Place(name, column), Place(quarantine, of)) for quarantine in quarantines)
                else:
                    is_located = relation == "trips" and name in marts
                    yield Place(name, column), Place(relation, of.removeprefix(_LOCATED) if is_located else of)


def _added(mart: Mart) -> Iterator[tuple[str, Sequence[str]]]:
    """The columns that every mart has before those of its SELECT."""
    yield from ((name, [f"{mart.reads[0]}.{name}"]) for name in (DATASET.name, FILE_MONTH.name))


def _of_zones() -> Iterator[Arrow]:
    """Centre and area are measured on the shapes; the rest is of the lookup."""
    for column in MAPPED_ZONES.columns[len(ZONES.columns) :]:
        if column.unit:
            yield Place(MAPPED_ZONES.name, column.name), Place(ZONE_SHAPES.name, "geometry")
