"""What an alert says, and its form in each channel.

Belongs here: the `Alert` value, the words for each kind, and its form as Slack text, e-mail and JSON. Does not: when an
alert is due (``policy``) and its delivery (``channels``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timezone
from email.message import EmailMessage
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from taxi_platform.errors import SettingsError
from taxi_platform.months import add_months, month_label, parse_month

__all__ = ["Alert", "Kind", "email_message", "in_ranges", "one_line", "slack_payload", "webhook_payload"]

Kind = Literal["failure", "recovery", "success", "stale", "channel", "test"]

_LONGEST_DETAIL = 500
_MOST_DETAILS = 20
_CREDENTIALS = re.compile(r"(\w://)[^/\s@]+@")
_SYMBOLS: Mapping[Kind, str] = {
    "failure": ":x:",
    "recovery": ":white_check_mark:",
    "success": ":white_check_mark:",
    "stale": ":hourglass:",
    "channel": ":warning:",
    "test": ":wave:",
}


class Alert(BaseModel):
    """One message, the same for every channel; its `id` stays the same if it is delivered again.

    Text from other programs' errors is limited: lines, length, and no credentials in addresses.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Kind
    title: str
    details: tuple[str, ...] = ()
    dataset: str | None = None
    """The dataset, or the job of a run without one; None if the alert is about neither."""
    months: tuple[str, ...] = ()
    """``2020-03`` and so on: the months of the run, or those that are repaired or missing."""
    failed_months: dict[str, str] = Field(default_factory=dict)
    """Month → the sentence that says why it failed."""
    link: str | None = None
    at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))

    @field_validator("title", mode="after")
    @classmethod
    def _bounded_title(cls, value: str) -> str:
        return one_line(value)

    @field_validator("details", mode="after")
    @classmethod
    def _bounded_details(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        shown = tuple(map(one_line, value[:_MOST_DETAILS]))
        more = len(value) - _MOST_DETAILS + 1
        return shown if more <= 1 else (*shown[:-1], f"… and {more} more")

    @field_validator("failed_months", mode="after")
    @classmethod
    def _bounded_sentences(cls, value: dict[str, str]) -> dict[str, str]:
        return {month: one_line(sentence) for month, sentence in value.items()}


def one_line(text: str) -> str:
    """Text as one line of limited length, without ``user:password@`` in any address."""
    line = _CREDENTIALS.sub(r"\1…@", " ".join(text.split()))
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"


def in_ranges(labels: Iterable[str]) -> str:
    """``["2020-03", "2020-04", "2020-06"]`` → ``2020-03..2020-04, 2020-06``; other partition keys stay as they are."""
    pieces: list[list[str]] = []
    for label in sorted(labels):
        if pieces and _following(pieces[-1][-1]) == label:
            pieces[-1].append(label)
        else:
            pieces.append([label])
    return ", ".join(piece[0] if len(piece) == 1 else f"{piece[0]}..{piece[-1]}" for piece in pieces)


def _following(label: str) -> str | None:
    try:
        first_day: date = parse_month(label)
    except SettingsError:
        return None
    return month_label(add_months(first_day, 1))


def slack_payload(alert: Alert) -> dict[str, Any]:
    """The body for a Slack incoming webhook, in its mrkdwn (docs.slack.dev, "Formatting message text")."""
    lines = [f"{_SYMBOLS[alert.kind]} *{_escaped(alert.title)}*", *(f"• {_escaped(line)}" for line in alert.details)]
    if alert.link:
        lines.append(f"<{alert.link}|Open in Dagster>")
    return {"text": "\n".join(lines)}


def webhook_payload(alert: Alert) -> dict[str, Any]:
    """Every field of the alert as JSON; by ``id`` a receiver can drop a message that it got before."""
    return alert.model_dump(mode="json")


def email_message(alert: Alert, sender: str, receivers: Sequence[str]) -> EmailMessage:
    """A plain-text e-mail. Its Message-ID comes from the alert, so that mail programs see a repetition as one."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    message["Subject"] = f"[taxi] {alert.title}"
    message["Date"] = alert.at
    message["Message-ID"] = f"<{alert.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join([alert.title, "", *alert.details, "", alert.link or ""]).rstrip() + "\n")
    return message


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
