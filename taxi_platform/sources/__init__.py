"""Where months come from: the public hosts, any copy in their layouts, or generated.

Belongs here: `open_source`, the one way to get a `Source`. Does not: transports, layouts and the generator (one
module each). Sources know nothing of Dagster, the lake or what is inside a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from taxi_platform.errors import SettingsError
from taxi_platform.sources.model import Download, Published, Source, Version
from taxi_platform.sources.retries import RetryPolicy

if TYPE_CHECKING:
    from taxi_platform.sources.layouts import Files, Layout

__all__ = [
    "SAMPLE_ROWS",
    "SOURCE_NAMES",
    "Download",
    "RetryPolicy",
    "Source",
    "Version",
    "open_published",
    "open_source",
]

SOURCE_NAMES = ("auto", "dtc", "tlc", "sample")
SAMPLE_ROWS = 100_000
"""Rows of a generated month by default."""


def open_source(
    name: str,
    url: str | None = None,
    *,
    sample_rows: int = SAMPLE_ROWS,
    sample_format: str = "csv.gz",
    retry: RetryPolicy | None = None,
) -> Source:
    """The source of that name; nothing is requested yet.

    Args:
        name: one of `SOURCE_NAMES`.
        url: base of a copy in the layout of ``dtc`` or ``tlc``: ``http(s)://…``, ``file://…`` or a folder.
        sample_rows: rows of a generated month, 1,000 to 20,000,000.
        sample_format: ``csv.gz`` or ``parquet``, of a generated month.
        retry: how often and how long http requests are retried.

    Raises:
        SettingsError: the name, address or option cannot be used; the sentence names the variable.
    """
    from taxi_platform.sources.layouts import DTC, TLC, PublishedSource

    if name not in SOURCE_NAMES:
        raise SettingsError(f"TAXI_SOURCE is {name!r}: it can be {', '.join(SOURCE_NAMES[:-1])} or {SOURCE_NAMES[-1]}")
    if url is not None and name not in (DTC.name, TLC.name):
        raise SettingsError(
            f"TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or tlc only, not with {name}: unset one of them"
        )
    if name == "sample":
        from taxi_platform.sources.sample import SampleSource

        return SampleSource(sample_rows, sample_format)
    dtc, tlc = (
        PublishedSource(layout, _files(layout, url or layout.public_base, retry or RetryPolicy()))
        for layout in (DTC, TLC)
    )
    if name == "auto":
        from taxi_platform.sources.auto import AutoSource

        return AutoSource(dtc, tlc)
    return dtc if name == DTC.name else tlc


def open_published(name: str, url: str | None = None) -> Published:
    """Open a source of published files; raises `SettingsError` for ``sample``, whose months are generated.

    ``name`` and ``url`` are those of `open_source`.
    """
    source = open_source(name, url)
    if name == "sample":
        raise SettingsError("generated months have no upstream to look at: set TAXI_SOURCE to auto, dtc or tlc")
    return cast("Published", source)


def _files(layout: Layout, base: str, retry: RetryPolicy) -> Files:
    """The transport for a base address."""
    parts = urlsplit(base)
    if parts.scheme in ("http", "https"):
        from taxi_platform.sources.http import HttpFiles

        return HttpFiles(_checked_url(base), layout.missing, retry)
    from taxi_platform.sources.folder import FolderFiles

    return FolderFiles(_checked_folder(base))


def _checked_url(base: str) -> str:
    parts = urlsplit(base)
    if "@" in parts.netloc:
        # The sentence does not repeat the address, because sentences end in logs and metadata.
        raise SettingsError("TAXI_SOURCE_URL carries a user name or password: put them into ~/.netrc instead")
    try:
        usable = bool(parts.hostname) and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:  # `port` raises it if the text after the colon is not a port
        usable = False
    if not usable:
        raise SettingsError(f"TAXI_SOURCE_URL is {base!r}: a base is https://host/path without a query")
    return base.rstrip("/")


def _checked_folder(base: str) -> Path:
    if base.startswith("file://"):
        parts = urlsplit(base)
        if parts.netloc not in ("", "localhost"):
            raise SettingsError(f"TAXI_SOURCE_URL is {base!r}: a file:// address of this machine has three slashes")
        folder = Path(url2pathname(parts.path))
    elif "://" in base:
        raise SettingsError(f"TAXI_SOURCE_URL is {base!r}: it can be http://…, https://…, file:///… or a folder")
    else:
        folder = Path(base).expanduser()
    if not folder.is_dir():
        raise SettingsError(f"TAXI_SOURCE_URL is {base!r}, and there is no such folder")
    return folder.resolve()
