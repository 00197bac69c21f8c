"""Deliveries to real servers: what they get, what is tried again, and what is said when they refuse."""

from __future__ import annotations

import logging
import socket
import ssl
from urllib.parse import quote

import pytest

from taxi_platform.orchestration.alerts import AlertSettings, send_test_message
from taxi_platform.orchestration.alerts.channels import Channel, Patience, open_channels
from taxi_platform.orchestration.alerts.undelivered import NotDeliveredError
from taxi_platform_tests.alerts.conftest import AT_ONCE, PASSWORD, SECRET_PATH, an_alert
from taxi_platform_tests.support.receivers import HttpReceiver, MailReceiver, receive_mail


def slack_channel(receiver: HttpReceiver, patience: Patience = AT_ONCE) -> Channel:
    (channel,) = open_channels(
        AlertSettings.from_environment({"TAXI_ALERT_SLACK_WEBHOOK": receiver.url + SECRET_PATH}), patience
    )
    return channel


def mail_settings(receiver: MailReceiver, scheme: str, user: str = "taxi", password: str = PASSWORD) -> AlertSettings:
    login = f"{quote(user)}:{quote(password, safe='')}@" if user else ""
    return AlertSettings.from_environment(
        {
            "TAXI_ALERT_SMTP": f"{scheme}://{login}127.0.0.1:{receiver.port}",
            "TAXI_ALERT_EMAIL_FROM": "taxi@example.org",
            "TAXI_ALERT_EMAIL_TO": "ann@example.org,bob@example.org",
        }
    )


def mail_channel(settings: AlertSettings) -> Channel:
    (channel,) = open_channels(settings, AT_ONCE)
    return channel


def test_slack_gets_the_text_at_its_secret_path(slack: HttpReceiver) -> None:
    slack_channel(slack).deliver(an_alert())
    (post,) = slack.posts
    assert post.path == SECRET_PATH
    assert post.body["text"].startswith(":x: *green 2020-05 failed*\n• green_raw 2020-05: the file is cut")


def test_the_webhook_may_ask_for_a_password(webhook: HttpReceiver) -> None:
    address = webhook.url.replace("http://", "http://taxi:secret@") + "/hook"
    (channel,) = open_channels(AlertSettings.from_environment({"TAXI_ALERT_WEBHOOK": address}), AT_ONCE)
    channel.deliver(an_alert())
    (post,) = webhook.posts
    assert post.path == "/hook"
    assert post.authorization == "Basic dGF4aTpzZWNyZXQ="
    assert post.body["id"] == "failure.1"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_may_pass_is_tried_again(slack: HttpReceiver, status: int) -> None:
    slack.answer_next(status, times=2)
    slack_channel(slack).deliver(an_alert())
    assert len(slack.posts) == 3


def test_a_server_that_stays_down_is_given_up_after_three_attempts(slack: HttpReceiver) -> None:
    slack.answer_next(502, times=9)
    with pytest.raises(NotDeliveredError, match=r"^127\.0\.0\.1 answered 502$"):
        slack_channel(slack).deliver(an_alert())
    assert len(slack.posts) == 3


def test_a_revoked_webhook_is_not_tried_again_and_slacks_word_is_shown(slack: HttpReceiver) -> None:
    slack.answer_next(404, "no_service")
    with pytest.raises(NotDeliveredError, match=r"^127\.0\.0\.1 answered 404 \(no_service\)$"):
        slack_channel(slack).deliver(an_alert())
    assert len(slack.posts) == 1


def test_a_server_that_never_will_is_not_tried_again(slack: HttpReceiver) -> None:
    slack.answer_next(501)
    with pytest.raises(NotDeliveredError, match=r"^127\.0\.0\.1 answered 501$"):
        slack_channel(slack).deliver(an_alert())
    assert len(slack.posts) == 1


def test_an_answer_that_repeats_the_secret_is_not_shown(slack: HttpReceiver) -> None:
    slack.answer_next(404, "xoxsecretxox")
    with pytest.raises(NotDeliveredError) as caught:
        slack_channel(slack).deliver(an_alert())
    assert str(caught.value) == "127.0.0.1 answered 404"


