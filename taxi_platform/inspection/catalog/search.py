"""What the search of the catalog finds: an entry for each table and column.

Belongs here: the entries. Does not: ranking them, which is the page's (``catalog.js``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from taxi_platform.contracts.model import Column
from taxi_platform.inspection.catalog.relations import Group, Relation

__all__ = ["entries"]

Entry = tuple[str, str, str, str]
"""Name, link from the index, what is shown beside it, and further words that it is found by."""


def entries(relations: Sequence[Relation]) -> str:
    """Every entry as JSON that may stand in a script of a page."""
    found = [entry for relation in relations for entry in (*_tables(relation), *_columns(relation))]
    # A page ends a script at the first </, whatever the script says.
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def _tables(relation: Relation) -> Iterator[Entry]:
    link = f"tables/{relation.name}.html"
    yield relation.name, link, relation.description, relation.group.title
    yield from ((table, f"{link}#{table}", f"A table of {relation.name}.", "") for table in relation.tables)


def _columns(relation: Relation) -> Iterator[Entry]:
    if relation.group is Group.RAW:
        return  # they are found by the columns that they are read as, which have their names
    for column in relation.columns:
        link = f"tables/{relation.name}.html#{column.name}"
        yield f"{relation.name}.{column.name}", link, column.description, " ".join(_words(column))


def _words(column: Column) -> Iterable[str]:
    yield column.description
    yield from filter(None, [column.unit])
    yield from column.spellings
    yield from column.codes.values()
