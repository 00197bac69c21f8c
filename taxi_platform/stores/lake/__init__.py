"""The lake: months as Parquet objects that never change, and one manifest per month that names the current ones.

Belongs here: what objects mean (`lake.Lake` is the way in). Does not: how an object is moved (``objects``).
"""
