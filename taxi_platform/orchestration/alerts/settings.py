"""The ``TAXI_ALERT_…`` variables, read once: who is told, and how.

Belongs here: each variable with its default, check and description. Does not: talking to what they name (``channels``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from taxi_platform.machine.environment import read_environment, variable

__all__ = ["AlertSettings"]

_SECRET = frozenset({"slack_webhook", "webhook", "smtp"})
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")


class AlertSettings(BaseModel):
    """Every alert setting, validated and frozen; made by `from_environment`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    slack_webhook: SecretStr | None = Field(None, description="Slack incoming webhook: https://hooks.slack.com/….")
    webhook: SecretStr | None = Field(None, description="Any http(s):// address that takes a POST of JSON.")
    smtp: SecretStr | None = Field(
        None,
        description="smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 (TLS throughout).",
    )
    email_from: str | None = Field(None, description="Sender of the e-mails; goes with TAXI_ALERT_SMTP.")
    email_to: tuple[str, ...] = Field((), description="Comma-separated receivers; goes with TAXI_ALERT_SMTP.")
    on_success: bool = Field(False, description="Also a message for every run that succeeds.")
    ui_url: str = Field("http://127.0.0.1:3000", description="Where people reach the Dagster UI: base of the links.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> AlertSettings:
        """Read the ``TAXI_ALERT_…`` variables; an empty one counts as not set.

        Raises:
            SettingsError: a value cannot be used; the sentence names the variable, and never shows a secret.
        """
        return read_environment(cls, environment, _without_secrets, "alert_")

    @property
    def is_configured(self) -> bool:
        """Whether any channel is set."""
        return any((self.slack_webhook, self.webhook, self.smtp))

    @field_validator("slack_webhook", "webhook", mode="after")
    @classmethod
    def _posts_somewhere(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_address(value.get_secret_value(), ("https", "http"), "https://host/path")
        return value

    @field_validator("smtp", mode="after")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            takes = "smtp://user:password@host:port or smtps://user:password@host:port"
            _check_address(value.get_secret_value(), ("smtp", "smtps"), takes)
        return value

    @field_validator("ui_url", mode="after")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        _check_address(value, ("https", "http"), "http(s)://host:port")
        return value.rstrip("/")

    @field_validator("email_to", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("email_from", "email_to", mode="after")
    @classmethod
    def _are_addresses(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for address in (value,) if isinstance(value, str) else value or ():
            if not _ADDRESS.fullmatch(address):
                raise ValueError("it takes plain addresses such as alerts@example.org")
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> AlertSettings:
        parts = {n: bool(getattr(self, n)) for n in ("smtp", "email_from", "email_to")}
        if any(parts.values()) and not all(parts.values()):
            missing = " and ".join(variable(f"alert_{n}") for n, given in parts.items() if not given)
            given = " and ".join(variable(f"alert_{n}") for n, given in parts.items() if given)
            raise ValueError(f"{given} cannot be used without {missing}: e-mail needs all three")
        return self


def _check_address(value: str, schemes: tuple[str, ...], takes: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable or re.search(r"\s", value):
        raise ValueError(f"it takes {takes}")


def _without_secrets(field: str, value: str) -> str:
    return "…" if field in _SECRET else value
