"""The taxi zones: which borough each is in, and a lookup file in upstream's dialect.

Belongs here: ids, boroughs and service zones as TLC publishes them. Does not: the names of the zones; a generated
lookup has numbers instead.
"""

from __future__ import annotations

__all__ = ["KINDS", "borough", "lookup_csv"]

KINDS = (
    "EQXMSSQQQQKMMKQQKXQXKKSMKKQQKQXXKKKKKQKKmmMSMXXMKMXKQ"
    "KKQQXXXKKKQKKKMXQKKQmmKKXMKXQQSKQMMKMKQQXQQKQSMQQMMMK"
    "MKSSKKMMSmQSXmQQKQMXmmQQQAKQQXMAQMMMMMQQXMKKMmmKKSQMX"
    "QMMMMKmXXXMQSQXQSKKQQKXXXXMSKKKQQQMKQQQXXQmQSQSQXMKMX"
    "XSQQKQQXSKQMKQKKMMMMMMXMMMMXXXmmSMXXMXSQQXKKKQXQMMMUU"
)
"""One letter for each of the zones 1, 2, … 265; `_KINDS` says what it means."""

_KINDS = {
    "M": ("Manhattan", "Yellow Zone"),
    "m": ("Manhattan", "Boro Zone"),
    "Q": ("Queens", "Boro Zone"),
    "A": ("Queens", "Airports"),
    "K": ("Brooklyn", "Boro Zone"),
    "X": ("Bronx", "Boro Zone"),
    "S": ("Staten Island", "Boro Zone"),
    "E": ("EWR", "EWR"),
    "U": ("Unknown", "N/A"),
}
_NAMES = {1: "Newark Airport", 132: "JFK Airport", 138: "LaGuardia Airport", 264: "NV", 265: "NA"}


def borough(kind: str) -> str:
    """The borough of zones of that kind."""
    return _KINDS[kind][0]


def lookup_csv() -> bytes:
    """The lookup file with upstream's header, quotes and CRLF; "NA" and "N/A" are text."""
    lines = ['"locationid","borough","zone","service_zone"']
    for zone, kind in enumerate(KINDS, start=1):
        borough, service_zone = _KINDS[kind]
        lines.append(f'{zone},"{borough}","{_NAMES.get(zone, f"{borough} {zone}")}","{service_zone}"')
    return "".join(f"{line}\r\n" for line in lines).encode()
