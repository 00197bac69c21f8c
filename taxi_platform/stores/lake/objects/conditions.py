"""Whether a store with S3's protocol obeys the write conditions that parallel writers rely on.

Belongs here: testing it, once per lake. Does not: conditional writes themselves (``requests``). Amazon, Google and
Azure promise it. Some other stores ignore the headers, and versions of a month would silently get lost.
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
"""An object with the address of the store that passed the test; a lake that moves is tested again."""


def check_conditions(requests: CloudRequests, discard: Callable[[Sequence[str]], None]) -> None:
    """Test that a failing condition is refused, unless this lake was tested before.

    Args:
        requests: the store.
        discard: removes the objects that the test made.

    Raises:
        StoreError: the store accepts a write whose condition does not hold.
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
