"""Dagster: assets, IO managers, jobs, checks, sensors, schedules, alerts. Only this package defines Dagster objects.

Belongs here: when work is done, and how Dagster records it. Does not: the work itself (``sources``, ``ingest``,
``cleaning``, ``stores``).
"""
