"""BigQuery's requests: each is retried while its failure may pass, and silence is never waited for without a limit.

Belongs here: the client. Does not: what its errors mean (``errors``) and jobs. The client's
own retries are not used: they wait ten minutes for every request, log nothing, and ignore the service's reason.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxi_platform.stores import google
from taxi_platform.stores.bigquery.errors import failure_of
from taxi_platform.transience import PATIENT, Failure

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import bigquery

__all__ = ["SILENCE", "connected"]

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
