"""Emulators of the clouds, each a real server on a free port: for tests, benchmarks and ``make run-gcp-emulated``.

Belongs here: installing, running and completing them. Does not: who starts them for how long, and pytest.
"""
