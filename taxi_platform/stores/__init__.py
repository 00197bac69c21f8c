"""Where months are kept: the lake, and stores of tables. Nothing here knows Dagster.

Belongs here: one package a store, and what stores of tables have in common. Does not: which of them a platform uses
(``settings``).
"""
