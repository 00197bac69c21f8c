"""The lake: months as Parquet objects that never change, and a manifest a month that names the current ones.

Belongs here: what objects mean (``lake`` is the front). Does not: how an object is moved (``objects``).
"""
