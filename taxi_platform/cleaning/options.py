"""The choices a person has when a month is cleaned.

Belongs here: the options, their meaning and their names in a data version. Does not: applying them (``judging``,
``month``). The module is cheap to import, because Dagster's launchpad shows the options.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CleaningOptions"]


class CleaningOptions(BaseModel):
    """Cleaning beyond the contract's rules. Every option is off by default.

    With both on, zero counts are dropped first and missing counts filled afterwards: a filled 0 is not dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    drop_zero_passengers: bool = Field(
        default=False,
        description="Send trips that upstream reports with 0 passengers to quarantine, as zero_passengers.",
    )
    fill_missing_passengers: bool = Field(
        default=False,
        description="Write 0 where the passenger count of a clean trip is missing.",
    )

    accept_changed_format: bool = Field(
        default=False,
        description="Clean a month although its format has changed; what does not fit goes to quarantine.",
    )

    @property
    def switched_on(self) -> tuple[str, ...]:
        """Names of the options that are on, in the order they are applied."""
        return tuple(name for name, value in self if value)
