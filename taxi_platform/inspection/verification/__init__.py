"""Whether upstream's files are as the contracts expect: reads a few kB of every month, its header or footer.

Belongs here: reading headers (``headers``), comparing them with contracts (``surprises``) and with each other
(``report``). Does not: fetching months, and the command (``cli.verifying``). Nothing is stored.
"""

from __future__ import annotations

from taxi_platform.inspection.verification.report import MonthReport, State, verify

__all__ = ["MonthReport", "State", "verify"]
