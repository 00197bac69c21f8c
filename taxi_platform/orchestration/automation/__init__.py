"""Everything that runs without being asked: conditions, sensors, schedules, recovery.

Belongs here: deciding that something must run, and what the next decision needs to know. Does not: assets and jobs.
"""
