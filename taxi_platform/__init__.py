"""New York taxi trips as partitioned, atomically replaced data assets.

This package file holds nothing but the version: importing ``taxi_platform`` must stay free, because
every Dagster process (webserver, daemon, code server, each run) pays for it. ``definitions`` is the front door.
"""

__version__ = "0.1.0"
