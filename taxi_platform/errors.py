"""What can go wrong, as types: the type decides whether trying again makes sense.

Belongs here: exception classes shared by sources, stores, cleaning and the Dagster layer.
Does not: messages (each is written where the fact is known), and what a service's answer means (``transience``).

Every message is one sentence that says what happened, where, and what to do about it.
"""

__all__ = [
    "BrokenFileError",
    "ChangedFormatError",
    "ContractError",
    "DamagedError",
    "MonthNotPublishedError",
    "PermanentError",
    "RefusedMonthError",
    "RunCanceledError",
    "SettingsError",
    "StoreBusyError",
    "StoreError",
    "StoreUnavailableError",
    "TaxiError",
    "TransientError",
    "UpstreamChangedError",
    "UpstreamUnavailableError",
]


class TaxiError(Exception):
    """Base of every error this platform raises on purpose; its text is one clear sentence."""


class TransientError(TaxiError):
    """The same call may succeed later: time-outs, resets, 5xx answers, a store held by another process."""


class PermanentError(TaxiError):
    """Trying again changes nothing until somebody acts: a 404, a broken file, a wrong setting."""


class SettingsError(PermanentError):
    """A ``TAXI_…`` variable or an option has a value that cannot be used; the message names it."""


class RunCanceledError(PermanentError):
    """A run was interrupted or cancelled before its end: what it stored stays, and it can be run again."""


class MonthNotPublishedError(PermanentError):
    """Upstream has no file for this dataset and month (404; on TLC's own host also 403)."""


class BrokenFileError(PermanentError):
    """The upstream file is not what its name says: truncated, an error page, another dataset's month."""


class ContractError(PermanentError):
    """The file reads, but a column that the dataset's contract requires for that generation is missing."""


class ChangedFormatError(PermanentError):
    """The file reads, but so much of it does not fit that its format has changed: not dirt, and no month to replace
    the one before it, unless somebody says so (``CleaningOptions.accept_changed_format``)."""


class RefusedMonthError(PermanentError):
    """Cleaning refused this version of a raw month, and neither upstream, nor the revision, nor the consent changed."""


class StoreError(PermanentError):
    """A lake, warehouse or database refused or contradicts what was asked (wrong address, full disk, torn month)."""


class DamagedError(StoreError):
    """An object of the lake is missing, or is not what was stored: it counts as absent where it can be made again."""


class UpstreamUnavailableError(TransientError):
    """Upstream did not answer, or answered 5xx, after every retry."""


class UpstreamChangedError(TransientError):
    """Upstream's file changed between looking and fetching, or fewer bytes came than it announced."""


class StoreBusyError(TransientError):
    """Another process held the store for longer than the waiting time allows; the message names it."""


class StoreUnavailableError(TransientError):
    """A store did not answer, or answered that it cannot now, for as long as the waiting time allows."""
