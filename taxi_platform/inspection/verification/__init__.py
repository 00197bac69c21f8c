"""Whether what upstream publishes is what the contracts know: every month's header or footer, a few kB each.

Belongs here: reading headers (``headers``), comparing them with contracts (``surprises``) and with one another
(``report``). Does not: fetching months, and the command (``cli.verifying``). Nothing is stored.
"""

from __future__ import annotations

from taxi_platform.inspection.verification.report import MonthReport, State, verify

__all__ = ["MonthReport", "State", "verify"]
