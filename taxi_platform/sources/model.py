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
"""How the address of a file begins that no upstream has: the sample source generates it."""


UNVERSIONED = "unversioned:"
"""How the token of a file begins whose server tells no versions apart; the rest is another at every look."""


@dataclass(frozen=True)
class Version:
    """One version of one upstream file, as upstream itself tells versions apart."""

    url: str
    token: str
    """Equal tokens mean equal files: the ETag; without one size and Last-Modified; in a folder the sha256."""
    etag: str | None = None
    size: int | None = None
    """Bytes, where upstream says."""

    @property
    def is_comparable(self) -> bool:
        """Whether upstream tells versions apart: else no look can say that a file is new."""
        return not self.token.startswith(UNVERSIONED)


@dataclass(frozen=True)
class Download:
    """An upstream file, whole and verified, in a private local file."""

    version: Version
    file: Path
    sha256: str
    size: int

    @property
    def is_parquet(self) -> bool:
        return self.version.url.endswith(".parquet")


@dataclass(frozen=True)
class Part:
    """Some bytes of an upstream file."""

    data: bytes
    """As many as were asked for, or as there are."""
    size: int
    """Bytes of the whole file."""


class Published(Protocol):
    """Where months lie as files of which single parts can be read."""

    @property
    def name(self) -> str: ...

    def url(self, month: TripMonth) -> str:
        """Where that month's file lies."""
        ...

    def part(self, month: TripMonth, start: int, length: int) -> Part | None:
        """Bytes of that month's file from ``start`` on; None where upstream has no such month.

        Raises:
            UpstreamUnavailableError: upstream did not answer after every retry.
            PermanentError: upstream gives whole files only, or refuses.
        """
        ...


class Source(Protocol):
    """Where months come from."""

    @property
    def name(self) -> str: ...

    def stat(self, month: TripMonth) -> Version | None:
        """The current version of that month's file; None where upstream has no such month.

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
