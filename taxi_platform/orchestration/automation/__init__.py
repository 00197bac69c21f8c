"""What runs without being asked: conditions, sensors, schedules, recovery.

Belongs here: deciding that something is to be run, and what the next decision has to know. Does not: assets and jobs.
"""
