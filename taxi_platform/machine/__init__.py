"""How the processes of one machine take turns: locks, scratch space, leases; and what their environment tells them.

Belongs here: what any process needs of the machine it is on. Does not: what is locked or staged
(``stores``, ``ingest``).
"""
