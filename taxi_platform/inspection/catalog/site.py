"""The pages of the catalog: what stands on each, as a folder of files.

Belongs here: the list of files, and what their templates are given. Does not: months, checks and reasons as text
(``findings``), and any fact.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.inspection.catalog import findings, standard
from taxi_platform.inspection.catalog.drawing import Box, graph
from taxi_platform.inspection.catalog.evidence import Evidence
from taxi_platform.inspection.catalog.lineage import ColumnLineage, Place
from taxi_platform.inspection.catalog.relations import Group, Relation, relations
from taxi_platform.inspection.catalog.search import entries
from taxi_platform.inspection.pages import environment
from taxi_platform.marts.questions import QUESTIONS

if TYPE_CHECKING:
    import jinja2

__all__ = ["INDEX", "Reports", "Site"]

INDEX = "index.html"
_HERE = Path(__file__).parent
_PAGES = (
    ("Catalog", INDEX),
    ("Columns", "columns.html"),
    ("Lineage", "lineage.html"),
    ("Months", "months.html"),
    ("Quality", "quality.html"),
    ("Questions", "questions.html"),
)
_FILES = "files"
"""The CSS class of what upstream publishes."""


@dataclass(frozen=True)
class Reports:
    """Pages of ``taxi report`` that are there."""

    link: str
    """Their folder, as the catalog's index links to it; ends with a slash."""
    names: frozenset[str]
    """File names of the pages."""

    def page(self, dataset: str, label: str) -> str | None:
        """The link to a month's page, if there is one."""
        name = f"{dataset}-{label}.html"
        return f"{self.link}{name}" if name in self.names else None


