"""Upstream files over http(s): looking at a version and bringing exactly that version.

Belongs here: requests, the meaning of answers, and telling a whole transfer from a broken one. Does not: which paths
exist (``layouts``), how often to retry (``retries``) and the local file (``staging``).

What identifies a version, best first: the ETag as it came (a weak one too), then size and Last-Modified. If a server
gives neither, every look yields a new token, so that the month is fetched again and never mistaken for unchanged. Equal
bytes still become one version in the lake, by their sha256.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from taxi_platform.errors import MonthNotPublishedError, PermanentError, UpstreamChangedError
from taxi_platform.sources.model import UNVERSIONED, Download, Part, Version
from taxi_platform.sources.progress import Progress
from taxi_platform.sources.retries import Interrupted, RetryPolicy
from taxi_platform.sources.staging import CHUNK_BYTES, StagedFile, staged_file
from taxi_platform.transience import Failure, is_distrust, of_exception, of_http

if TYPE_CHECKING:
    from requests import Response, Session

__all__ = ["HttpFiles"]

_HEAD_REFUSED = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_MOST_REDIRECTS = 5
_CONNECTION = re.compile(r"^\w*Connection\w*\(.*?\): ")
"""How urllib3 begins a message. It is cut off, because our sentence has the address already."""


@dataclass(frozen=True)
class HttpFiles:
    """The files below one base URL."""

    base: str
    """Without a slash at the end."""
    missing: frozenset[int] = frozenset({HTTPStatus.NOT_FOUND})
    """The statuses by which this host says that a file does not exist."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def stat(self, path: str) -> Version | None:
        """The current version of the file at ``path``; None where there is none."""
        url = self.url(path)
        return self.retry.run(url, lambda: self._look(url))

    def fetch(self, version: Version, directory: Path) -> Download:
        """Bring that version into a new file below ``directory``; the errors are those of ``Source.fetch``."""
        name = unquote(PurePosixPath(urlsplit(version.url).path).name)
        with staged_file(directory, name) as staged:
            progress = Progress(name, version.size)
            self.retry.run(version.url, lambda: self._transfer(version, staged, progress))
        return Download(version, staged.path, staged.sha256, staged.size)

    def url(self, path: str) -> str:
        """The address of ``path``."""
        return f"{self.base}/{path}"

    def part(self, path: str, start: int, length: int) -> Part | None:
        """Request up to ``length`` bytes of the file at ``path`` from ``start`` on; None if there is no file.

        Raises:
            UpstreamUnavailableError: upstream did not answer after every retry.
            PermanentError: the server gives no parts of files, or refuses.
        """
        url = self.url(path)
        return self.retry.run(url, lambda: self._read_part(url, start, length))

    def _read_part(self, url: str, start: int, length: int) -> Part | None:
        with self._answer("GET", url, {"Range": f"bytes={start}-{start + length - 1}"}) as answer:
            if answer.status_code in self.missing:
                return None
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return Part(b"", 0)
            _refuse_errors(url, answer)
            size = _total_size(answer.headers)
            if size is None or (answer.status_code != HTTPStatus.PARTIAL_CONTENT and start + length < size):
                raise PermanentError(f"{url} comes as a whole only: its server gives no parts of files")
            data = b"".join(_raw_chunks(answer))
        skipped = 0 if answer.status_code == HTTPStatus.PARTIAL_CONTENT else start
        _check_part(data[skipped:], min(length, max(size - start, 0)))
        return Part(data[skipped:], size)

    def _look(self, url: str) -> Version | None:
        with self._answer("HEAD", url) as answer:
            says_nothing = answer.ok and not {"etag", "content-length"} & {name.lower() for name in answer.headers}
            if not says_nothing and answer.status_code not in _HEAD_REFUSED:
                return self._version(url, answer)
        # The server does not support HEAD properly: request the file, and close the connection after the headers.
        with self._answer("GET", url) as answer:
            return self._version(url, answer)

    def _version(self, url: str, answer: Response) -> Version | None:
        if answer.status_code in self.missing:
            return None
        _refuse_errors(url, answer)
        return _version_in(url, answer.headers)

    def _transfer(self, version: Version, staged: StagedFile, progress: Progress) -> None:
        """One attempt: transfers the whole file, or the part that earlier attempts did not bring."""
        with self._answer("GET", version.url, _resume_headers(version, staged)) as answer:
            if answer.status_code in self.missing:
                raise MonthNotPublishedError(f"{version.url} is gone (status {answer.status_code})")
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                staged.restart()
                raise Interrupted("it cannot be resumed where it broke off")
            _refuse_errors(version.url, answer)
            _check_same_version(version, answer)
            expected = _place(version, answer, staged)
            for chunk in _raw_chunks(answer):
                staged.write(chunk)
                progress.at(staged.size)
        _check_whole(expected, staged)

    @contextmanager
    def _answer(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Response]:
        from requests import RequestException

        timeout = (self.retry.connect_timeout, self.retry.read_timeout)
        try:
            answer = self._session.request(
                method, url, headers=headers, stream=True, timeout=timeout, allow_redirects=True
            )
        except RequestException as error:
            if is_distrust(error):
                raise PermanentError(
                    f"the certificate of {url} is not trusted: check TAXI_SOURCE_URL, or set REQUESTS_CA_BUNDLE to its "
                    "authority's file"
                ) from error
            if of_exception(error) is Failure.PERMANENT:
                raise PermanentError(f"{url} cannot be requested: {error}") from error
            raise Interrupted(_reason(error)) from error
        with answer:
            yield answer

    @cached_property
    def _session(self) -> Session:
        import requests

        from taxi_platform import __version__

        session = requests.Session()
        # Ask for no encoding, so that lengths, ranges and digests are those of the file itself.
        session.headers.update({"Accept-Encoding": "identity", "User-Agent": f"taxi_platform/{__version__}"})
        session.max_redirects = _MOST_REDIRECTS
        session.hooks["response"].append(_refuse_downgrade)
        return session


