"""The column in which a converted month keeps the records that do not fit their types.

Belongs here: its name, which readers of raw months need. Imports nothing, so that anything may import it.
"""

__all__ = ["UNPARSED"]

UNPARSED = "_unparsed"
"""Last column of every converted CSV month: the whole record as text where it does not fit, null where it does."""
