"""``taxi versions`` and ``taxi select``: an earlier version of a month in every store, and how long it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import new_database
from taxi_platform_tests.support.republished import GREEN, NAME, bring_versions, publish, upstream_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream_folder(tmp_path_factory.mktemp("upstream"))


@pytest.fixture(scope="module")
def platform(folder: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return bring_versions(folder, tmp_path_factory.mktemp("platform"), new_database(postgres_server))


def versions(platform: Platform) -> dict[str, tuple[str, str]]:
    """Rows → version and what is said of it."""
    done = platform.taxi("versions", "green", "2020-03")
    assert done.code == 0, done.text
    line = re.compile(r"^(\S+-r\d+) +([\d,]+) +\S+T\S+ +(current|upstream's)? +\S", re.MULTILINE)
    return {rows: (version, said) for version, rows, said in line.findall(done.out)}


def said(platform: Platform) -> dict[str, str]:
    return {rows: words for rows, (_, words) in versions(platform).items()}


def test_every_version_is_shown_and_the_newest_is_current(platform: Platform) -> None:
    assert said(platform) == {"1,000": "", "1,200": "current"}
    manifest = json.loads((platform.data / "lake/raw/green/month=2020-03/manifest.json").read_text())
    assert [version for version, _ in versions(platform).values()] == [v["version"] for v in manifest["versions"]]


def test_a_selected_version_is_in_every_store_and_holds_until_upstream_changes(
    platform: Platform, folder: Path
) -> None:
    first, second = (version for version, _ in versions(platform).values())
    done = platform.taxi("select", "green", "2020-03", first)
    assert done.code == 0, done.text
    assert f"{NAME} stays at {first} until upstream has another version" in done.out
    assert said(platform) == {"1,000": "current", "1,200": "upstream's"}
    selected = platform.rows()[NAME]
    raw, trips, quarantined, warehouse, postgres = selected
    assert (raw, warehouse, postgres) == (1_000, trips, trips)
    assert (trips or 0) + (quarantined or 0) == 1_000
    assert "selected version" in platform.taxi("status").out

    again = platform.taxi("run", *GREEN)
    assert again.code == 0, again.text
    assert "unchanged" in again.out
    assert platform.rows()[NAME] == selected

    back = platform.taxi("select", "green", "2020-03", second)
    assert back.code == 0, back.text
    assert f"{NAME} follows upstream" in back.out
    assert platform.rows()[NAME][0] == 1_200
    assert "selected version" not in platform.taxi("status").out

    assert platform.taxi("select", "green", "2020-03", first).code == 0
    publish(folder, 1_300)
    newer = platform.taxi("run", *GREEN)
    assert newer.code == 0, newer.text
    assert platform.rows()[NAME][0] == 1_300
    assert said(platform) == {"1,000": "", "1,200": "", "1,300": "current"}


def test_a_version_can_be_selected_while_upstream_is_out_of_reach(platform: Platform) -> None:
    (first, *_) = (version for version, _ in versions(platform).values())
    away = {"TAXI_SOURCE_URL": "http://127.0.0.1:1", "TAXI_SOURCE": "dtc"}
    done = platform.taxi("select", "green", "2020-03", first, **away)
    assert done.code == 0, done.text
    assert platform.rows()[NAME][0] == 1_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("select", "green", "2020-03", "v9"), "raw green 2020-03 has no version v9: there are"),
        (("select", "green", "2020-04", "v9"), "has no green 2020-04: bring it with taxi run"),
        (("versions", "green", "2020-04"), "has no green 2020-04: bring it with taxi run"),
        (("versions", "purple", "2020-03"), "there is no dataset purple"),
        (("versions", "green,yellow", "2020-03"), "name one"),
        (("versions", "green", "2020-13"), "'2020-13' is not a month"),
        (("versions", "green", "1999-01"), "green begins with"),
    ],
)
def test_what_cannot_be_is_one_sentence(platform: Platform, arguments: tuple[str, ...], sentence: str) -> None:
    done = platform.taxi(*arguments)
    assert done.code == 1
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1