def _refuse_downgrade(answer: Response, **_: object) -> None:
    """Follow nobody from an address whose server has proved who it is to one where anybody may answer."""
    location = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
    if answer.is_redirect and answer.url.startswith("https:") and location.scheme != "https":
        answer.close()
        raise PermanentError(
            f"{answer.url} leads to {location.scheme}://{location.hostname}, which is not encrypted: "
            "look at what upstream does, or set TAXI_SOURCE_URL to another address"
        )


def _version_in(url: str, headers: Mapping[str, str]) -> Version:
    size = _total_size(headers)
    if etag := headers.get("ETag"):
        return Version(url, etag, etag, size)
    if modified := headers.get("Last-Modified"):
        return Version(url, f"size={'?' if size is None else size} last-modified={modified}", None, size)
    return Version(url, f"{UNVERSIONED}{secrets.token_hex(8)}", None, size)


def _total_size(headers: Mapping[str, str]) -> int | None:
    if ranged := _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "")):
        return int(ranged[3])
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _refuse_errors(url: str, answer: Response) -> None:
    status = f"status {answer.status_code} {answer.reason or ''}".strip()
    if of_http(answer.status_code) is Failure.TRANSIENT:
        asked = answer.headers.get("Retry-After", "")
        raise Interrupted(f"it answered with {status}", pause=float(asked) if asked.isdecimal() else None)
    if not answer.ok:
        raise PermanentError(f"{url} answered with {status}: check TAXI_SOURCE_URL, and whether you may read it")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity" and not url.endswith(".gz"):
        raise PermanentError(f"{url} came encoded as {encoding} although only its own bytes were asked for")


def _check_same_version(version: Version, answer: Response) -> None:
    now = _version_in(version.url, answer.headers)
    unversioned = not (version.is_comparable or now.is_comparable)
    if now.size != version.size and None not in (now.size, version.size):
        raise UpstreamChangedError(
            f"{version.url} had {version.size:,} bytes when it was looked at and now has {now.size:,}: fetch it again"
        )
    if not unversioned and now.token != version.token:
        raise UpstreamChangedError(
            f"{version.url} changed while it was fetched (version {version.token}, now {now.token}): fetch it again"
        )


def _resume_headers(version: Version, staged: StagedFile) -> dict[str, str]:
    # Only a strong ETag promises that two answers are parts of the same bytes (RFC 9110, section 13.1.5).
    if staged.size and version.etag and not version.etag.startswith("W/"):
        return {"Range": f"bytes={staged.size}-", "If-Range": version.etag}
    return {}


def _place(version: Version, answer: Response, staged: StagedFile) -> int | None:
    """Prepare the staged file for the body of an answer; returns the file's size, or None if only framing ends it."""
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
        ranged = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if ranged is None or int(ranged[1]) != staged.size:
            staged.restart()
            raise Interrupted("it sent another part of the file than the one asked for")
        return int(ranged[3])
    staged.restart()
    announced = _total_size(answer.headers)
    expected = version.size if announced is None else announced
    if expected is None and answer.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise PermanentError(f"{version.url} comes without a length: a cut transfer would look like a whole one")
    return expected


def _raw_chunks(answer: Response) -> Iterator[bytes]:
    """The bytes of the body, never decoded, so that a .csv.gz stays one."""
    from urllib3.exceptions import HTTPError, IncompleteRead

    try:
        yield from answer.raw.stream(CHUNK_BYTES, decode_content=False)
    except HTTPError as error:
        if any(isinstance(cause, IncompleteRead) for cause in error.args):
            raise Interrupted("fewer bytes came than it announced", outcome=UpstreamChangedError) from error
        raise Interrupted(_reason(error)) from error


def _check_part(data: bytes, expected: int) -> None:
    if len(data) != expected:
        raise Interrupted(f"{len(data):,} bytes came of {expected:,}", outcome=UpstreamChangedError)


def _check_whole(expected: int | None, staged: StagedFile) -> None:
    if expected is not None and staged.size != expected:
        size = staged.size
        if size > expected:
            staged.restart()
        raise Interrupted(f"{size:,} bytes came of {expected:,}", outcome=UpstreamChangedError)


def _reason(error: Exception) -> str:
    """The innermost text in a chain of wrapped errors, which says best what happened."""
    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None) or next((a for a in inner.args[::-1] if isinstance(a, Exception)), None)
        if not isinstance(reason, BaseException):
            text = _CONNECTION.sub("", str(inner).rpartition(">: ")[2])
            return text or type(inner).__name__
        inner = reason
