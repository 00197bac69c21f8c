"""The one error of a channel.

Belongs here: what a delivery raises. Does not: an error that any other part of the platform raises (``errors``).
"""

__all__ = ["NotDeliveredError"]

from taxi_platform.errors import TaxiError


class NotDeliveredError(TaxiError):
    """A channel did not take an alert. The text completes "… because", and has no address and no password.

    It is always raised ``from None``: the errors of client libraries carry the webhook's address.
    """

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.may_pass = may_pass
        """Whether the same delivery may succeed later: no answer, a lost connection, 429 or 5xx."""
