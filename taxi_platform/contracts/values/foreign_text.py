"""Text that came from a file: how its bytes become characters, and how much of it a sentence shows.

Belongs here: the one rule of escaping, the one older encoding, and the one bound. Does not: which cells are text, and
what a cell that no store can hold means for its row (``cleaning``).

The rule of escaping: a byte that is no character is written ``\\xHH``, two lower-case hexadecimal digits, and so is
NUL, which PostgreSQL's text cannot hold; a backslash that stands before an ``x`` and two such digits is written
``\\x5c``, so that nothing else reads as an escape. Whoever replaces each ``\\xHH``, left to right, by its byte has what
came.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable

__all__ = ["EXCERPT_CHARACTERS", "decoded", "decoded_whole", "escaped", "excerpt", "listed"]

EXCERPT_CHARACTERS = 200
"""What a sentence shows of a file's text at most, be it one cell or a list of names."""

_LIKE_AN_ESCAPE = re.compile(rb"\\(?=x[0-9a-f]{2})")
_OLDER, _OLDER_OR_ESCAPED = "taxi_platform_windows_1252", "taxi_platform_windows_1252_or_escaped"


def escaped(data: bytes) -> str:
    """Bytes that should be UTF-8 as text, by the rule of escaping; UTF-8 without NUL is as it was."""
    return _LIKE_AN_ESCAPE.sub(rb"\\x5c", data).decode("utf-8", "backslashreplace").replace("\0", r"\x00")


def decoded_whole(data: bytes) -> str | None:
    """Bytes of a CSV file as text: what is not UTF-8 is read as Windows-1252, byte by byte; None where one stands for
    nothing.

    That is how older programs write letters (a superset of Latin-1's, with five bytes that stand for nothing: 81, 8d,
    8f, 90 and 9d; https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT).
    """
    try:
        return data.decode("utf-8", _OLDER)
    except UnicodeDecodeError:
        return None


def decoded(data: bytes) -> str:
    """The same for people to read: bytes that stand for nothing, and NUL, are written by the rule of escaping."""
    return _LIKE_AN_ESCAPE.sub(rb"\\x5c", data).decode("utf-8", _OLDER_OR_ESCAPED).replace("\0", r"\x00")


def excerpt(text: object) -> str:
    """What a sentence shows of it: at most `EXCERPT_CHARACTERS`, in one line, control characters made visible."""
    head = str(text)[: EXCERPT_CHARACTERS + 1]
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in head)
    return visible if len(visible) <= EXCERPT_CHARACTERS else visible[: EXCERPT_CHARACTERS - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names side by side, as `excerpt`."""
    return excerpt(", ".join(names))


def _letters(undefined: str) -> Callable[[UnicodeError], tuple[str, int]]:
    def decode(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError), "registered for decoding alone"
        return error.object[error.start : error.end].decode("cp1252", undefined), error.end

    return decode


codecs.register_error(_OLDER, _letters("strict"))
codecs.register_error(_OLDER_OR_ESCAPED, _letters("backslashreplace"))
