"""The channels of alerts: Slack, e-mail and a webhook, behind one interface.

Belongs here: which channels the settings name, retrying, and testing a channel. Does not: the protocols (``posting``,
``mailing``) and keeping what could not be delivered (``outbox``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

from taxi_platform.orchestration.alerts.mailing import send_mail
from taxi_platform.orchestration.alerts.message import Alert, email_message, slack_payload, webhook_payload
from taxi_platform.orchestration.alerts.posting import post_json
from taxi_platform.orchestration.alerts.settings import AlertSettings
from taxi_platform.orchestration.alerts.undelivered import NotDeliveredError
from taxi_platform.transience import DELIVERY

__all__ = ["Channel", "Outcome", "Patience", "open_channels", "send_test_message"]


@dataclass(frozen=True)
class Patience:
    """How long a delivery may take. Three attempts of one channel stay well within a sensor tick's 60 seconds."""

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 2.0
    timeout: float = 5.0
    """Seconds to wait for an answer, per step of the protocol."""


@dataclass(frozen=True)
class Channel:
    """One channel; alerts and ticks call it by its `name`."""

    name: str
    deliver_once: Callable[[Alert, float], None] = field(repr=False)
    patience: Patience = Patience()

    def deliver(self, alert: Alert) -> None:
        """Deliver the alert; a failure that may pass is retried.

        Raises:
            NotDeliveredError: the alert was not delivered; the sentence has no secret.
        """
        patience = self.patience
        policy = replace(
            DELIVERY,
            first_wait=patience.first_wait,
            longest_wait=patience.longest_wait,
            attempts=patience.attempts,
        )
        try:
            policy.call(
                lambda: self.deliver_once(alert, patience.timeout),
                worth=lambda error: isinstance(error, NotDeliveredError) and error.may_pass,
            )
        except NotDeliveredError:
            raise
        except Exception as error:  # noqa: BLE001 — any unforeseen error of a channel means only that it is down
            raise NotDeliveredError(f"of an unexpected {type(error).__name__}", may_pass=False) from None


def open_channels(settings: AlertSettings, patience: Patience | None = None) -> list[Channel]:
    """The channels in the settings; nothing is connected before an alert is due."""
    patience = patience or Patience()
    channels = []
    if slack := settings.slack_webhook:
        channels.append(
            Channel("Slack", lambda alert, timeout: post_json(slack, slack_payload(alert), timeout), patience)
        )
    if (smtp := settings.smtp) and (sender := settings.email_from):
        receivers = settings.email_to
        channels.append(
            Channel(
                "e-mail",
                lambda alert, timeout: send_mail(smtp, email_message(alert, sender, receivers), timeout),
                patience,
            )
        )
    if webhook := settings.webhook:
        channels.append(
            Channel("webhook", lambda alert, timeout: post_json(webhook, webhook_payload(alert), timeout), patience)
        )
    return channels


@dataclass(frozen=True)
class Outcome:
    """The result of one delivery; `problem` is None if the channel took the message."""

    channel: str
    problem: str | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the channel took the message."""
        return self.problem is None

    def __str__(self) -> str:
        return f"{self.channel}: {'delivered' if self.is_delivered else f'not delivered because {self.problem}'}"


def send_test_message(settings: AlertSettings, patience: Patience | None = None) -> list[Outcome]:
    """Send one message through every configured channel, one after the other; the list is empty without channels."""
    alert = Alert(
        id=f"test.{uuid4()}",
        kind="test",
        title="taxi_platform can reach you here",
        details=("This is how alerts arrive: nothing is wrong.",),
        link=settings.ui_url,
    )
    return [_tried(channel, alert) for channel in open_channels(settings, patience)]


def _tried(channel: Channel, alert: Alert) -> Outcome:
    try:
        channel.deliver(alert)
    except NotDeliveredError as error:
        return Outcome(channel.name, str(error))
    return Outcome(channel.name)
