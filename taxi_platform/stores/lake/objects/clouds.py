"""The three clouds: their addresses, their credentials, and how long a request may take.

Belongs here: addresses, credentials and checksums of each cloud, and emulators by each cloud's usual environment
variable. Does not: requests (``requests``) and what a refusal means (``refusals``). Google's own libraries are imported
for ``gs://`` only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taxi_platform.errors import SettingsError, StoreError
from taxi_platform.stores.lake.objects.attached import METADATA, is_answered

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

__all__ = ["ORDINARY", "SILENCE", "Cloud", "Pace", "connect"]

SILENCE = 30.0
"""A request is given up after so many seconds without a byte of an answer, so that a hanging server costs no more."""

_PREFIXES = {"gs": "GOOGLE_… variables", "s3": "AWS_… variables", "az": "AZURE_… variables"}
_AZURE_CREDENTIALS = (
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USE_AZURE_CLI",
    "AZURE_SKIP_SIGNATURE",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_MSI_ENDPOINT",
    "AZURE_IDENTITY_ENDPOINT",
    "IDENTITY_ENDPOINT",
)
"""The credentials that obstore uses without the metadata address."""


@dataclass(frozen=True)
class Pace:
    """The time limits of one client; obstore fixes them when the client is made."""

    silence: float = SILENCE
    """Seconds without a byte of an answer, also while a body is sent; a slow line needs more of them for a part."""
    keeps_at_it: float = 10.0
    """Seconds in which obstore itself repeats a request. Longer waits are the caller's, which logs them. For a part of
    an upload some seconds are worth it, because if a part fails the whole upload fails."""


ORDINARY = Pace()


@dataclass(frozen=True)
class Cloud:
    """A connection to one bucket of one cloud."""

    scheme: str
    bucket: str
    at: Callable[[Pace], ObjectStore]
    """A client with those time limits."""
    verify: Callable[[str, ObjectMeta, Path], None]
    """Compares the stored object's checksum with the file's, if the cloud gives one; raises `StoreError`."""
    endpoint: str = ""
    """An address other than the cloud's own, if one is set."""

    @property
    def store(self) -> ObjectStore:
        """A client with the ordinary time limits."""
        return self.at(ORDINARY)


def connect(scheme: str, bucket: str, prefix: str) -> Cloud:
    """A connection to the bucket by its cloud's own environment variables; no request is sent yet.

    Raises:
        SettingsError: one of those variables cannot be used.
        StoreError: there are no credentials.
    """
    from obstore.exceptions import BaseError

    cloud = {"gs": _google, "s3": _amazon, "az": _azure}[scheme](bucket, prefix or None)
    try:
        cloud.at(ORDINARY)
    except BaseError as error:
        reason = str(error).splitlines()[0].partition(" error: ")[2]
        if "Invalid Access Key" in reason:
            raise SettingsError(f"AZURE_STORAGE_ACCOUNT_KEY is not a key as Azure gives them out ({reason})") from error
        raise SettingsError(f"{scheme}://{bucket} cannot be opened: {reason}; check the {_PREFIXES[scheme]}") from error
    return cloud


def _google(bucket: str, prefix: str | None) -> Cloud:
    """Google Cloud Storage (at ``GOOGLE_BASE_URL``, if set), or the emulator at ``STORAGE_EMULATOR_HOST``."""
    from obstore.store import GCSStore

    from taxi_platform.stores import google

    emulator = google.emulator("STORAGE_EMULATOR_HOST")
    endpoint = emulator or _endpoint("GOOGLE_BASE_URL") or "https://storage.googleapis.com"
    token = google.emulator_token if emulator else google.token_provider()

    @lru_cache
    def at(pace: Pace) -> ObjectStore:
        return GCSStore(
            bucket,
            prefix=prefix,
            base_url=endpoint,
            credential_provider=token,
            client_options=_client(endpoint, pace),
            retry_config=_retries(pace),
        )

    root = f"{bucket}/{prefix}" if prefix else bucket

    def verify(path: str, meta: ObjectMeta, file: Path) -> None:
        google.verify_crc32c(endpoint, token, f"{root}/{path}", meta["version"], file)

    return Cloud("gs", bucket, at, verify)


def _amazon(bucket: str, prefix: str | None) -> Cloud:
    """Amazon S3, or what speaks its protocol at ``AWS_ENDPOINT_URL``.

    Every request has the SHA-256 of its body, so that the store refuses bytes that changed on the way. A conditional
    copy is a CopyObject with ``If-None-Match``, which keeps an object's metadata (S3 has it since 2025). For a store
    without it, set ``AWS_COPY_IF_NOT_EXISTS=multipart``.
    """
    from obstore.store import S3Store

    from taxi_platform.stores.lake.objects import amazon

    endpoint = _endpoint("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    config: S3Config = amazon.credentials()
    if "AWS_CHECKSUM_ALGORITHM" not in os.environ:
        config["checksum_algorithm"] = "sha256"
    if "AWS_COPY_IF_NOT_EXISTS" not in os.environ:
        config["copy_if_not_exists"] = "header:If-None-Match:*"

    @lru_cache
    def at(pace: Pace) -> ObjectStore:
        return S3Store(
            bucket,
            prefix=prefix,
            config=config,
            client_options=_client(endpoint, pace),
            retry_config=_retries(pace),
        )

    return Cloud("s3", bucket, at, _verified_by_the_store, endpoint)


def _azure(container: str, prefix: str | None) -> Cloud:
    """Azure Blob Storage, or the emulator at ``AZURE_STORAGE_ENDPOINT``."""
    from obstore.store import AzureStore

    endpoint = _endpoint("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    if not any(os.environ.get(name) for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR")):
        raise SettingsError(
            "no storage account is named for az://: set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY "
            "unless an identity is attached to this machine"
        )
    if not any(os.environ.get(name) for name in _AZURE_CREDENTIALS) and not is_answered(
        "GET", f"{METADATA}/metadata/instance?api-version=2021-02-01", {"Metadata": "true"}
    ):
        raise StoreError(
            "no credentials for az://: set AZURE_STORAGE_ACCOUNT_KEY, or run where an identity is attached"
        )

    @lru_cache
    def at(pace: Pace) -> ObjectStore:
        return AzureStore(container, prefix=prefix, client_options=_client(endpoint, pace), retry_config=_retries(pace))

    return Cloud("az", container, at, _verified_by_the_store, endpoint)


def _verified_by_the_store(path: str, meta: ObjectMeta, file: Path) -> None:
    """Nothing to do: S3 has checked a SHA-256 per request. Azure gives no checksum of a blob made of blocks."""


def _endpoint(*variables: str) -> str:
    """The value of the first variable that is set; obstore reads them in the same order."""
    for variable in variables:
        if value := os.environ.get(variable, "").strip():
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise SettingsError(f"{variable}={value} is no address: write it as https://host, or http://host:port")
            return value.rstrip("/")
    return ""


def _client(endpoint: str, pace: Pace) -> ClientConfig:
    """HTTP options; plain http only for an endpoint that uses it, as emulators do."""
    return {
        "timeout": timedelta(days=7),  # no limit for a whole request, as long as bytes keep coming
        "read_timeout": timedelta(seconds=pace.silence),
        "connect_timeout": timedelta(seconds=10),
        "allow_http": endpoint.startswith("http://"),
    }


def _retries(pace: Pace) -> RetryConfig:
    return {
        "max_retries": 10,
        "retry_timeout": timedelta(seconds=pace.keeps_at_it),
        "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": 2},
    }
