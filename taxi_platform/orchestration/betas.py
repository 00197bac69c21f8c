"""What Dagster calls a beta and this project uses knowingly.

Belongs here: the list, and using it without Dagster's warning. Does not: warnings of anything else, which are heard.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import dagster as dg

__all__ = ["knowingly"]

_USED = (
    "backfill_policy",  # a single-run backfill makes a range of months one run
    "use_user_code_server",  # the daemon knows none of our own automation conditions, our code does
)
"""The parameters that Dagster's warnings name."""


@contextlib.contextmanager
def knowingly() -> Iterator[None]:
    """Define Dagster objects with those parameters, without a warning for each; a decorator, too."""
    with warnings.catch_warnings():
        for parameter in _USED:
            warnings.filterwarnings("ignore", f"Parameter `{parameter}`", dg.BetaWarning)
        yield
