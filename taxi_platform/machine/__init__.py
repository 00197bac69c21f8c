"""How processes of one machine take turns (locks, private folders, leases), and how their environment is read.

Belongs here: what any process needs of its machine. Does not: what is locked or staged (``stores``, ``ingest``).
"""
