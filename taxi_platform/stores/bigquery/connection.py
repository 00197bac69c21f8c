"""BigQuery's dataset behind ``bigquery://project/dataset?location=EU``: the client, and limited queries.

Belongs here: what every use of BigQuery shares. Does not: months and tables (``store``), load jobs (``jobs``), what
errors mean (``errors``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from taxi_platform.errors import SettingsError, StoreError, StoreUnavailableError
from taxi_platform.stores.bigquery.errors import refusal
from taxi_platform.stores.bigquery.requests import connected
from taxi_platform.stores.model import SCHEMA, split_name
from taxi_platform.transience import PATIENT

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import bigquery

__all__ = ["LABELS", "MAXIMUM_BYTES_BILLED", "BigQueryDataset", "parse_address"]

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

MAXIMUM_BYTES_BILLED = 200 * 10**9
"""A query that would read more is refused before it costs anything; all of yellow's trips are less."""


def parse_address(url: str, wait_seconds: float = 600.0) -> BigQueryDataset:
    """``bigquery://project/dataset?location=EU``; the location is US without one. Raises `SettingsError`."""
    parts = urlsplit(url)
    dataset = parts.path.strip("/")
    if parts.scheme != "bigquery" or not parts.netloc or not re.fullmatch(r"\w+", dataset, re.ASCII):
        raise SettingsError(f"TAXI_WAREHOUSE={url} is not bigquery://project/dataset?location=…")
    location = parse_qs(parts.query).get("location", ["US"])[0]
    return BigQueryDataset(parts.netloc, dataset, location, wait_seconds)


@dataclass(frozen=True)
class BigQueryDataset:
    """One dataset of one project. The first use makes the client; nothing is requested before."""

    project: str
    name: str
    location: str
    wait_seconds: float = 600.0
    """The longest wait of a request, or of a job, for BigQuery."""

    def __str__(self) -> str:
        return f"the BigQuery dataset {self.project}.{self.name}"

    def table_id(self, qualified_name: str) -> str:
        """A table's full name: the platform's own (``taxi.…``) are in this dataset, others in that of their schema.

        Raises:
            StoreError: the schema is this dataset's name, so that the table could be taken for one of the platform's.
        """
        schema, name = split_name(qualified_name)
        if schema == self.name != SCHEMA:
            raise StoreError(
                f"{qualified_name} would stand among the platform's own tables, which are in {self}: give it another "
                "schema, or TAXI_WAREHOUSE another dataset"
            )
        return f"{self.project}.{self.name if schema == SCHEMA else schema}.{name}"

    @property
    def _reference(self) -> str:
        """The dataset's full name; a table in a query that names no dataset is one of this."""
        return f"{self.project}.{self.name}"

    def sql(self, qualified_name: str) -> str:
        """A table's full name in a query."""
        return f"`{self.table_id(qualified_name)}`"

    @cached_property
    def credentials(self) -> Credentials:
        """Application Default Credentials; none for the emulator at ``BIGQUERY_EMULATOR_HOST``."""
        from google.auth.credentials import AnonymousCredentials

        from taxi_platform.stores import google

        anonymous: Any = AnonymousCredentials
        return anonymous() if google.emulator("BIGQUERY_EMULATOR_HOST") else google.credentials()

    @cached_property
    def client(self) -> bigquery.Client:
        """A client of the project, in the dataset's location."""
        return connected(self.project, self.credentials, self.location, self.wait_seconds)

    def query(self, sql: str, **parameters: object) -> bigquery.table.RowIterator:
        """Run one query or statement, with values bound by name (``@file_month``), and wait for its end.

        A statement is run again if its failure may pass, such as a concurrent change of the same table.
        """
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            maximum_bytes_billed=MAXIMUM_BYTES_BILLED,
            query_parameters=[_parameter(name, value) for name, value in parameters.items()],
            labels=dict(LABELS),
            default_dataset=self._reference,
        )
        return self.run(
            "query", lambda: self.client.query(sql, job_config=config, job_retry=None).result(job_retry=None)
        )

    def statement_type(self, sql: str) -> str:
        """What kind of statement it is, such as ``SELECT``, ``DELETE`` or ``SCRIPT``; a dry run costs nothing.

        https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobStatistics2.FIELDS.statement_type
        """
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, default_dataset=self._reference)
        return self.run("query", lambda: str(self.client.query(sql, job_config=config, job_retry=None).statement_type))

    def run(self, doing: str, job: Callable[[], T]) -> T:
        """Run a job to its end, and again while its failure may pass; ``doing`` names the work in error sentences."""

        def attempt() -> T:
            with self.clear_errors(doing):
                return job()

        return PATIENT.call(
            attempt,
            wait_seconds=self.wait_seconds,
            worth=lambda error: isinstance(error, StoreUnavailableError),
            tell=lambda error, seconds: _LOG.warning("%s; trying again in %.1f s", error, seconds),
        )

    @contextmanager
    def clear_errors(self, doing: str) -> Iterator[None]:
        """Turn errors of BigQuery, the network and the search for credentials into one sentence."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        try:
            yield
        except (GoogleAPIError, GoogleAuthError, RequestException, ConnectionError) as error:
            raise refusal(f"{self} cannot {doing}", str(self), error) from error


LABELS: Mapping[str, str] = {"managed_by": "taxi_platform"}
"""On the dataset, its tables and every job, so that a bill can be split by label."""


def _parameter(name: str, value: object) -> bigquery.ScalarQueryParameter:
    from datetime import date, datetime

    from google.cloud import bigquery

    kind = {str: "STRING", int: "INT64", date: "DATE", datetime: "DATETIME", type(None): "DATETIME"}[type(value)]
    return bigquery.ScalarQueryParameter(name, kind, value)  # type: ignore[arg-type]
