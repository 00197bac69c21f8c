"""The page for people who come from Prefect: every command runs, in order, and prints what the page shows."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from taxi_platform_tests.docs.console import Command, commands, left_out, missing_lines, run_all
from taxi_platform_tests.support.receivers import Post, receive_http

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from-prefect.md").read_text()


@dataclass(frozen=True)
class Followed:
    """The page's commands with their exit codes and outputs, and what arrived at the webhook."""

    results: list[tuple[Command, int, str]]
    posts: list[Post]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{outside['PATH']}"
    wanted = commands(PAGE)
    with receive_http() as webhook:
        environment = {**outside, "PATH": programs, "MY_WEBHOOK": webhook.url, "NO_COLOR": "1"}
        done = run_all(wanted, tmp_path_factory.mktemp("page"), environment)
        return Followed([(w, code, out) for w, (code, out) in zip(wanted, done, strict=True)], list(webhook.posts))


@pytest.mark.long
def test_every_command_succeeds(followed: Followed) -> None:
    failed = [f"$ {command.text}\n{output}" for command, code, output in followed.results if code]
    assert not failed, "\n".join(failed)


@pytest.mark.long
def test_every_command_prints_what_the_page_shows(followed: Followed) -> None:
    wrong = [
        f"$ {command.text}\n{output}\n-- not found: {missing}"
        for command, _, output in followed.results
        if (missing := missing_lines(command.shown, output))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_the_alert_that_the_page_sends_arrives(followed: Followed) -> None:
    assert [post.body["kind"] for post in followed.posts] == ["test"]


@pytest.mark.long
def test_a_secret_is_not_repeated(followed: Followed) -> None:
    with_secret = [output for command, _, output in followed.results if "0123456789" in command.text]
    assert with_secret
    assert not any("0123456789" in output for output in with_secret)


def test_few_commands_are_left_out_and_each_says_why() -> None:
    assert 0 < len(left_out(PAGE)) < len(commands(PAGE)) / 4
    assert len(re.findall(r"^```", PAGE, re.MULTILINE)) == 2 * len(re.findall(r"^```console$", PAGE, re.MULTILINE))


def test_every_piece_of_the_course_is_answered() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    sections = {title.strip().lower() for heading in headings for title in re.split(",| and ", heading)}
    assert sections >= {
        "flow", "task", "subflow", "block", "collection", "deployment", "agent", "work queue", "orion",
        "notification", "concurrency limit", "caching", "retries", "parameters", "schedule", "docker",
        "github storage", "cloud", "workspace",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        (("a  b", "c"), "x a b\ny c", []),
        (("c", "a"), "a\nc", ["a"]),
        (("a … d",), "a b c d", []),
        (("a … d",), "a b c", ["a … d"]),
        (("1.0",), "1x0", ["1.0"]),
    ],
)
def test_shown_lines_are_looked_for_in_order(shown: tuple[str, ...], output: str, missing: list[str]) -> None:
    assert missing_lines(shown, output) == missing
