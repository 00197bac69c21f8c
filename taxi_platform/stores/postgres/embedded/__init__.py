"""A PostgreSQL server of the platform's own, for a machine that has none.

Belongs here: its life (``sharing`` is the front). Does not: what is in it (``stores.postgres``).
"""
