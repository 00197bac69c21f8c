"""PostgreSQL: months as partitions of tables on a server.

Belongs here: what is PostgreSQL's own (``store`` is the front). Does not: running a server (``embedded``) and
what stores of tables have in common (``stores``).
"""
