"""PostgreSQL: months as partitions of tables on a server.

Belongs here: whatever is PostgreSQL's own (``store`` is the way in). Does not: running a server (``embedded``) and
what stores of tables have in common (``stores``).
"""
