"""Versions of raw months that cleaning has refused: what is recorded of a refusal, and whether it still holds.

Belongs here: those two questions. Does not: the rules that refuse (``cleaning``), and storing a refusal (``stores``).
"""

from __future__ import annotations

from taxi_platform.cleaning.version import clean_version
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import RawMonth, Refusal

__all__ = ["is_refused", "refusal"]


def refusal(contract: Contract, raw: RawMonth, sentence: str) -> Refusal:
    """The record of a refusal that the lake keeps with the version. Run options are not part of it."""
    return Refusal(sentence, clean_version(contract, raw.version))


def is_refused(contract: Contract, raw: RawMonth) -> bool:
    """Whether that version would only be refused again; false once the contract or the cleaning code has changed."""
    return raw.refused is not None and raw.refused.cleaning == clean_version(contract, raw.version)
