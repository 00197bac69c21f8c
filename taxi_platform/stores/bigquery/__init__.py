"""BigQuery: months as partitions of tables in a dataset.

Belongs here: what is BigQuery's own (``store`` is the front). Does not: what stores of tables have in common
(``stores``).
"""
