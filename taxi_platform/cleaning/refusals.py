"""Versions of raw months that cleaning has refused: what is kept of a refusal, and whether it still holds.

Belongs here: those two. Does not: the rules that refuse (``cleaning``), and keeping what was refused (``stores``).
"""

from __future__ import annotations

from taxi_platform.cleaning.version import clean_version
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import RawMonth, Refusal

__all__ = ["is_refused", "refusal"]


def refusal(contract: Contract, raw: RawMonth, sentence: str) -> Refusal:
    """As the lake keeps it with the version. Run options do not matter to it."""
    return Refusal(sentence, clean_version(contract, raw.version))


def is_refused(contract: Contract, raw: RawMonth) -> bool:
    """Whether cleaning that version would only refuse it again: false once contract or revision are others."""
    return raw.refused is not None and raw.refused.cleaning == clean_version(contract, raw.version)
