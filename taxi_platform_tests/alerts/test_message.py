"""What an alert says in each channel."""

from __future__ import annotations

import json

from taxi_platform.orchestration.alerts.message import Alert, email_message, in_ranges, slack_payload, webhook_payload


def test_months_are_written_as_ranges_cut_where_one_is_missing() -> None:
    assert in_ranges(["2020-12", "2021-01", "2021-03", "2020-11"]) == "2020-11..2021-01, 2021-03"
    assert in_ranges(["2020-03"]) == "2020-03"
    assert in_ranges(["north", "south"]) == "north, south"


def test_slack_text_is_escaped_and_links_to_the_run() -> None:
    alert = Alert(id="x", kind="failure", title="a <b> & c", details=("1 < 2",), link="http://127.0.0.1:3000/runs/abc")
    text = slack_payload(alert)["text"]
    assert "*a &lt;b&gt; &amp; c*" in text
    assert "• 1 &lt; 2" in text
    assert text.endswith("<http://127.0.0.1:3000/runs/abc|Open in Dagster>")


def test_the_webhook_gets_every_field_as_json() -> None:
    alert = Alert(
        id="failure.abc",
        kind="failure",
        title="green 2020-03..2020-04: 1 of 2 months failed",
        dataset="green",
        months=("2020-03", "2020-04"),
        failed_months={"2020-04": "the file is cut"},
    )
    body = json.loads(json.dumps(webhook_payload(alert)))
    assert Alert.model_validate(body) == alert
    assert body["months"] == ["2020-03", "2020-04"]
    assert body["failed_months"] == {"2020-04": "the file is cut"}


def test_a_delivery_that_is_repeated_has_the_same_message_id() -> None:
    alert = Alert(id="failure.abc", kind="failure", title="green failed")
    first, second = (email_message(alert, "taxi@example.org", ["ann@example.org"]) for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == "<failure.abc@example.org>"


def test_a_title_of_two_lines_cannot_add_a_header_to_the_email() -> None:
    alert = Alert(id="x", kind="failure", title="green failed\r\nBcc: eve@example.org")
    message = email_message(alert, "taxi@example.org", ["ann@example.org"])
    assert message["Bcc"] is None
    assert message["Subject"] == "[taxi] green failed Bcc: eve@example.org"


def test_what_an_error_brings_along_is_bounded_and_stays_so_when_read_back() -> None:
    details = tuple(f"2020-{n:02d}: {'x' * 10_000}" for n in range(1, 100))
    alert = Alert(id="x", kind="failure", title="t", details=details)
    assert len(alert.details) == 20
    assert alert.details[-1] == "… and 80 more"
    assert max(map(len, alert.details)) == 500
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_credentials_in_an_address_are_cut_out_of_causes() -> None:
    alert = Alert(id="x", kind="failure", title="t", details=("no postgresql://taxi:secret@db:5432/taxi",))
    assert alert.details == ("no postgresql://…@db:5432/taxi",)
