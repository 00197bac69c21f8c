"""The rule of escaping read backwards, as the documentation tells people to."""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def original(text: str) -> bytes:
    """The bytes that came: each ``\\xHH``, left to right, replaced by its byte."""
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text.encode())