def test_a_redirect_is_no_delivery(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    slack.answer_next(302, location=webhook.url + "/moved")
    with pytest.raises(NotDeliveredError, match="answered 302"):
        slack_channel(slack).deliver(an_alert())
    assert webhook.posts == []
    assert webhook.gets == []


def test_a_silent_server_is_left_after_the_time_out(slack: HttpReceiver) -> None:
    slack.be_silent(times=2)
    with pytest.raises(NotDeliveredError, match=r"did not answer within 0\.2 seconds"):
        slack_channel(slack, Patience(attempts=2, first_wait=0, timeout=0.2)).deliver(an_alert())
    assert len(slack.posts) == 2


@pytest.mark.parametrize("scheme", ["http", "smtp"])
def test_a_closed_port_is_a_sentence(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and it refuses
        port = taken.getsockname()[1]
        receiver = HttpReceiver(f"http://127.0.0.1:{port}")
        channel = (
            slack_channel(receiver) if scheme == "http" else mail_channel(mail_settings(MailReceiver(port), "smtp"))
        )
        with pytest.raises(NotDeliveredError, match=r"127\.0\.0\.1.* cannot be (reached|talked to) \(\w+\)"):
            channel.deliver(an_alert())


def test_mail_goes_by_starttls_with_a_password_of_any_characters(certificate: ssl.SSLContext) -> None:
    with receive_mail(tls="starttls", context=certificate, login=("taxi", PASSWORD)) as mail:
        mail_channel(mail_settings(mail, "smtp")).deliver(an_alert())
    (message,) = mail.messages
    assert message["Subject"] == "[taxi] green 2020-05 failed"
    assert message["From"] == "taxi@example.org"
    assert "green_raw 2020-05: the file is cut" in message.get_content()
    assert mail.receivers == [["ann@example.org", "bob@example.org"]]
    assert mail.were_encrypted == [True]
    assert mail.logins == ["taxi"]


def test_mail_goes_by_tls_throughout(certificate: ssl.SSLContext) -> None:
    with receive_mail(tls="throughout", context=certificate, login=("taxi", PASSWORD)) as mail:
        mail_channel(mail_settings(mail, "smtps")).deliver(an_alert())
    assert len(mail.messages) == 1
    assert mail.were_encrypted == [True]
    assert mail.logins == ["taxi"]


def test_mail_goes_to_a_local_relay_that_has_neither_tls_nor_passwords() -> None:
    with receive_mail() as mail:
        mail_channel(mail_settings(mail, "smtp", user="")).deliver(an_alert())
    assert mail.were_encrypted == [False]


def test_a_password_never_travels_unencrypted() -> None:
    with (
        receive_mail(login=("taxi", PASSWORD)) as mail,
        pytest.raises(NotDeliveredError, match="a password does not travel unencrypted: use smtps://"),
    ):
        mail_channel(mail_settings(mail, "smtp")).deliver(an_alert())
    assert mail.messages == []
    assert mail.logins == []


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        receive_mail(tls="starttls", context=certificate, login=("taxi", PASSWORD)) as mail,
        pytest.raises(NotDeliveredError, match=r"certificate of .* cannot be trusted"),
    ):
        mail_channel(mail_settings(mail, "smtp")).deliver(an_alert())
    assert mail.logins == []


def test_a_wrong_password_is_a_sentence_without_it(certificate: ssl.SSLContext) -> None:
    with (
        receive_mail(tls="starttls", context=certificate, login=("taxi", "another")) as mail,
        pytest.raises(NotDeliveredError, match=r"refused the user or password \(535\)") as caught,
    ):
        mail_channel(mail_settings(mail, "smtp")).deliver(an_alert())
    assert PASSWORD not in str(caught.value)
    assert not caught.value.may_pass


def test_a_mail_server_that_says_later_is_tried_again() -> None:
    with receive_mail() as mail:
        mail.refuse_next("451 try later", times=2)
        mail_channel(mail_settings(mail, "smtp", user="")).deliver(an_alert())
    assert len(mail.messages) == 1


def test_a_mail_server_that_says_no_is_not() -> None:
    with receive_mail() as mail:
        mail.refuse_next("554 no spam here")
        with pytest.raises(NotDeliveredError, match=r"refused the message \(554\)"):
            mail_channel(mail_settings(mail, "smtp", user="")).deliver(an_alert())
    assert mail.messages == []


def test_a_test_message_reports_every_channel(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    slack.answer_next(404, "no_service")
    settings = AlertSettings.from_environment(
        {"TAXI_ALERT_SLACK_WEBHOOK": slack.url + SECRET_PATH, "TAXI_ALERT_WEBHOOK": webhook.url}
    )
    assert list(map(str, send_test_message(settings, AT_ONCE))) == [
        "Slack: not delivered because 127.0.0.1 answered 404 (no_service)",
        "webhook: delivered",
    ]
    assert webhook.posts[0].body["kind"] == "test"
    assert send_test_message(AlertSettings.from_environment({})) == []


@pytest.mark.parametrize("status", [200, 404])
def test_no_log_of_any_level_holds_the_webhooks_path(
    slack: HttpReceiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    slack.answer_next(status)
    # Another library may have made urllib3 say warnings only: the client of Kubernetes does when it is imported.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        logging.getLogger("urllib3.connectionpool").debug("others are still heard")
        outcomes = send_test_message(
            AlertSettings.from_environment({"TAXI_ALERT_SLACK_WEBHOOK": slack.url + SECRET_PATH}), AT_ONCE
        )
    assert "others are still heard" in caplog.text
    assert "secret" not in caplog.text.lower()
    assert "secret" not in str(outcomes).lower()
    assert slack.posts[0].path == SECRET_PATH
