"""The ``TAXI_ALERT_…`` variables: what they take, and that no secret is ever shown."""

from __future__ import annotations

import pytest

from taxi_platform.errors import SettingsError
from taxi_platform.orchestration.alerts import AlertSettings

MAIL = {
    "TAXI_ALERT_SMTP": "smtps://taxi:secret@mail.example.org:465",
    "TAXI_ALERT_EMAIL_FROM": "taxi@example.org",
    "TAXI_ALERT_EMAIL_TO": "ann@example.org, bob@example.org",
}


def test_nothing_set_means_no_channel() -> None:
    settings = AlertSettings.from_environment({"TAXI_ALERT_SLACK_WEBHOOK": "  "})
    assert not settings.is_configured
    assert not settings.on_success
    assert settings.ui_url == "http://127.0.0.1:3000"


def test_every_variable_is_read() -> None:
    settings = AlertSettings.from_environment(
        {
            **MAIL,
            "TAXI_ALERT_SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x",
            "TAXI_ALERT_WEBHOOK": "http://user:word@127.0.0.1:8080/hook",
            "TAXI_ALERT_ON_SUCCESS": "on",
            "TAXI_ALERT_UI_URL": "https://dagster.example.org/",
        }
    )
    assert settings.is_configured
    assert settings.email_to == ("ann@example.org", "bob@example.org")
    assert settings.on_success
    assert settings.ui_url == "https://dagster.example.org"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("TAXI_ALERT_SLACK_WEBHOOK", "hooks.slack.com/services/secret", "it takes https://host/path"),
        ("TAXI_ALERT_WEBHOOK", "ftp://host/secret", "it takes https://host/path"),
        ("TAXI_ALERT_WEBHOOK", "https://host:secret/", "it takes https://host/path"),
        ("TAXI_ALERT_SMTP", "http://user:secret@host", "it takes smtp://user:password@host:port"),
        ("TAXI_ALERT_SMTP", "smtp://user:sec ret@host", "it takes smtp://user:password@host:port"),
        ("TAXI_ALERT_EMAIL_TO", "ann@example.org,bob", "it takes plain addresses"),
        ("TAXI_ALERT_ON_SUCCESS", "perhaps", "valid boolean"),
        ("TAXI_ALERT_UI_URL", "dagster.example.org", "it takes http(s)://host:port"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_variable(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AlertSettings.from_environment({**MAIL, variable: value})
    text = str(caught.value)
    assert text.startswith(f"{variable}=")
    assert says in text
    assert "\n" not in text
    assert "sec" not in text
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("missing", sorted(MAIL))
def test_half_of_an_email_is_refused_by_the_name_of_what_is_missing(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"cannot be used without {missing}"):
        AlertSettings.from_environment({name: value for name, value in MAIL.items() if name != missing})


def test_secrets_are_masked_wherever_the_settings_are_printed() -> None:
    settings = AlertSettings.from_environment({**MAIL, "TAXI_ALERT_SLACK_WEBHOOK": "https://h/secret"})
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
