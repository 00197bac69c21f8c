"""BigQuery's errors as sentences, and as error types that say whether a retry makes sense.

Belongs here: BigQuery's own reasons, and advice for the user. Does not: which of them may pass (``transience``), and
requests (``requests``).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from taxi_platform.errors import StoreError, StoreUnavailableError
from taxi_platform.transience import Failure, is_distrust, of_exception, of_http

__all__ = ["failure_of", "refusal"]

_CREDENTIALS = "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
_MAINTENANCE = "a limit on requests, or a moment's trouble there, for longer than TAXI_WAIT_SECONDS: run it again later"
_REMEDIES = {
    "accessDenied": (
        "permission denied; these credentials need roles/bigquery.jobUser on the project and "
        "roles/bigquery.dataEditor on the dataset"
    ),
    "accountDisabled": "the account is disabled, or has no billing: settle it with Google",
    "billingNotEnabled": "the project has no billing, without which BigQuery loads but changes no rows: enable it",
    "billingTierLimitExceeded": "a limit on costs of the project's: raise it",
    "bytesBilledLimitExceeded": "the query would read more than the platform lets any: look at what it reads",
    "quotaExceeded": "a quota of the project is used up: wait until it is given anew, or have it raised",
    "blocked": "the project or the user is blocked by Google for a while: ask there",
}
"""BigQuery's own reason → advice (https://cloud.google.com/bigquery/docs/error-messages)."""


def refusal(what: str, dataset: str, error: Exception) -> StoreError | StoreUnavailableError:
    """An error with one sentence: what cannot be done, BigQuery's own message, and what to do.

    Args:
        what: the beginning of the sentence: who cannot do what.
        dataset: which dataset it is, in words.
        error: of BigQuery, the network or the search for credentials.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    own = _first_line(error)
    if failure_of(error) is Failure.TRANSIENT:
        if isinstance(error, GoogleAPIError):
            return StoreUnavailableError(f"{what} ({own}): {_MAINTENANCE}")
        return StoreUnavailableError(f"{what} ({_trouble(error)}): check the network, then run it again")
    if is_distrust(error):
        return StoreError(
            f"{what}: Google's certificate is not trusted: set REQUESTS_CA_BUNDLE to the authority's file"
        )
    if isinstance(error, GoogleAuthError) or getattr(error, "code", None) == HTTPStatus.UNAUTHORIZED:
        return StoreError(f"no valid credentials for {dataset} ({own}): {_CREDENTIALS}")
    remedies = [_REMEDIES[reason] for reason in sorted(_reasons(error)) if reason in _REMEDIES]
    return StoreError(f"{what} ({own}): {remedies[0]}" if remedies else f"{what}: {own}")


def failure_of(error: BaseException) -> Failure:
    """What an error of the client means for the next attempt."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return of_http(code, sorted(_reasons(error)), str(getattr(error, "message", "") or error))
    if getattr(error, "retryable", False):  # of google.auth
        return Failure.TRANSIENT
    return of_exception(error)


def _reasons(error: BaseException) -> set[str]:
    """BigQuery's own reasons in an error (https://cloud.google.com/bigquery/docs/error-messages)."""
    return {str(detail.get("reason")) for detail in getattr(error, "errors", ()) if isinstance(detail, dict)}


def _trouble(error: Exception) -> str:
    """The innermost text of a failed connection, which says best what happened."""
    text = str(error)
    if "timed out" in text:
        return "it is silent"
    found = re.findall(r"\[Errno -?\d+\] ([\w ]+)", text)
    return found[-1] if found else _first_line(error)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
