"""Whether an identity is attached to this machine, as to machines rented from Amazon or Microsoft.

Belongs here: asking the machine's metadata address, with a time limit: elsewhere packets to that address may get lost,
and obstore would wait for minutes. Does not: credentials (``amazon``, ``clouds``). Google's library asks by itself.
"""

from __future__ import annotations

__all__ = ["METADATA", "is_answered"]

METADATA = "http://169.254.169.254"
"""docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
learn.microsoft.com/azure/virtual-machines/instance-metadata-service."""
_SECONDS = 2.0


def is_answered(method: str, url: str, headers: dict[str, str]) -> bool:
    """Whether the metadata address answers the request with success within two seconds."""
    import requests

    with requests.Session() as session:
        session.trust_env = False  # the address is local to this machine, so no proxy may be used
        try:
            with session.request(method, url, headers=headers, timeout=_SECONDS) as answer:
                return answer.ok
        except requests.RequestException:
            return False
