"""Where months are kept: the lake, and stores of tables. Nothing here knows Dagster.

Belongs here: a package a store, and what stores of tables have in common. Does not: which of them a platform has
(``settings``).
"""
