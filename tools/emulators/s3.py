"""Amazon S3 for tests: moto's server, made to keep the promises that the lake is built on.

What moto lacks is added here: conditional writes judged one at a time, and CopyObject with ``If-None-Match: *``. Each
has a test of its own in ``test_emulated_s3`` that cites Amazon's reference.

Run by itself: ``python -m tools.emulators.s3 PORT``; objects are kept in memory.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from tools.emulators.process import EmulatorMissingError, free_port, running

__all__ = ["ENVIRONMENT", "create_bucket", "emulated_s3"]

_LOCK = threading.RLock()

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
"""Any credentials will do; the address comes with them as ``AWS_ENDPOINT_URL``."""


@contextmanager
def emulated_s3(log: Path) -> Iterator[str]:
    """A running emulator: its URL, as ``AWS_ENDPOINT_URL`` takes it.

    Raises:
        EmulatorMissingError: the Python package moto[server] is not installed.
    """
    for package in ("moto", "flask"):
        if importlib.util.find_spec(package) is None:
            raise EmulatorMissingError("the Python package moto[server] is not installed")
    port = free_port()
    with running([sys.executable, "-m", __name__, str(port)], port, log):
        yield f"http://127.0.0.1:{port}"


def create_bucket(url: str, bucket: str) -> None:
    import requests

    requests.put(f"{url}/{bucket}", timeout=10).raise_for_status()


def serve(port: int) -> None:
    """Serve until killed."""
    from moto.s3.responses import S3Response
    from moto.server import main

    S3Response.copy_object = _create_once(S3Response.copy_object)
    for method in ("copy_object", "put_object", "key_response"):
        setattr(S3Response, method, _one_at_a_time(getattr(S3Response, method)))
    main(["-H", "127.0.0.1", "-p", str(port)])


def _create_once(copy: Callable[..., Any]) -> Callable[..., Any]:
    from moto.s3.exceptions import PreconditionFailed

    @wraps(copy)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        standing = self.backend.get_object(self.bucket_name, self.parse_key_name())
        if self.headers.get("If-None-Match") == "*" and standing is not None:
            raise PreconditionFailed("If-None-Match")
        return copy(self, *args, **kwargs)

    return checked


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return method(*args, **kwargs)

    return locked


if __name__ == "__main__":
    serve(int(sys.argv[1]))
