"""Logs a line every few seconds while a long download runs.

Belongs here: when to log how far a transfer is. Does not: where the line goes (``logging`` decides).
"""

from __future__ import annotations

import logging
import time

__all__ = ["Progress"]

_log = logging.getLogger(__name__)
_EVERY_SECONDS = 5.0
_MB = 1_000_000


class Progress:
    """Counts the bytes of one transfer, with all its attempts; a transfer shorter than the interval logs nothing."""

    def __init__(self, name: str, total: int | None, *, every: float = _EVERY_SECONDS) -> None:
        self._name = name
        self._total = total
        self._every = every
        self._started = self._said = time.monotonic()

    def at(self, size: int) -> None:
        """Log that ``size`` bytes have come, if a line is due."""
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said = now
        whole = f" of {self._total / _MB:,.1f} MB ({size / self._total:.0%})" if self._total else " MB"
        speed = size / _MB / (now - self._started)
        _log.info("%s: %.1f%s, %.1f MB/s", self._name, size / _MB, whole, speed)
