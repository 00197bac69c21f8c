"""Cells: what every store can hold, and how upstream's text and times are read.

Belongs here: rules for one value, whatever its column. Does not: columns (``contracts.model``) and judging rows
(``cleaning``).
"""
