"""BigQuery: months as partitions of tables in a dataset.

Belongs here: whatever is BigQuery's own (``store`` is the way in). Does not: what stores of tables have in common
(``stores``).
"""
