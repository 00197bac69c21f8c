"""The bytes of a CSV file as blocks of whole lines, each with its number of records.

Belongs here: decompressing, splitting into blocks, and counting records. Does not: anything that knows columns.

A record is a line that is not blank. Lines end with LF or CRLF, mixed at will, and the last may lack its end. No
upstream file has ever had a line break inside a value. Records are counted here, from the bytes, so that the expected
number of rows does not depend on the parser that is checked against it.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from taxi_platform.contracts.values.foreign_text import decoded, excerpt
from taxi_platform.contracts.values.limits import LONGEST_RECORD
from taxi_platform.errors import BrokenFileError
from taxi_platform.ingest.sniffing import GZIP_MAGIC, SNIFFED_BYTES, describe

__all__ = ["Block", "counted", "open_text", "records_in", "whole_lines"]

_READ_BYTES = 1 << 20
"""Larger blocks cost memory and gain nothing. Smaller ones pay the parser's start-up more often."""
_LF, _CR = ord("\n"), ord("\r")


@dataclass(frozen=True)
class Block:
    """Some whole lines, and how many of them are records."""

    data: bytes
    records: int


@contextmanager
def open_text(file: Path, name: str) -> Iterator[BinaryIO]:
    """Open the file for reading, decompressed if ``name`` ends in ``.gz``; the content must agree with the name.

    Raises:
        BrokenFileError: the name says gzip and the content does not, or the file is not CSV at all.
    """
    from isal import igzip

    with file.open("rb") as plain:
        head = plain.read(SNIFFED_BYTES)
        plain.seek(0)
        is_gzip = name.endswith(".gz")
        if is_gzip and not head.startswith(GZIP_MAGIC):
            raise BrokenFileError(f"{name} is not gzip data but {describe(head) or _opening(head)}; {_ADVICE}")
        if not is_gzip and (kind := describe(head)):
            raise BrokenFileError(f"{name} is not a CSV file but {kind}; {_ADVICE}")
        if not is_gzip:
            yield plain
            return
        with igzip.IGzipFile(fileobj=plain, mode="rb") as inflated:
            yield inflated


def whole_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The bytes of ``file`` in pieces that end with a line; the last piece may lack its line end.

    Raises:
        BrokenFileError: the gzip data ends early, is damaged or is followed by other data, or a line has no end.
    """
    rest = b""
    while chunk := _read(file, name):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > LONGEST_RECORD:
            raise BrokenFileError(f"{name} is not a CSV file: a line of it is longer than {LONGEST_RECORD:,} bytes")
    if rest:
        yield rest


def counted(pieces: Iterable[bytes]) -> Iterator[Block]:
    """Each piece of whole lines with its number of records; pieces without records are dropped."""
    for piece in pieces:
        if records := _count(piece):
            yield Block(piece, records)


def records_in(data: bytes) -> list[bytes]:
    """The records of whole lines, without their line ends."""
    return [record for line in data.split(b"\n") if (record := line.rstrip(b"\r"))]


def _count(data: bytes) -> int:
    """The same as ``len(records_in(data))``, and much cheaper if no line is blank."""
    import numpy as np

    if not data.endswith(b"\n"):
        data += b"\n"
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == _LF)
    firsts = codes[np.concatenate(([0], ends[:-1] + 1))]
    if np.any((firsts == _LF) | (firsts == _CR)):
        return len(records_in(data))
    return len(ends)


def _read(file: BinaryIO, name: str) -> bytes:
    from isal import isal_zlib

    try:
        return file.read(_READ_BYTES)
    except EOFError as error:
        raise BrokenFileError(f"{name} is cut off: its gzip data ends before its end mark; {_ADVICE}") from error
    except (gzip.BadGzipFile, isal_zlib.IsalError) as error:  # type: ignore[misc]  # the stub declares an instance
        raise BrokenFileError(f"{name} is damaged: its gzip data does not read ({error}); {_ADVICE}") from error


_ADVICE = "the month before it stays in place; run the month again, or look at what upstream sends"


def _opening(head: bytes) -> str:
    return f"something that begins with '{excerpt(decoded(head.splitlines()[0][:40]))}'"
