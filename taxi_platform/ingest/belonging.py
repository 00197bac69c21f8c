"""Whether a file is of the dataset its name says.

Belongs here: comparing its column names with every contract. Does not: comparing with one (``contracts.matching``).
"""

from __future__ import annotations

from collections.abc import Sequence

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.matching import Match, match_columns, require_columns
from taxi_platform.contracts.model import Contract
from taxi_platform.errors import ContractError
from taxi_platform.months import TripMonth

__all__ = ["require_dataset"]


def require_dataset(contract: Contract, month: TripMonth, names: Sequence[str], where: str) -> Match:
    """How the file's columns fit the contract.

    Raises:
        ContractError: a column that the contract requires in that month is missing, or every column is known to
            another dataset and some are not known to this one.
    """
    other = _better_fit(contract, month, names)
    if other is not None:
        raise ContractError(
            f"{where} holds {other.title} trips, not {contract.title} ones: its columns are those of a {other.dataset} "
            f"file; the month before it stays in place"
        )
    return require_columns(contract, names, month, where)


def _better_fit(contract: Contract, month: TripMonth, names: Sequence[str]) -> Contract | None:
    """Another dataset whose contract such a file fits wholly, where it does not fit this one so."""
    if _fits_wholly(contract, month, names):
        return None
    others = (other for other in CONTRACTS.values() if other.dataset != contract.dataset)
    return next((other for other in others if _fits_wholly(other, month, names)), None)


def _fits_wholly(contract: Contract, month: TripMonth, names: Sequence[str]) -> bool:
    match = match_columns(contract, names, contract.month(month.first_day))
    return not match.missing and not match.unknown
