"""The error types of the platform; the type says whether a retry makes sense.

Belongs here: exception classes that sources, stores, cleaning and the Dagster layer share. Does not: sentences (each is
written where the fact is known), and what a service's answer means (``transience``).

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
    """The same call may succeed later: a time-out, a lost connection, a 5xx answer, a store held by another process."""


class PermanentError(TaxiError):
    """A retry changes nothing until somebody acts: a 404, a broken file, a wrong setting."""


class SettingsError(PermanentError):
    """A ``TAXI_…`` variable or an option cannot be used; the message names it."""


class RunCanceledError(PermanentError):
    """A run was interrupted or cancelled. What it stored stays, and it can be run again."""


class MonthNotPublishedError(PermanentError):
    """Upstream has no file for this dataset and month (404; on TLC's own host also 403)."""


class BrokenFileError(PermanentError):
    """The upstream file is not what its name says: truncated, an error page, another dataset's month."""


class ContractError(PermanentError):
    """The file can be read, but it lacks a column that the dataset's contract requires."""


class ChangedFormatError(PermanentError):
    """The file can be read, but too much of it does not fit: its format has changed.

    The stored month stays, unless a person accepts the new format (``CleaningOptions.accept_changed_format``).
    """


class RefusedMonthError(PermanentError):
    """Cleaning refused this version of a raw month before, and nothing has changed that could make it succeed."""


class StoreError(PermanentError):
    """A store refused a request or contradicts it: a wrong address, a full disk, contents against the contract."""


class DamagedError(StoreError):
    """An object of the lake is missing or is not what was stored. If it can be made again, it counts as absent."""


class UpstreamUnavailableError(TransientError):
    """Upstream did not answer, or answered 5xx, after every retry."""


class UpstreamChangedError(TransientError):
    """Upstream's file changed between the look and the fetch, or was shorter than announced."""


class StoreBusyError(TransientError):
    """Another process held the store for longer than the wait allows; the message names it."""


class StoreUnavailableError(TransientError):
    """A store did not answer, or reported that it cannot now, for longer than the wait allows."""
