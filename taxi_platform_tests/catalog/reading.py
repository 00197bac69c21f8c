"""A page of the catalog as a test reads it.

Belongs here: links, names and cells of tables. Does not: asserting.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

__all__ = ["Page"]


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
