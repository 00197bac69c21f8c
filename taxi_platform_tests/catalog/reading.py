"""The catalog's pages as a test reads them, and what should be on them.

Belongs here: links, names and cells of tables. Does not: asserting.
"""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.catalog.relations import relations

__all__ = ["RELATIONS", "TABLES", "Page", "broken_links", "read_pages"]

RELATIONS = {relation.name: relation for relation in relations(tuple(CONTRACTS.values()))}
TABLES = {**{name: name for name in RELATIONS}, **{own: r.name for r in RELATIONS.values() for own in r.tables}}
"""Every table and view of a store → the page that it is on."""


class Page(HTMLParser):
    """A page's elements, its text, and the rows of its tables."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = file.read_text(encoding="utf-8")
        self._cell = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data

    @property
    def ids(self) -> list[str]:
        return [found for _, attributes in self.elements if (found := attributes.get("id"))]

    @property
    def links(self) -> list[str]:
        return [found for tag, attributes in self.elements if tag == "a" and (found := attributes.get("href"))]

    def row(self, first: str) -> list[str]:
        """The cells after the first, of the row that begins so."""
        [found] = [row for row in self.rows if row and row[0] == first]
        return found[1:]


def read_pages(site: Path) -> Mapping[str, Page]:
    """Path below the catalog's folder → the page."""
    return {file.relative_to(site).as_posix(): Page(file) for file in site.rglob("*.html")}


def broken_links(site: Path, pages: Mapping[str, Page]) -> list[tuple[str, str]]:
    """Page and link of every link that leads to no file, or to no name in it; others' sites are not asked."""
    known = {(site / name).resolve(): set(page.ids) for name, page in pages.items()}
    broken = []
    for name, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            file = (page.file.parent / target).resolve() if target else page.file.resolve()
            if "://" not in link and not (file.is_file() and (not anchor or anchor in known[file])):
                broken.append((name, link))
    return broken
