"""What the platform's own pages have in common: the base of every page, its styles, and writing a page as a file.

Belongs here: templates that several kinds of pages extend (``base.html``, ``macros.html``), numbers as text, and whole
files. Does not: what stands on a page (``report``, ``catalog``).

A page needs nothing but itself: no network, no server, no font, no library.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import SettingsError

if TYPE_CHECKING:
    import jinja2

__all__ = ["STORE_TITLES", "count", "environment", "write_page"]

STORE_TITLES = {"duckdb": "DuckDB", "postgresql": "PostgreSQL", "postgres": "PostgreSQL", "bigquery": "BigQuery"}
"""The kind of a store of tables → its name for people; a kind that is not here is its own name."""
_LEFT_SECONDS = 3_600
"""What a killed writer left is removed when it is so old."""


def environment(folder: Path) -> jinja2.Environment:
    """Templates of that folder, over those that all pages share; what a template is given is escaped."""
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["drawn"] = Markup
    made.filters["count"] = count
    return made


def count(value: float) -> str:
    """A number for people: whole where it is whole or large."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.1f}"


def write_page(file: Path, text: str) -> None:
    """Write a file whole, with its folder: a reader has the file before or this one, also where several write it.

    Raises:
        SettingsError: nothing can be written there.
    """
    new = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for left in file.parent.glob(f".{file.name}.*"):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink(missing_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}") from error
