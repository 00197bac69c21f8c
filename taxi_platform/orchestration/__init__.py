"""Dagster: assets, IO managers, jobs, checks, sensors, schedules, alerts. No other package defines a Dagster object.

Belongs here: when work is done, and how it is recorded. Does not: the work (``sources``, ``ingest``, ``cleaning``,
``stores``).
"""
