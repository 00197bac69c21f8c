"""BigQuery's requests: each is retried while its failure may pass, and silence is never waited for without a limit.

Belongs here: the client, and whether its errors may pass. Does not: sentences (``connection``) and jobs. The client's
own retries are not used: they wait ten minutes for every request, log nothing, and ignore the service's reason.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxi_platform.stores import google
from taxi_platform.transience import PATIENT, Failure, of_exception, of_http

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import bigquery

__all__ = ["SILENCE", "connected", "failure_of", "reasons"]

_LOG = logging.getLogger(__name__)

SILENCE = (10.0, 60.0)
"""Seconds for a connection, and without a byte of an answer. No answered request takes so long: a query's end is asked
for every ten seconds."""


def connected(project: str, credentials: Credentials, location: str, wait_seconds: float) -> bigquery.Client:
    """A client of the project; each of its requests waits for at most ``wait_seconds``."""
    from google.cloud import bigquery

    class PatientClient(bigquery.Client):
        def _call_api(self, retry: object, *arguments: Any, **options: Any) -> Any:
            """Send one request. All requests of the client, its jobs and its pages of rows pass through here."""
            del retry
            # BigQuery answers a request for the results of a failed job with that failure, however often it is asked.
            # So after a few tries the error goes to the caller, who can send the job again.
            policy = replace(PATIENT, attempts=3) if "/queries/" in str(options.get("path")) else PATIENT
            options["timeout"] = tuple(min(seconds, max(wait_seconds, 1.0)) for seconds in SILENCE)
            call: Any = super()._call_api
            return policy.call(
                lambda: call(None, *arguments, **options),
                wait_seconds=wait_seconds,
                worth=lambda error: failure_of(error) is Failure.TRANSIENT,
                tell=lambda error, seconds: _LOG.warning(
                    "BigQuery: %s; trying again in %.1f s", str(error).partition("\n")[0], seconds
                ),
            )

    emulator = google.emulator("BIGQUERY_EMULATOR_HOST")
    where = {"api_endpoint": emulator} if emulator else None  # the client needs the scheme
    return PatientClient(project=project, credentials=credentials, location=location, client_options=where)


def failure_of(error: BaseException) -> Failure:
    """What an error of the client means for the next attempt."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return of_http(code, sorted(reasons(error)), str(getattr(error, "message", "") or error))
    if getattr(error, "retryable", False):  # of google.auth
        return Failure.TRANSIENT
    return of_exception(error)


def reasons(error: BaseException) -> set[str]:
    """BigQuery's own reasons in an error (https://cloud.google.com/bigquery/docs/error-messages)."""
    return {str(detail.get("reason")) for detail in getattr(error, "errors", ()) if isinstance(detail, dict)}
