"""Whether a file belongs to the dataset that its name says, and whether its columns can be told apart.

Belongs here: checks of a file's column names, against each other and against every contract. Does not: comparing with
one contract (``contracts.matching``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import UNPARSED_COLUMN, Match, match_columns, require_columns
from taxi_platform.contracts.model import FILE_MONTH, normalised
from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.errors import BrokenFileError, ContractError
from taxi_platform.months import TripMonth

__all__ = ["require_dataset"]

_OURS = (UNPARSED_COLUMN, FILE_MONTH.name, "month", "file_name")
"""Names that a file must not use. Raw files have the first beside upstream's columns; views over raw months have the
others."""


def require_dataset(contract: Contract, month: TripMonth, names: Sequence[str], where: str) -> Match:
    """Match the file's columns with the contract, after checking that the file belongs to the dataset.

    Raises:
        BrokenFileError: two columns have one name, or one has a name of this platform's own.
        ContractError: a column that the contract requires in that month is missing, or every column is known to
            another dataset and some are not known to this one.
    """
    _require_names(month, names, where)
    other = _better_fit(contract, month, names)
    if other is not None:
        raise ContractError(
            f"{where} holds {other.title} trips, not {contract.title} ones: its columns are those of a {other.dataset} "
            f"file; the month before it stays in place"
        )
    return require_columns(contract, names, month, where)


def _require_names(month: TripMonth, names: Sequence[str], where: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    ours = [name for name in names if normalised(name) in _OURS]
    if twice or ours:
        what = (
            f"'{excerpt(twice[0])}' twice"
            if twice
            else f"'{excerpt(ours[0])}', a name that this platform keeps for itself"
        )
        raise BrokenFileError(
            f"{where} cannot be read as {month}: it has the column {what}; the month before it stays in place"
        )


def _better_fit(contract: Contract, month: TripMonth, names: Sequence[str]) -> Contract | None:
    """Another dataset whose contract fits the file completely, if this one's does not."""
    if _fits_wholly(contract, month, names):
        return None
    others = (other for other in CONTRACTS.values() if other.dataset != contract.dataset)
    return next((other for other in others if _fits_wholly(other, month, names)), None)


def _fits_wholly(contract: Contract, month: TripMonth, names: Sequence[str]) -> bool:
    match = match_columns(contract, names, contract.month(month.first_day))
    return not match.missing and not match.unknown
