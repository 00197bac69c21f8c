"""Text that came from a file: how its bytes become characters, and how much of it an error sentence repeats.

Belongs here: the escaping rule, the one older encoding, and the length of an excerpt. Does not: which cells are text,
and what a cell that no store can hold means for its row (``cleaning``).

The escaping rule: a byte that is not part of a character is written ``\\xHH``, with two lower-case hexadecimal digits.
So is NUL, which PostgreSQL's text cannot hold. A backslash before an ``x`` and two such digits is written ``\\x5c``, so
that no other text reads as an escape. To get the original bytes back, replace each ``\\xHH``, left to right, by its
byte.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable

__all__ = ["EXCERPT_CHARACTERS", "decoded", "decoded_whole", "escaped", "excerpt", "listed"]

EXCERPT_CHARACTERS = 200
"""The length of `excerpt`, for one cell and for a list of names alike."""

_LIKE_AN_ESCAPE = re.compile(rb"\\(?=x[0-9a-f]{2})")
_OLDER, _OLDER_OR_ESCAPED = "taxi_platform_windows_1252", "taxi_platform_windows_1252_or_escaped"


def escaped(data: bytes) -> str:
    """Bytes that should be UTF-8 as text, by the escaping rule; UTF-8 without NUL stays as it was."""
    return _LIKE_AN_ESCAPE.sub(rb"\\x5c", data).decode("utf-8", "backslashreplace").replace("\0", r"\x00")


def decoded_whole(data: bytes) -> str | None:
    """The bytes of a CSV file as text: bytes that are not UTF-8 are read as Windows-1252, one by one.

    None if a byte has no meaning there. Older programs write letters that way: Windows-1252 is a superset of the
    letters of Latin-1 and leaves five bytes undefined (81, 8d, 8f, 90 and 9d;
    https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT).
    """
    try:
        return data.decode("utf-8", _OLDER)
    except UnicodeDecodeError:
        return None


def decoded(data: bytes) -> str:
    """The same as `decoded_whole`, for people to read: undefined bytes and NUL are written by the escaping rule."""
    return _LIKE_AN_ESCAPE.sub(rb"\\x5c", data).decode("utf-8", _OLDER_OR_ESCAPED).replace("\0", r"\x00")


def excerpt(text: object) -> str:
    """The text for an error sentence: at most `EXCERPT_CHARACTERS`, on one line, with control characters visible."""
    head = str(text)[: EXCERPT_CHARACTERS + 1]
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in head)
    return visible if len(visible) <= EXCERPT_CHARACTERS else visible[: EXCERPT_CHARACTERS - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """The `excerpt` of names joined by commas."""
    return excerpt(", ".join(names))


def _letters(undefined: str) -> Callable[[UnicodeError], tuple[str, int]]:
    def decode(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError), "registered for decoding alone"
        return error.object[error.start : error.end].decode("cp1252", undefined), error.end

    return decode


codecs.register_error(_OLDER, _letters("strict"))
codecs.register_error(_OLDER_OR_ESCAPED, _letters("backslashreplace"))
