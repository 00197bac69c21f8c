"""DuckDB: months as tables in one shared file, and the file of views over a lake on disk.

Belongs here: what is DuckDB's own (``store`` is the front). Does not: what stores of tables have in common
(``stores``).
"""
