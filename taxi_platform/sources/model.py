"""What a source of months is.

Belongs here: the protocol and its values. Does not: any transport or layout (one module each).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from taxi_platform.months import TripMonth

__all__ = ["GENERATED", "UNVERSIONED", "Download", "Part", "Published", "Source", "Version"]

GENERATED = "sample:"
"""How the address of a generated file begins: no upstream has it."""


UNVERSIONED = "unversioned:"
"""How a token begins if the server cannot tell versions apart; the rest of the token is new at every look."""


@dataclass(frozen=True)
class Version:
    """One version of one upstream file, identified as upstream does."""

    url: str
    token: str
    """Equal tokens mean equal files: the ETag, else size and Last-Modified; in a folder, the sha256."""
    etag: str | None = None
    size: int | None = None
    """Size in bytes, if upstream says it."""

    @property
    def is_comparable(self) -> bool:
        """Whether upstream can tell versions apart; if not, a look cannot say whether a file is new."""
        return not self.token.startswith(UNVERSIONED)


@dataclass(frozen=True)
class Download:
    """An upstream file, complete and verified, in a private local file."""

    version: Version
    file: Path
    sha256: str
    size: int

    @property
    def is_parquet(self) -> bool:
        """Whether the file is Parquet by the end of its address; otherwise it is CSV."""
        return self.version.url.endswith(".parquet")


@dataclass(frozen=True)
class Part:
    """Some bytes of an upstream file."""

    data: bytes
    """As many bytes as were asked for, or fewer at the file's end."""
    size: int
    """Size of the whole file in bytes."""


class Published(Protocol):
    """A source whose months are files, of which it can read parts."""

    @property
    def name(self) -> str:
        """The source's name, one of ``SOURCE_NAMES``."""
        ...

    def url(self, month: TripMonth) -> str:
        """The address of that month's file."""
        ...

    def part(self, month: TripMonth, start: int, length: int) -> Part | None:
        """Up to ``length`` bytes of that month's file from ``start`` on; None if upstream has no such month.

        Raises:
            UpstreamUnavailableError: upstream did not answer after every retry.
            PermanentError: upstream gives whole files only, or refuses.
        """
        ...


class Source(Protocol):
    """A place that months and the taxi zone lookup come from."""

    @property
    def name(self) -> str:
        """The source's name, one of ``SOURCE_NAMES``."""
        ...

    def stat(self, month: TripMonth) -> Version | None:
        """The current version of that month's file; None if upstream has no such month.

        Raises:
            UpstreamUnavailableError: upstream did not answer after every retry.
        """
        ...

    def fetch(self, month: TripMonth, version: Version, directory: Path) -> Download:
        """Bring that version into a new file below ``directory``.

        Raises:
            UpstreamChangedError: upstream now has another version, or sent fewer bytes than it announced.
            UpstreamUnavailableError: upstream did not answer after every retry.
            MonthNotPublishedError: the file is gone.
        """
        ...

    def stat_zones(self) -> Version:
        """The current version of the taxi zone lookup; raises `MonthNotPublishedError` where there is none."""
        ...

    def fetch_zones(self, version: Version, directory: Path) -> Download:
        """Bring the taxi zone lookup, a CSV file, into a new file below ``directory``."""
        ...

    def stat_zone_shapes(self) -> Version | None:
        """The current version of the zones' shapes; None where upstream has none: months do without."""
        ...

    def fetch_zone_shapes(self, version: Version, directory: Path) -> Download:
        """Bring the zones' shapes, a zipped shapefile, into a new file below ``directory``."""
        ...
