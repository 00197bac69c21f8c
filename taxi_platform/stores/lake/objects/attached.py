"""Whether an identity is attached to this machine, as to one rented from Amazon or Microsoft.

Belongs here: asking there, with a bound. Does not: credentials (``amazon``, ``clouds``); Google's asks by itself.
Elsewhere packets to that address may just vanish, and obstore would wait for minutes.
"""

from __future__ import annotations

__all__ = ["METADATA", "is_answered"]

METADATA = "http://169.254.169.254"
"""docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
learn.microsoft.com/azure/virtual-machines/instance-metadata-service."""
_SECONDS = 2.0


def is_answered(method: str, url: str, headers: dict[str, str]) -> bool:
    """Whether the request is answered well, soon."""
    import requests

    with requests.Session() as session:
        session.trust_env = False  # the address is this machine's own: no proxy knows it
        try:
            with session.request(method, url, headers=headers, timeout=_SECONDS) as answer:
                return answer.ok
        except requests.RequestException:
            return False
