"""Torture: every write of every store cut off before it, in it and after it, refused, forgotten or unanswered.

Belongs here: the faults (``knife``), what is cut (``walks``, ``postgres``), steps in any order (``machine``), spoiled
input (``hostile``), what must hold after each (``judge``), one trial (``trials``) and the count (``campaign``).
``python -m taxi_platform_tests.torture`` does all of it and writes docs/reliability.md. Does not: single faults that a
test of a store names by itself (``taxi_platform_tests.stores``).
"""
