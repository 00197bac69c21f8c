"""The version of a cleaned month. Equal versions mean equal rows, so that nothing is cleaned twice.

Belongs here: the revision of the cleaning code, and how versions are written. Does not: storing or comparing them.
"""

from __future__ import annotations

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.contracts.contract import Contract
from taxi_platform.references import CleanFacts

__all__ = ["CLEANING_REVISION", "clean_version", "code_version", "version_now"]

CLEANING_REVISION = 2
"""Raise it with every change of this package after which some month would be read or judged differently."""


def code_version(contract: Contract) -> str:
    """``9f3a…-1``: the contract's fingerprint and the revision of the code that applies it."""
    return f"{contract.fingerprint}-{CLEANING_REVISION}"


def clean_version(
    contract: Contract, raw_version: str, options: CleaningOptions | None = None, zone_shapes: str | None = None
) -> str:
    """``{raw version}-{code version}``, then ``+name`` for every option that is on.

    A month whose points were located by a version of the zones' shapes ends with ``+zones-`` and that version.
    """
    switched_on = options.switched_on if options else ()
    shapes = (f"zones-{zone_shapes}",) if zone_shapes else ()
    return "+".join((f"{raw_version}-{code_version(contract)}", *switched_on, *shapes))


def version_now(
    contract: Contract, raw_version: str, facts: CleanFacts, zone_shapes: str | None, options: CleaningOptions
) -> str:
    """The version that the month would get if it were cleaned now.

    Args:
        contract: the dataset's contract.
        raw_version: the raw version to clean.
        facts: of the pair that was made of it, which say whether the file has points.
        zone_shapes: the version of the zones' shapes; where they were lost, those that the pair was made by count.
        options: choices beyond the contract.
    """
    shapes = (zone_shapes or facts.zone_shapes) if facts.located else None
    return clean_version(contract, raw_version, options, shapes)
