"""Versions of raw months that cleaning has refused: whether that still holds, and what a person is told.

Belongs here: those two. Does not: the rules that refuse (``cleaning``), and keeping what was refused (``stores``).
"""

from __future__ import annotations

from taxi_platform.cleaning.version import clean_version
from taxi_platform.contracts.model import Contract
from taxi_platform.errors import RefusedMonthError
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth, Refusal

__all__ = ["is_refused", "refusal", "refused"]


def refusal(contract: Contract, raw: RawMonth, sentence: str) -> Refusal:
    """As the lake keeps it with the version. Run options do not matter to it."""
    return Refusal(sentence, clean_version(contract, raw.version))


def is_refused(contract: Contract, raw: RawMonth) -> bool:
    """Whether cleaning that version would only refuse it again: false once contract or revision are others."""
    return raw.refused is not None and raw.refused.cleaning == clean_version(contract, raw.version)


def refused(month: TripMonth, sentence: str) -> RefusedMonthError:
    """The error of a month whose version was refused, for that reason, and what to do about it."""
    return RefusedMonthError(
        f"{sentence}; the version before stays everywhere, and to take this one in the format it has, run taxi run "
        f"--datasets {month.dataset} --months {month.label} --accept-changed-format"
    )
