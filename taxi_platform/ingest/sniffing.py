"""What a file really is, if it is not what its name says.

Belongs here: recognising a kind of file by its first bytes, for error sentences. Does not: reading any of them.
"""

from __future__ import annotations

__all__ = ["GZIP_MAGIC", "PARQUET_MAGIC", "SNIFFED_BYTES", "describe"]

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
SNIFFED_BYTES = 512
"""The number of bytes that `describe` needs."""

_BINARY = ((GZIP_MAGIC, "gzip data"), (PARQUET_MAGIC, "a Parquet file"), (b"PK\x03\x04", "a zip archive"))
_MARKUP = ((b"<?xml", "an XML document"), (b"<", "an HTML page"), (b"{", "a JSON document"), (b"[", "a JSON document"))


def describe(head: bytes) -> str | None:
    """What kind of file begins with these bytes (``an HTML page``); None if it may be a table of text."""
    if not head.strip():
        return "an empty file"
    for magic, kind in _BINARY:
        if head.startswith(magic):
            return kind
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for mark, kind in _MARKUP if start.startswith(mark)), None)
