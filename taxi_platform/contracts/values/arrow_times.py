"""Text columns that hold times with a zone, in Arrow, one batch at a time.

Belongs here: what both ingest and cleaning need of such a column. Does not: which instant a zone means
(``cleaning.wall_clock``) and what follows from it (``ingest.records``).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["UTC_TEXTS", "has_zone", "without_zone"]

_ZONED = r"(?i)^\s*(?P<digits>.*:\d\d(?:\.\d+)?)\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\s*$"
"""Hours and minutes must come before the zone. Otherwise the day at the end of a date would be taken for a zone."""
UTC_TEXTS = ("Z", "UTC", "GMT", "+00:00", "-00:00", "+0000", "-0000", "+00", "-00")
"""Every spelling of Universal Time in a text, in capitals."""


def has_zone(text: pa.StringArray) -> bool:
    """Whether any of the texts is a time with a zone."""
    return bool(pc.any(pc.match_substring_regex(text, _ZONED)).as_py())


def without_zone(text: pa.StringArray) -> tuple[pa.StringArray, pa.StringArray]:
    """The texts without their zones, and the zones in capitals; both null where a text has no zone."""
    parts = pc.extract_regex(text, _ZONED)
    return pc.struct_field(parts, "digits"), pc.utf8_upper(pc.struct_field(parts, "zone"))
