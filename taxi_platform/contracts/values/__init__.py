"""Cells: what every store can hold, and how text and times of upstream's are taken and shown.

Belongs here: rules for one value, whatever its column. Does not: columns (``contracts.model``) and judging rows
(``cleaning``).
"""
