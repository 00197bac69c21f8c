"""``taxi snapshot`` and ``taxi prune``: months as they once were, in every store, and what goes meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import new_database
from taxi_platform_tests.support.republished import GREEN, NAME, bring_versions, publish, upstream_folder

pytestmark = pytest.mark.long  # stores/test_snapshots.py and test_pruning.py have each promise by itself


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream_folder(tmp_path_factory.mktemp("upstream"))


@pytest.fixture(scope="module")
def platform(folder: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The first of the month's two versions has a name."""
    home = tmp_path_factory.mktemp("platform")
    return bring_versions(folder, home, new_database(postgres_server), after_the_first=named)


def named(platform: Platform) -> None:
    done = platform.taxi("snapshot", "create", "thesis", "--note", "what chapter 3 counts")
    assert done.code == 0, done.text
    assert "what chapter 3 counts" in done.out


def versions(platform: Platform) -> list[int]:
    manifest = json.loads((platform.data / "lake/raw/green/month=2020-03/manifest.json").read_text())
    return [version["rows"] for version in manifest["versions"]]


def test_a_snapshot_is_listed_and_verified(platform: Platform) -> None:
    document = json.loads(platform.taxi("snapshot", "show", "thesis", "--json").out)
    named = {(m["dataset"], m["file_month"], m["raw"]["rows"]) for m in document["months"]}
    assert named == {("green", "2020-03", 1_000)}
    assert all((platform.data / "lake" / path).is_file() for path in document["sha256"])
    assert "thesis" in platform.taxi("snapshot", "list").out
    done = platform.taxi("snapshot", "verify", "thesis")
    assert (done.code, done.out.strip()) == (0, "thesis: all 3 objects are as they were")


def test_a_restored_snapshot_is_in_every_store_until_upstream_changes(platform: Platform, folder: Path) -> None:
    done = platform.taxi("snapshot", "restore", "thesis")
    assert done.code == 0, done.text
    assert "They stay as in thesis until upstream has other versions than now." in done.out
    restored = platform.rows()[NAME]
    raw, trips, quarantined, warehouse, postgres = restored
    assert (raw, warehouse, postgres) == (1_000, trips, trips)
    assert (trips or 0) + (quarantined or 0) == 1_000
    assert "as in thesis" in platform.taxi("status").out
    done = platform.taxi("run", *GREEN)
    assert (done.code, platform.rows()[NAME]) == (0, restored), done.text

    publish(folder, 1_600)
    done = platform.taxi("run", *GREEN)
    assert (done.code, platform.rows()[NAME][0]) == (0, 1_600), done.text
    assert "as in thesis" not in platform.taxi("status").out


def test_pruning_shows_first_and_never_takes_what_a_snapshot_names(platform: Platform) -> None:
    assert "nothing has been unneeded for 30 days" in platform.taxi("prune").out
    shown = platform.taxi("prune", "--days", "0")
    assert (shown.code, "taxi prune --yes removes them" in shown.out) == (0, True)
    assert versions(platform) == [1_000, 1_200, 1_600]
    done = platform.taxi("prune", "--days", "0", "--yes")
    assert (done.code, "bytes are free" in done.out) == (0, True)
    assert versions(platform) == [1_000, 1_600]
    assert platform.taxi("status").code == 0


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("snapshot", "create", "thesis"), "has a snapshot thesis of"),
        (("snapshot", "create", "a/b"), "cannot name a snapshot"),
        (("snapshot", "create", "none", "--datasets", "yellow"), "there is nothing to name"),
        (("snapshot", "restore", "other"), "has no snapshot other: it has thesis"),
        (("snapshot", "restore", "thesis", "--months", "2020-05"), "has none of these months"),
        (("snapshot", "verify", "other"), "has no snapshot other"),
        (("snapshot", "delete", "other"), "has no snapshot other"),
        (("prune", "--days", "-1"), "-1 is not in the range"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(platform: Platform, command: tuple[str, ...], sentence: str) -> None:
    done = platform.taxi(*command)
    assert done.code != 0
    assert sentence in done.text
    assert "Traceback" not in done.text
