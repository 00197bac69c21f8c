"""Upstream files in a local folder, laid out as upstream publishes them.

Belongs here: looking and fetching as over http, but from a disk. Versions are the files' sha256. A fetch is a copy, so
that later changes of the folder cannot touch it. Does not: which paths exist (``layouts``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from taxi_platform.errors import MonthNotPublishedError, PermanentError, UpstreamChangedError
from taxi_platform.sources.model import Download, Part, Version
from taxi_platform.sources.staging import CHUNK_BYTES, staged_file

__all__ = ["FolderFiles"]

_TOKEN = "sha256:"  # noqa: S105 - names the digest a version token starts with


@dataclass(frozen=True)
class FolderFiles:
    """The files below one folder."""

    root: Path
    """An absolute path."""

    def stat(self, path: str) -> Version | None:
        """The current version of the file at ``path``; None where there is none."""
        file = self.root / path
        with _reading(file):
            if not file.is_file():
                return None
            facts = file.stat()
            digest = _sha256(file, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        return Version(file.as_uri(), f"{_TOKEN}{digest}", None, facts.st_size)

    def fetch(self, version: Version, directory: Path) -> Download:
        """Copy that version into a new file below ``directory``; the errors are those of ``Source.fetch``."""
        file = Path(url2pathname(urlsplit(version.url).path))
        with staged_file(directory, file.name) as staged:
            with _reading(file), file.open("rb") as upstream:
                while chunk := upstream.read(CHUNK_BYTES):
                    staged.write(chunk)
            if f"{_TOKEN}{staged.sha256}" != version.token:
                raise UpstreamChangedError(f"{file} changed after it was looked at: fetch it again")
        return Download(version, staged.path, staged.sha256, staged.size)

    def url(self, path: str) -> str:
        """The ``file://`` address of ``path``."""
        return (self.root / path).as_uri()

    def part(self, path: str, start: int, length: int) -> Part | None:
        """Up to ``length`` bytes of the file at ``path`` from ``start`` on; None if there is no file."""
        file = self.root / path
        with _reading(file):
            if not file.is_file():
                return None
            with file.open("rb") as upstream:
                upstream.seek(start)
                return Part(upstream.read(length), file.stat().st_size)


@lru_cache(maxsize=4096)
def _sha256(file: Path, inode: int, size: int, mtime_ns: int) -> str:  # noqa: ARG001 — the rest is the cache's key
    """The file's digest. It is computed once per process while inode, size and time of change stay the same."""
    digest = hashlib.sha256()
    with file.open("rb") as upstream:
        while chunk := upstream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MonthNotPublishedError(f"{file} is gone") from error
    except OSError as error:
        raise PermanentError(f"{file} cannot be read: {error.strerror or error}") from error
