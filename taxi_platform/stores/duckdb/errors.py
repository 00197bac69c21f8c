"""DuckDB's errors as sentences.

Belongs here: DuckDB's words, and advice for the user. Does not: waiting for a file that others hold (``connection``).
"""

from __future__ import annotations

from taxi_platform.errors import StoreError

__all__ = ["refusal"]

_REMEDIES = {
    "no space left": "the disk is full: free space, then run it again",
    "file too large": "the disk is full: free space, then run it again",
    "quota": "the disk is full: free space, then run it again",
    "is a directory": "name a file, not a folder",
    "not a valid duckdb": "name another file, or move this one away",
}
"""A part of the message, in small letters → advice."""


def refusal(file: str, error: Exception) -> StoreError:
    """An error with one sentence: the message of DuckDB or of the disk, and what to do."""
    if isinstance(error, OSError):
        return StoreError(f"{file} cannot be used: {error.strerror} ({error.filename})")
    text = " ".join(str(error).split())
    advice = next((f"; {advice}" for part, advice in _REMEDIES.items() if part in text.lower()), "")
    return StoreError(f"{file} refused the work: {text}{advice}")