class Site:
    """The catalog of these datasets, with what was found in the stores."""

    def __init__(self, contracts: Sequence[Contract], evidence: Evidence, reports: Reports) -> None:
        self._contracts = contracts
        self._evidence = evidence
        self._reports = reports
        self.relations = relations(contracts)
        self._lineage = ColumnLineage(self.relations, contracts)
        self._used_in: dict[str, list[str]] = defaultdict(list)
        for relation in self.relations:
            for name in relation.made_from:
                self._used_in[name].append(relation.name)
        self._documents = standard.documents(self.relations, contracts)

    def files(self) -> Iterator[tuple[str, str]]:
        """Path below the catalog's folder, and the file's text; the index is the last."""
        for name, document in self._documents.items():
            yield f"contracts/{name}", standard.written(document)
        for relation in self.relations:
            yield f"tables/{relation.name}.html", self._table(relation)
        yield "columns.html", self._rendered("columns.html", "Columns from A to Z", columns=self._by_name())
        yield "lineage.html", self._all_lineage()
        yield "months.html", self._months()
        yield "quality.html", self._quality()
        yield "questions.html", self._questions()
        yield INDEX, self._index()

    # ---- pages

    def _index(self) -> str:
        groups = [
            {
                "id": group.name.lower(),
                "title": group.title,
                "text": group.text,
                "relations": [relation for relation in self.relations if relation.group is group],
            }
            for group in Group
        ]
        return self._rendered(
            INDEX,
            "New York taxi trips: the catalog",
            head=[
                *findings.head(self._evidence),
                (
                    "Tables and views",
                    len(self.relations),
                    f"{sum(len(relation.columns) for relation in self.relations)} columns",
                ),
            ],
            datasets=[findings.dataset(contract, self._evidence, self._reports.page) for contract in self._contracts],
            groups=groups,
            contracts=list(self._documents),
            entries=entries(self.relations),
        )

    def _table(self, relation: Relation) -> str:
        numbers = [
            (number, question.title)
            for number, question in enumerate(QUESTIONS, start=1)
            if any(relation.name in _asked(answer.sql) for answer in question.answers)
        ]
        return self._rendered(
            "table.html",
            f"{relation.name}: columns",
            here=f"tables/{relation.name}.html",
            relation=relation,
            group={"id": relation.group.name.lower(), "title": relation.group.title},
            used_in=self._used_in[relation.name],
            rows=findings.rows(relation, self._evidence),
            own=findings.rows_of_own_tables(relation, self._evidence),
            stores=list(self._evidence.stores.values()),
            questions=numbers,
            contract=self._document_of(relation),
            drawing=self._neighbourhood(relation),
            columns=[self._column(relation, column) for column in relation.columns],
        )

    def _column(self, relation: Relation, column: Column) -> dict[str, Any]:
        place = Place(relation.name, column.name)
        return {
            "name": column.name,
            "type": column.type.name.lower().replace("_", " "),
            "unit": column.unit,
            "never_null": not column.nullable,
            "description": column.description,
            "codes": list(column.codes.items()),
            "sources": self._lineage.sources(place),
            "uses": self._lineage.uses(place),
            "steps": list(self._lineage.steps(place)),
            "types": _types(relation, column.type),
            "upstream": column.spellings,
            "required": "" if column.required.is_never else f"required {column.required}",
            "source": column.source,
        }

    def _all_lineage(self) -> str:
        shown = [
            relation
            for relation in self.relations
            if relation.group is not Group.RECORDS
            and (relation.made_from or relation.files or self._used_in[relation.name])
        ]
        groups = [(group.title, group.name.lower()) for group in Group if group is not Group.RECORDS]
        return self._rendered(
            "lineage.html",
            "Lineage",
            drawing=self._drawn(shown, "tables/", "All tables, from upstream's files to views"),
            keys=[("Upstream's files", _FILES), *groups],
            relations=self.relations,
        )

    def _months(self) -> str:
        names, found = findings.months(self._contracts, self._evidence, self._reports.page)
        snapshots = findings.snapshots(self._evidence)
        return self._rendered("months.html", "Months", columns=names, datasets=found, snapshots=snapshots)

    def _quality(self) -> str:
        return self._rendered(
            "quality.html",
            "Quality",
            datasets=[findings.quarantine(contract, self._evidence) for contract in self._contracts],
            history=findings.history(self._evidence),
            evaluated=findings.checks(self._evidence, were_evaluated=True),
            others=findings.checks(self._evidence, were_evaluated=False),
        )

    def _questions(self) -> str:
        names = {relation.name for relation in self.relations}
        questions = [
            {
                "title": question.title,
                "answers": [
                    {
                        "note": answer.note,
                        "sql": answer.sql,
                        "tables": [name for name in _asked(answer.sql) if name in names],
                    }
                    for answer in question.answers
                ],
            }
            for question in QUESTIONS
        ]
        return self._rendered("questions.html", "Ten questions", questions=questions)

    # ---- parts of pages

    def _by_name(self) -> list[tuple[str, list[tuple[str, list[str]]]]]:
        """Column name → its meanings, with the tables in which it has them."""
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for relation in self.relations:
            for column in relation.columns:
                found[column.name][column.description].append(relation.name)
        return [(name, list(found[name].items())) for name in sorted(found, key=lambda name: (name.lower(), name))]

    def _document_of(self, relation: Relation) -> str | None:
        owners = {
            table: contract.dataset
            for contract in self._contracts
            for table in (contract.trips.name, contract.quarantine.name)
        }
        name = f"{owners.get(relation.name, relation.name)}.yaml"
        return name if name in self._documents else None

    def _neighbourhood(self, relation: Relation) -> str:
        """The table with those it is made from and those made from it; nothing for a table that stands alone."""
        near = {*relation.made_from, *self._used_in[relation.name]}
        if not near and not relation.files:
            return ""
        others = [other for other in self.relations if other.name in near]
        own = [(name, relation.name) for name in relation.made_from]
        own += [(relation.name, name) for name in self._used_in[relation.name]]
        return self._drawn([relation, *others], "", f"Lineage of {relation.name}", only=own)

    def _drawn(
        self, shown: Iterable[Relation], links: str, label: str, only: Iterable[tuple[str, str]] | None = None
    ) -> str:
        """Tables with the files of upstream that they are published in.

        Args:
            shown: the tables.
            links: what a link to a table begins with.
            label: of the drawing.
            only: arrows between tables, where not all of them are drawn.
        """
        tables = list(shown)
        files = {
            file: relation.name for relation in (tables if only is None else tables[:1]) for file in relation.files
        }
        boxes = [Box(file, None, _FILES) for file in files]
        boxes += [Box(each.name, f"{links}{each.name}.html", each.group.name.lower()) for each in tables]
        arrows = [(name, each.name) for each in tables for name in each.made_from] if only is None else list(only)
        return graph(boxes, [*files.items(), *arrows], label)

    @cached_property
    def _environment(self) -> jinja2.Environment:
        return environment(_HERE)

    def _rendered(self, template: str, title: str, *, here: str | None = None, **given: Any) -> str:
        root = "../" * (here or template).count("/")
        link = f"{root}{self._reports.link}{INDEX}" if INDEX in self._reports.names else None
        common: Mapping[str, Any] = {
            "title": title,
            "pages": _PAGES,
            "here": here or template,
            "root": root,
            "report": link,
            "made_at": f"{self._evidence.made_at:%Y-%m-%d %H:%M} UTC",
            "looked_at": findings.listed(["the lake", *self._evidence.stores.values()]),
            "script": (_HERE / "catalog.js").read_text(encoding="utf-8"),
        }
        return self._environment.get_template(template).render(**common, **given)


def _asked(sql: str) -> list[str]:
    """The tables that a query names."""
    return list(dict.fromkeys(re.findall(r"\btaxi\.(\w+)", sql)))


def _types(relation: Relation, kind: ColumnType) -> list[tuple[str, str]]:
    if relation.has_types_of_files:
        return [("Read as", kind.arrow)]
    repeated = ", repeated" if kind is ColumnType.TEXT_LIST else ""
    return [
        ("DuckDB", kind.duckdb),
        ("PostgreSQL", kind.postgres),
        ("BigQuery", kind.bigquery + repeated),
        ("Arrow, Parquet", kind.arrow),
    ]
