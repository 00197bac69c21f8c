"""Google Cloud: who we are, which emulator stands in, and the checksum Cloud Storage keeps of an object.

Belongs here: credentials shared by the lake on ``gs://`` and by BigQuery. Does not: either of the two stores.
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
"""A service account to act as; the name that Terraform's and Pulumi's Google providers use."""


class Token(TypedDict):
    """A bearer token, as obstore's credential providers return it."""

    token: str
    expires_at: datetime | None


def emulator(variable: str) -> str | None:
    """The base URL of an emulator named by ``STORAGE_EMULATOR_HOST`` or ``BIGQUERY_EMULATOR_HOST``, if any."""
    host = os.environ.get(variable, "").rstrip("/")
    if not host:
        return None
    return host if "://" in host else f"http://{host}"


def credentials() -> Credentials:
    """Application Default Credentials (a user's, a service-account file's, the machine's), impersonating if asked.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: there are none.
    """
    import google.auth
    from google.auth import impersonated_credentials

    impersonate: Any = impersonated_credentials.Credentials
    own, _ = google.auth.default(scopes=_SCOPES)
    if target := os.environ.get(_IMPERSONATE):
        return cast("Credentials", impersonate(own, target_principal=target, target_scopes=_SCOPES))
    return own


def token_provider() -> Callable[[], Token]:
    """A source of bearer tokens for obstore; credentials are looked for when the first token is asked for.

    obstore has one of its own, which Python 3.10 cannot import.
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
    """Emulators take any token."""
    return {"token": "x", "expires_at": None}


def verify_crc32c(endpoint: str, token: Callable[[], Token], name: str, generation: str | None, file: Path) -> None:
    """Compare the CRC32C that Cloud Storage computed of an object with the file's.

    Objects put in several parts have no MD5 there, but always a CRC32C
    (https://cloud.google.com/storage/docs/data-validation).

    Args:
        endpoint: Cloud Storage's base URL.
        token: source of bearer tokens.
        name: ``bucket/path/of/object``.
        generation: of the object, as the upload ended with; one that has been replaced since is not verified.
        file: what the object should be.

    Raises:
        StoreError: the two differ, or Cloud Storage told no checksum.
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
