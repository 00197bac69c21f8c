"""What a file that is not what its name says may be instead.

Belongs here: telling kinds of files apart by their first bytes, for the sentence of an error. Does not: reading any.
"""

from __future__ import annotations

__all__ = ["GZIP_MAGIC", "PARQUET_MAGIC", "SNIFFED_BYTES", "describe"]

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
SNIFFED_BYTES = 512
"""As many bytes as `describe` needs."""

_BINARY = ((GZIP_MAGIC, "gzip data"), (PARQUET_MAGIC, "a Parquet file"), (b"PK\x03\x04", "a zip archive"))
_MARKUP = ((b"<?xml", "an XML document"), (b"<", "an HTML page"), (b"{", "a JSON document"), (b"[", "a JSON document"))


def describe(head: bytes) -> str | None:
    """``an HTML page``: what a file that begins with these bytes is, where it is certainly no table of text."""
    if not head.strip():
        return "an empty file"
    for magic, kind in _BINARY:
        if head.startswith(magic):
            return kind
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for mark, kind in _MARKUP if start.startswith(mark)), None)
