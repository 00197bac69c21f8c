"""What a channel did not take is kept and offered again, and the others hear of it."""

from __future__ import annotations

from datetime import timedelta

from taxi_platform.orchestration.alerts import AlertSettings
from taxi_platform.orchestration.alerts.channels import Channel, open_channels
from taxi_platform.orchestration.alerts.outbox import OutboxState, send
from taxi_platform_tests.alerts.conftest import AT_ONCE, SECRET_PATH, an_alert, at
from taxi_platform_tests.support.receivers import HttpReceiver


def channels(slack: HttpReceiver, webhook: HttpReceiver) -> list[Channel]:
    return open_channels(
        AlertSettings.from_environment(
            {"TAXI_ALERT_SLACK_WEBHOOK": slack.url + SECRET_PATH, "TAXI_ALERT_WEBHOOK": webhook.url}
        ),
        AT_ONCE,
    )


def stored(state: OutboxState) -> OutboxState:
    """As the next tick finds it: read back from the cursor."""
    return OutboxState.model_validate_json(state.model_dump_json())


def titles(webhook: HttpReceiver) -> list[str]:
    return [post.body["title"] for post in webhook.posts]


def test_every_channel_gets_every_alert_once(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    alerts = [an_alert("a", "first"), an_alert("b", "second")]
    state, told = send(channels(slack, webhook), OutboxState(), alerts, at(alerts[0]))
    assert state == OutboxState()
    assert told == ["Slack: delivered first; second", "webhook: delivered first; second"]
    assert titles(webhook) == ["first", "second"]
    assert len(slack.posts) == 2


def test_a_channel_that_is_down_is_reported_once_by_the_others_and_gets_its_alerts_later(
    slack: HttpReceiver, webhook: HttpReceiver
) -> None:
    ways = channels(slack, webhook)
    first, second = an_alert("a", "first"), an_alert("b", "second")
    start = at(first)
    slack.answer_next(503, times=3 + 3)

    state, told = send(ways, OutboxState(), [first], start)
    assert "Slack: 1 waiting, because 127.0.0.1 answered 503" in told
    assert titles(webhook) == ["first", "Alerts through Slack do not arrive"]
    assert "The last one failed because 127.0.0.1 answered 503." in webhook.posts[1].body["details"]

    state, told = send(ways, stored(state), [second], start + 61)
    assert "Slack: 2 waiting, because 127.0.0.1 answered 503" in told
    assert titles(webhook)[2:] == ["second"]

    state, told = send(ways, stored(state), [], start + 61 + 121)
    assert told == ["Slack: delivered first; second"]
    assert state == OutboxState()
    assert [post.body["text"].split("\n")[0] for post in slack.posts[-2:]] == [":x: *first*", ":x: *second*"]


def test_a_channel_that_is_down_is_left_in_peace_between_attempts(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    ways = channels(slack, webhook)
    slack.answer_next(503, times=3)
    alert = an_alert()
    state, _ = send(ways, OutboxState(), [alert], at(alert))
    state, told = send(ways, stored(state), [], at(alert) + 30)
    assert len(slack.posts) == 3
    assert told == ["Slack: 1 waiting, because 127.0.0.1 answered 503"]
    send(ways, stored(state), [], at(alert) + 61)
    assert len(slack.posts) == 4


def test_one_refused_message_does_not_hold_up_the_others(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    ways = channels(slack, webhook)
    slack.answer_next(400, "invalid_payload")
    alerts = [an_alert("a", "refused"), an_alert("b", "fine")]
    state, _ = send(ways, OutboxState(), alerts, at(alerts[0]))
    slack.answer_next(200)
    slack.answer_next(400, "invalid_payload")
    state, told = send(ways, stored(state), [], at(alerts[0]) + 61)
    assert told == ["Slack: delivered fine", "Slack: 1 waiting, because 127.0.0.1 answered 400 (invalid_payload)"]


def test_an_undelivered_alert_is_given_up_after_a_day_and_said_so(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    ways = channels(slack, webhook)
    slack.answer_next(503, times=3)
    alert = an_alert()
    state, _ = send(ways, OutboxState(), [alert], at(alert))
    state, told = send(ways, stored(state), [], at(alert) + timedelta(days=1, seconds=1).total_seconds())
    assert told == ["Slack: 1 given up undelivered"]
    assert state.owed == {}


def test_what_is_kept_holds_no_secret(slack: HttpReceiver, webhook: HttpReceiver) -> None:
    slack.answer_next(503, times=3)
    alert = an_alert()
    state, told = send(channels(slack, webhook), OutboxState(), [alert], at(alert))
    assert state.owed
    assert "secret" not in f"{state.model_dump_json()} {told} {webhook.posts}".lower()


def test_with_every_channel_down_nothing_is_raised_and_everything_is_kept(
    slack: HttpReceiver, webhook: HttpReceiver
) -> None:
    slack.answer_next(503, times=3)
    webhook.answer_next(404)
    alert = an_alert()
    state, told = send(channels(slack, webhook), OutboxState(), [alert], at(alert))
    assert state.owed == {"Slack": [alert], "webhook": [alert]}
    assert len(told) == 2
