"""Whether a store that speaks S3's protocol keeps the conditions that writers at the same time rely on.

Belongs here: trying it out, once per lake. Does not: writing on condition (``requests``). Amazon's own store,
Google's and Azure's promise it; of the others some ignore the headers, and versions of a month would be lost silently.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreError
from taxi_platform.stores.lake.objects.requests import LostRaceError

if TYPE_CHECKING:
    from taxi_platform.stores.lake.objects.requests import CloudRequests

__all__ = ["check_conditions"]

_CHECKED = ".conditions"
"""Holds the address of the store that was found to keep conditions: a lake that moves is tried again."""


def check_conditions(requests: CloudRequests, discard: Callable[[Sequence[str]], None]) -> None:
    """Try what must be refused, unless that was done before in this lake; ``discard`` takes away what it leaves.

    Raises:
        StoreError: the store takes a write whose condition does not hold.
    """
    cloud = requests.cloud
    if cloud.scheme != "s3" or not cloud.endpoint:
        return
    address = cloud.endpoint.encode()
    found = requests.get(_CHECKED)
    if found is None or found[0] != address:
        _try_conditions(requests, discard)
        requests.put_small(_CHECKED, address, "overwrite")


def _try_conditions(requests: CloudRequests, discard: Callable[[Sequence[str]], None]) -> None:
    first, second = (f".incoming/probe.{uuid.uuid4().hex}" for _ in range(2))
    tries: dict[str, Callable[[], None]] = {
        "a second creation of one object": lambda: requests.put_small(first, b"second", "create"),
        "a change of a version that is not there": lambda: requests.put_small(first, b"3", {"e_tag": f'"{"0" * 32}"'}),
        "a copy over an object that is there": lambda: requests.copy_to_free_name(second, first),
    }
    try:
        for path in (first, second):
            requests.put_small(path, b"first", "overwrite")
        for what, request in tries.items():
            with suppress(LostRaceError):
                request()
                raise StoreError(
                    f"no lake can be kept at {requests.cloud.endpoint}: the store lets {what} pass, so that runs at "
                    "once would lose months; take one with conditional writes, or, where only copies lack them, set "
                    "AWS_COPY_IF_NOT_EXISTS=multipart"
                )
    finally:
        discard([first, second])
