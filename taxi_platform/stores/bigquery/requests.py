"""BigQuery's requests: each sent again for as long as what it fails of may pass, silence never waited for without end.

Belongs here: the client, and whether an error of it passes. Does not: sentences (``connection``) and jobs. The
client's own way of trying again waits ten minutes for every request, in silence, and decides by less than the reason.
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
"""Seconds for a connection, and without a byte of an answer: longer than any request takes that is answered at all (a
query's end is asked for every ten seconds)."""


def connected(project: str, credentials: Credentials, location: str, wait_seconds: float) -> bigquery.Client:
    """A client of the project whose requests wait for at most so long."""
    from google.cloud import bigquery

    class PatientClient(bigquery.Client):
        def _call_api(self, retry: object, *arguments: Any, **options: Any) -> Any:
            """Every request of the client, of its jobs and of its pages of rows comes by here."""
            del retry
            # Asked for the results of a job that has failed, BigQuery answers with that failure, however often: after a
            # few times it is the job that has to be sent again, which is for who sent it.
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
    where = {"api_endpoint": emulator} if emulator else None  # the client itself takes it with a scheme only
    return PatientClient(project=project, credentials=credentials, location=location, client_options=where)


def failure_of(error: BaseException) -> Failure:
    """What an error of the client's means."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return of_http(code, sorted(reasons(error)), str(getattr(error, "message", "") or error))
    if getattr(error, "retryable", False):  # of google.auth
        return Failure.TRANSIENT
    return of_exception(error)


def reasons(error: BaseException) -> set[str]:
    """BigQuery's own words for an error (https://cloud.google.com/bigquery/docs/error-messages)."""
    return {str(detail.get("reason")) for detail in getattr(error, "errors", ()) if isinstance(detail, dict)}
