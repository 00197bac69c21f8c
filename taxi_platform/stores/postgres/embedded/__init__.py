"""A PostgreSQL server for a machine that has none, run by the platform itself.

Belongs here: starting and ending the server (``sharing`` is the way in). Does not: its contents (``stores.postgres``).
"""
