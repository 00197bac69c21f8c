"""Where the statements of a text of SQL end.

Belongs here: telling a semicolon that ends a statement from one in a string, a name or a comment, in the SQL of every
store. Does not: what a statement says (the stores know).
"""

from __future__ import annotations

import re

__all__ = ["split_statements"]

_PART = re.compile(
    r"""
      --[^\n]*                       # a comment to the end of the line
    | /\*.*?(?:\*/|\Z)              # a comment that may go over lines
    | '(?:[^']|'')*(?:'|\Z)          # a string: a quote in it is doubled
    | "(?:[^"]|"")*(?:"|\Z)          # a name, or BigQuery's string
    | `[^`]*(?:`|\Z)                 # BigQuery's name
    | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)  # a string of PostgreSQL and DuckDB
    | (?P<end>;)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
"""What is open at the text's end, a string say, has its end there."""


def split_statements(text: str) -> tuple[list[str], str]:
    """The statements that end with a semicolon, without it, and what is left after the last.

    Empty statements are left out, and what is left is empty if it is no more than space and comments.
    """
    statements, begin, says_something = [], 0, False
    for part in _PART.finditer(text):
        if part["end"]:
            if says_something:
                statements.append(text[begin : part.start()].strip())
            begin, says_something = part.end(), False
        elif not part[0].isspace() and not part[0].startswith(("--", "/*")):
            says_something = True
    return statements, text[begin:].strip() if says_something else ""
