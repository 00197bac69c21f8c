"""Google Cloud: credentials, emulators, and the checksum that Cloud Storage keeps of an object.

Belongs here: what the lake on ``gs://`` and BigQuery share. Does not: either of the two stores.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import quote

from taxi_platform.errors import StoreError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

__all__ = ["credentials", "emulator", "emulator_token", "token_provider", "verify_crc32c"]

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_IMPERSONATE = "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"
"""A service account to impersonate; Terraform's and Pulumi's Google providers use the same name."""


class Token(TypedDict):
    """A bearer token in the form that obstore's credential providers return."""

    token: str
    expires_at: datetime | None


def emulator(variable: str) -> str | None:
    """The base URL of an emulator, from ``STORAGE_EMULATOR_HOST`` or ``BIGQUERY_EMULATOR_HOST``; None if unset."""
    host = os.environ.get(variable, "").rstrip("/")
    if not host:
        return None
    return host if "://" in host else f"http://{host}"


def credentials() -> Credentials:
    """Application Default Credentials, with impersonation if the environment asks for it.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: there are no credentials.
    """
    import google.auth
    from google.auth import impersonated_credentials

    impersonate: Any = impersonated_credentials.Credentials
    own, _ = google.auth.default(scopes=_SCOPES)
    if target := os.environ.get(_IMPERSONATE):
        return cast("Credentials", impersonate(own, target_principal=target, target_scopes=_SCOPES))
    return own


def token_provider() -> Callable[[], Token]:
    """A source of bearer tokens for obstore; credentials are looked up when the first token is needed.

    obstore has its own provider, which Python 3.10 cannot import.
    """
    found: list[Any] = []

    def token() -> Token:
        from google.auth.transport.requests import Request

        if not found:
            found.append(credentials())
        if not found[0].valid:
            found[0].refresh(Request())
        expiry: datetime | None = found[0].expiry
        return {"token": found[0].token, "expires_at": expiry and expiry.replace(tzinfo=timezone.utc)}

    return token


def emulator_token() -> Token:
    """A token for emulators, which accept any."""
    return {"token": "x", "expires_at": None}


def verify_crc32c(endpoint: str, token: Callable[[], Token], name: str, generation: str | None, file: Path) -> None:
    """Compare the CRC32C that Cloud Storage keeps of an object with the file's.

    Objects uploaded in several parts have no MD5 there, but always a CRC32C
    (https://cloud.google.com/storage/docs/data-validation).

    Args:
        endpoint: Cloud Storage's base URL.
        token: a source of bearer tokens.
        name: ``bucket/path/of/object``.
        generation: the object's generation after the upload; if the object was replaced since, nothing is compared.
        file: the file that was uploaded.

    Raises:
        StoreError: the two differ, or Cloud Storage gave no checksum.
    """
    import requests

    headers = {"Authorization": f"Bearer {token()['token']}"}
    query = {"generation": generation} if generation else {}
    answer = requests.head(f"{endpoint}/{quote(name)}", params=query, headers=headers, timeout=60)
    if answer.status_code == requests.codes.not_found and generation:
        return
    answer.raise_for_status()
    hashes = dict(part.strip().split("=", 1) for part in answer.headers.get("x-goog-hash", "").split(",") if part)
    if hashes.get("crc32c") != (expected := _crc32c(file)):
        raise StoreError(
            f"gs://{name} arrived with CRC32C {hashes.get('crc32c', '(none told)')} instead of {expected}: run it again"
        )


def _crc32c(file: Path) -> str:
    from google_crc32c import Checksum

    new: Any = Checksum
    checksum = new()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()
