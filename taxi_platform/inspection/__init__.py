"""Who holds what: upstream beside the lake, every store beside the others, a month beside the months before it.

Belongs here: looking and comparing. Does not: repairing, and telling Dagster (``orchestration``).
"""
