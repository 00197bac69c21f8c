"""BigQuery's dataset behind ``bigquery://project/dataset?location=EU``: the client, queries with a bound, errors.

Belongs here: what every use of BigQuery shares. Does not: months and tables (``bigquery``), load jobs
(``bigquery_jobs``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from taxi_platform.errors import SettingsError, StoreBusyError, StoreError
from taxi_platform.stores.model import SCHEMA, split_name

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import bigquery

__all__ = ["MAXIMUM_BYTES_BILLED", "BigQueryDataset", "parse_address"]

MAXIMUM_BYTES_BILLED = 200 * 10**9
"""A query that would read more is refused before it costs anything; all of yellow's trips are less."""

_ROLES = "roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the dataset"
_MAINTENANCE = "an hourly limit of BigQuery, or a moment's trouble there: run it again"


def parse_address(url: str) -> BigQueryDataset:
    """``bigquery://project/dataset?location=EU``; the location is US without one. Raises `SettingsError`."""
    parts = urlsplit(url)
    dataset = parts.path.strip("/")
    if parts.scheme != "bigquery" or not parts.netloc or not re.fullmatch(r"\w+", dataset, re.ASCII):
        raise SettingsError(f"TAXI_WAREHOUSE={url} is not bigquery://project/dataset?location=…")
    location = parse_qs(parts.query).get("location", ["US"])[0]
    return BigQueryDataset(parts.netloc, dataset, location)


@dataclass(frozen=True)
class BigQueryDataset:
    """One dataset of one project; the client is made at first use, no request before that."""

    project: str
    name: str
    location: str

    def __str__(self) -> str:
        return f"the BigQuery dataset {self.project}.{self.name}"

    def table_id(self, qualified_name: str) -> str:
        """A table's full name: the platform's own (``taxi.…``) are in this dataset, others in that of their schema.

        Raises:
            StoreError: the schema is this dataset, where it could be taken for one of the platform's own.
        """
        schema, name = split_name(qualified_name)
        if schema == self.name != SCHEMA:
            raise StoreError(
                f"{qualified_name} would stand among the platform's own tables, which are in {self}: give it another "
                "schema, or TAXI_WAREHOUSE another dataset"
            )
        return f"{self.project}.{self.name if schema == SCHEMA else schema}.{name}"

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
        from google.cloud import bigquery

        return bigquery.Client(project=self.project, credentials=self.credentials, location=self.location)

    def query(self, sql: str, **parameters: object) -> bigquery.table.RowIterator:
        """Run one query or statement, its values bound by name (``@file_month``); waits for its end."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            maximum_bytes_billed=MAXIMUM_BYTES_BILLED,
            query_parameters=[_parameter(name, value) for name, value in parameters.items()],
            labels=dict(LABELS),
        )
        with self.clear_errors("query"):
            return self.client.query(sql, job_config=config).result()

    @contextmanager
    def clear_errors(self, doing: str) -> Iterator[None]:
        """Turn what BigQuery and the search for credentials refuse into one sentence."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        try:
            yield
        except GoogleAuthError as error:
            remedy = "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
            raise StoreError(f"no valid credentials for {self} ({_first_line(error)}): {remedy}") from error
        except (GoogleAPIError, ConnectionError) as error:
            raise self._explained(doing, error) from error

    def _explained(self, doing: str, error: Exception) -> StoreError | StoreBusyError:
        from google.api_core import exceptions

        what = f"{self} cannot {doing}"
        if isinstance(error, exceptions.TooManyRequests | exceptions.ServerError):
            return StoreBusyError(f"{what} ({_first_line(error)}): {_MAINTENANCE}")
        if isinstance(error, exceptions.Forbidden) and "accessDenied" in _reasons(error):
            return StoreError(f"{what}: permission denied; these credentials need {_ROLES} ({_first_line(error)})")
        if isinstance(error, exceptions.Forbidden) and "rateLimitExceeded" in _reasons(error):
            return StoreBusyError(f"{what} ({_first_line(error)}): {_MAINTENANCE}")
        return StoreError(f"{what}: {_first_line(error)}")


LABELS: Mapping[str, str] = {"managed_by": "taxi_platform"}
"""On the dataset, its tables and every job, so that a bill can be split by them."""


def _parameter(name: str, value: object) -> bigquery.ScalarQueryParameter:
    from datetime import date, datetime

    from google.cloud import bigquery

    kind = {str: "STRING", int: "INT64", date: "DATE", datetime: "DATETIME", type(None): "DATETIME"}[type(value)]
    return bigquery.ScalarQueryParameter(name, kind, value)  # type: ignore[arg-type]


def _reasons(error: Exception) -> set[str]:
    return {str(detail.get("reason")) for detail in getattr(error, "errors", ()) if isinstance(detail, dict)}


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
