"""The version of a cleaned month. Equal versions mean equal rows, so that nothing is cleaned twice.

Belongs here: the revision of the cleaning code, and how versions are written. Does not: storing or comparing them.
"""

from __future__ import annotations

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.contracts.contract import Contract

__all__ = ["CLEANING_REVISION", "clean_version", "code_version"]

CLEANING_REVISION = 2
"""Raise it with every change of this package after which some month would be read or judged differently."""


def code_version(contract: Contract) -> str:
    """``9f3a…-1``: the contract's fingerprint and the revision of the code that applies it."""
    return f"{contract.fingerprint}-{CLEANING_REVISION}"


def clean_version(contract: Contract, raw_version: str, options: CleaningOptions | None = None) -> str:
    """``{raw version}-{code version}``, then ``+name`` for every option that is on."""
    switched_on = options.switched_on if options else ()
    return "+".join((f"{raw_version}-{code_version(contract)}", *switched_on))
