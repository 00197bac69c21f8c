"""Who holds what: the lake beside upstream, each store beside the lake, and a month beside the months before it.

Belongs here: looking and comparing. Does not: repairing, and reporting to Dagster (``orchestration``).
"""
