"""Three clouds: where their stores answer, who we are there, and what their refusals mean.

Belongs here: addresses, credentials, checksums and error texts per cloud; emulators by each cloud's usual environment
variable. Does not: what is read or written (``objects_cloud``). Google's own libraries are imported for ``gs://`` only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

__all__ = ["Cloud", "connect", "is_refusal"]

_CLIENT: ClientConfig = {"timeout": timedelta(minutes=5), "connect_timeout": timedelta(seconds=10)}
_RETRY: RetryConfig = {"max_retries": 6, "retry_timeout": timedelta(minutes=2)}

_MISSING_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|specified (bucket|container) does not exist")
_ROLES = {
    "gs": "roles/storage.objectUser on the bucket",
    "s3": "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket",
    "az": "the role Storage Blob Data Contributor on the container",
}
_CREDENTIALS = {
    "gs": "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS",
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or run where an identity is attached",
}


@dataclass(frozen=True)
class Cloud:
    """A connection to one bucket of one cloud."""

    scheme: str
    bucket: str
    store: ObjectStore
    verify: Callable[[str, ObjectMeta, Path], None]
    """Compare the stored object's checksum with the file's where the cloud tells it; raises `StoreError`."""

    def is_missing_bucket(self, error: Exception) -> bool:
        """Whether a "not found" is about the bucket rather than the object; a HEAD request does not tell."""
        return _MISSING_BUCKET.search(str(error)) is not None

    def explain(self, error: Exception) -> str:
        """What a refusal means and what to do about it, in half a sentence."""
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        text = str(error)
        if isinstance(error, FileNotFoundError) or self.is_missing_bucket(error):
            return f"there is no bucket {self.bucket}: create it, or set TAXI_LAKE to one that exists"
        if isinstance(error, PermissionDeniedError) or "AccessDenied" in text:
            return f"permission denied: these credentials need {_ROLES[self.scheme]}"
        if isinstance(error, UnauthenticatedError) or type(error).__module__.startswith("google.auth"):
            return f"no valid credentials ({_first_line(text)}): {_CREDENTIALS[self.scheme]}"
        if isinstance(error, OSError):
            return error.strerror or text
        return f"{_first_line(text)}: check the address and the network, then run it again"


def connect(scheme: str, bucket: str, prefix: str) -> Cloud:
    """The bucket as its cloud's own environment variables say; no request is sent yet."""
    return {"gs": _google, "s3": _amazon, "az": _azure}[scheme](bucket, prefix or None)


def is_refusal(error: Exception) -> bool:
    """Whether a store, the network or the search for credentials said no, rather than a mistake of this code."""
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError | OSError) or type(error).__module__.startswith("google.auth.")


def _google(bucket: str, prefix: str | None) -> Cloud:
    """Google Cloud Storage (at ``GOOGLE_BASE_URL``, if set), or the emulator at ``STORAGE_EMULATOR_HOST``."""
    from obstore.store import GCSStore

    from taxi_platform.stores import google

    emulator = google.emulator("STORAGE_EMULATOR_HOST")
    endpoint = emulator or os.environ.get("GOOGLE_BASE_URL", "https://storage.googleapis.com").rstrip("/")
    token = google.emulator_token if emulator else google.token_provider()
    store = GCSStore(
        bucket,
        prefix=prefix,
        base_url=endpoint,
        credential_provider=token,
        client_options=_client(endpoint),
        retry_config=_RETRY,
    )
    root = f"{bucket}/{prefix}" if prefix else bucket

    def verify(path: str, meta: ObjectMeta, file: Path) -> None:
        google.verify_crc32c(endpoint, token, f"{root}/{path}", meta["version"], file)

    return Cloud("gs", bucket, store, verify)


def _amazon(bucket: str, prefix: str | None) -> Cloud:
    """Amazon S3, or what speaks its protocol at ``AWS_ENDPOINT_URL``.

    Every request carries the SHA-256 of its body, so the store refuses bytes that changed on their way. A copy on
    condition is a CopyObject with ``If-None-Match``, which keeps an object's metadata (S3 has it since 2025); for a
    store without it set ``AWS_COPY_IF_NOT_EXISTS=multipart``.
    """
    from obstore.store import S3Store

    config: S3Config = {}
    if "AWS_CHECKSUM_ALGORITHM" not in os.environ:
        config["checksum_algorithm"] = "sha256"
    if "AWS_COPY_IF_NOT_EXISTS" not in os.environ:
        config["copy_if_not_exists"] = "header:If-None-Match:*"
    client = _client(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    store = S3Store(bucket, prefix=prefix, config=config, client_options=client, retry_config=_RETRY)
    return Cloud("s3", bucket, store, _verified_by_the_store)


def _azure(container: str, prefix: str | None) -> Cloud:
    """Azure Blob Storage, or the emulator at ``AZURE_STORAGE_ENDPOINT``."""
    from obstore.store import AzureStore

    client = _client(os.environ.get("AZURE_STORAGE_ENDPOINT") or os.environ.get("AZURE_ENDPOINT") or "")
    store = AzureStore(container, prefix=prefix, client_options=client, retry_config=_RETRY)
    return Cloud("az", container, store, _verified_by_the_store)


def _verified_by_the_store(path: str, meta: ObjectMeta, file: Path) -> None:
    """S3 has compared a SHA-256 per request; Azure tells no checksum of a blob put in blocks, its size is known."""


def _client(endpoint: str = "") -> ClientConfig:
    """HTTP options; plain http only where an endpoint asks for it, as emulators do."""
    return {**_CLIENT, "allow_http": endpoint.startswith("http://")}


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return line if len(line) <= 200 else line[:199] + "…"
