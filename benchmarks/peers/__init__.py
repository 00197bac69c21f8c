"""The ways that ``benchmarks.bench`` compares: one module each, run in an environment of its own.

A module has the constant `PEER` and does its work as a command, ``python -m benchmarks.peers.NAME URL POSTGRES
FOLDER``. It imports nothing of another environment at its top, so that the benchmark can read `PEER`. A further way is
a further module and its name in ``benchmarks.bench.PEERS``.
"""
