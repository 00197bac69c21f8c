"""Loads a local file into BigQuery, by an upload that starts the load job.

Belongs here: the upload (https://cloud.google.com/bigquery/docs/reference/api-uploads). Does not: which file, and into
which table (``jobs``). The client's own upload is not used, because it holds 100 MB of the file in memory.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import StoreUnavailableError
from taxi_platform.stores import google
from taxi_platform.stores.bigquery.connection import BigQueryDataset

if TYPE_CHECKING:
    from google.cloud import bigquery

__all__ = ["load_file"]

CHUNK = 8 << 20
"""Bytes sent, and held in memory, at a time."""


def load_file(
    dataset: BigQueryDataset,
    file: Path,
    destination: str,
    config: bigquery.LoadJobConfig,
    job_id: str | None = None,
) -> bigquery.LoadJob:
    """Start a load job from a file; returns when the file is uploaded, before the job has ended.

    Raises:
        StoreUnavailableError: BigQuery has lost the upload, or has finished it and the answer got lost.
        google.api_core.exceptions.GoogleAPICallError: BigQuery refused; `Conflict` means that the job id was used
        before.
    """
    from google.api_core import exceptions
    from google.auth.transport.requests import AuthorizedSession
    from google.resumable_media import InvalidResponse, RetryStrategy
    from google.resumable_media.requests import ResumableUpload

    session: Any = AuthorizedSession(dataset.credentials)  # type: ignore[no-untyped-call]
    base = google.emulator("BIGQUERY_EMULATOR_HOST") or "https://bigquery.googleapis.com"
    url = f"{base}/upload/bigquery/v2/projects/{dataset.project}/jobs?uploadType=resumable"
    job = _job(dataset, destination, config, job_id or str(uuid.uuid4()))
    with session, file.open("rb") as stream:
        upload: Any = ResumableUpload(url, CHUNK)  # type: ignore[no-untyped-call]
        # The library's own retries of a chunk keep the part that has arrived; they get the platform's time limit.
        retries: Any = RetryStrategy(max_cumulative_retry=dataset.wait_seconds)  # type: ignore[no-untyped-call]
        upload._retry_strategy = retries  # noqa: SLF001 (as Google's own client of Cloud Storage sets it)
        try:
            upload.initiate(session, stream, job, "application/octet-stream", total_bytes=file.stat().st_size)
            answer: Any = None
            while not upload.finished:
                answer = upload.transmit_next_chunk(session)
        except InvalidResponse as error:
            if error.response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                raise StoreUnavailableError(f"the upload to {destination} was cut off: run it again") from error
            raise exceptions.from_http_response(error.response) from error  # type: ignore[no-untyped-call]
    return dataset.client.job_from_resource(answer.json())  # type: ignore[return-value]


def _job(dataset: BigQueryDataset, destination: str, config: bigquery.LoadJobConfig, job_id: str) -> dict[str, Any]:
    from google.cloud import bigquery

    configuration: dict[str, Any] = config.to_api_repr()
    configuration["load"]["destinationTable"] = bigquery.TableReference.from_string(destination).to_api_repr()
    reference = {"projectId": dataset.project, "jobId": job_id, "location": dataset.location}
    return {"jobReference": reference, "configuration": configuration}
