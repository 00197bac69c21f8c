"""DuckDB: months as tables in one shared file, and a file of views over a lake on disk.

Belongs here: whatever is DuckDB's own (``store`` is the way in). Does not: what stores of tables have in common
(``stores``).
"""
