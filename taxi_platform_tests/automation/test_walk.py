"""A month passes the places that docs/architecture.md names, in that order: seen by whose functions are called."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

import dagster as dg
import pytest

import taxi_platform
from taxi_platform.months import month_label
from taxi_platform.orchestration.partitions import recent_months
from taxi_platform_tests.automation.conftest import ALL, GREEN, Deployment, Publisher
from taxi_platform_tests.support.upstream import serve

PACKAGE = Path(taxi_platform.__file__).parent
MOST_PLACES = 13


def places() -> list[str]:
    """The files of the walk, in its order."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    walk = page.partition("Following a month")[2].partition("\n## ")[0]
    lines = re.findall(r"^(\d+)\. `([^`]+\.py)`", walk, re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    return [file for _, file in lines]


@contextmanager
def called() -> Iterator[list[str]]:
    """The files of the package whose functions are called meanwhile, in whatever thread, in order of the calls."""
    files: list[str] = []
    root = f"{PACKAGE}/"

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        # What a module does when it is imported says nothing of who calls whom.
        if event == "call" and file.startswith(root) and frame.f_code.co_name != "<module>":
            name = file.removeprefix(root)
            if not files or files[-1] != name:
                files.append(name)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


def first_missing(walk: Sequence[str], files: Sequence[str]) -> str | None:
    """The first place that is not called after all those before it."""
    left = iter(files)
    return next((place for place in walk if place not in left), None)


def test_the_walk_names_few_places_that_are_there() -> None:
    walk = places()
    assert 5 < len(walk) <= MOST_PLACES
    assert [file for file in walk if not (PACKAGE / file).is_file()] == []


def test_a_month_passes_the_places_of_the_walk_in_order(
    deployment: Deployment, upstream: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = month_label(recent_months(GREEN, 2)[-1].first_day)
    upstream.publish(month)
    with serve(upstream.folder) as server:
        monkeypatch.setenv("TAXI_SOURCE_URL", server.url)
        settings = type(deployment.settings).from_environment()
        published = Deployment(settings, deployment.instance, upstream)
        repository = published.definitions.get_repository_def()
        given = {name: repository.get_top_level_resources()[name] for name in ("source", "lake")}
        with called() as files:
            with dg.build_sensor_context(
                published.instance, cursor=None, repository_def=repository, resources=given
            ) as context:
                assert repository.get_sensor_def("green_published").evaluate_tick(context).run_requests
            assert published.run(month, ["raw"]).success
            asked = published.evaluate(f"{datetime.now(timezone.utc):%Y-%m-%d}")
            assert asked == {layer: {month} for layer in ALL[1:]}
            assert published.run(month, list(asked)).success
    walk = places()
    assert first_missing(walk, files) is None
    assert first_missing(walk[::-1], files) is not None, "the order makes a difference"
