"""What every store of objects does, sentence by sentence.

Belongs here: the promises of `taxi_platform.stores.lake.objects.model.Objects`. Does not: what objects mean to a lake.

The tests of a new store have a class that makes it::

    class TestMyObjects(ObjectsSuite):
        @pytest.fixture
        def objects(self):
            return MyObjects("my://bucket/prefix")
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from taxi_platform.errors import StoreError
from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["ObjectsSuite"]

PATH = "raw/green/month=2020-03/v1.parquet"
FOLDER = "raw/green/month=2020-03"
SEVERAL_PARTS = 9 << 20
"""Bytes of a file that no store puts in one request."""


class ObjectsSuite:
    """Subclass it, and give it an empty store."""

    @pytest.fixture
    def objects(self) -> Objects:
        """A store without any object."""
        raise NotImplementedError("give the suite a fixture objects")

    @pytest.fixture
    def file(self, tmp_path: Path) -> Callable[[bytes], Path]:
        """Makes a local file of these bytes."""

        def made(content: bytes) -> Path:
            path = tmp_path / f"file{len(list(tmp_path.glob('file*')))}"
            path.write_bytes(content)
            return path

        return made

    def test_what_was_never_stored_is_none(self, objects: Objects) -> None:
        assert objects.read(PATH) is None
        assert objects.size(PATH) is None
        assert objects.open(PATH) is None
        assert list(objects.paths("raw")) == []
        assert objects.ages("raw") == {}
        with pytest.raises(StoreError, match=rf"there is no .*{PATH}"), objects.local_copy(PATH):
            pass

    def test_reading_makes_nothing(self, objects: Objects) -> None:
        assert objects.read(PATH) is None
        assert list(objects.paths("")) == []

    @pytest.mark.parametrize("content", [b"", b"x", b"one\ntwo\0\xff"], ids=["empty", "a byte", "any bytes"])
    def test_an_object_is_what_the_file_was(
        self, objects: Objects, file: Callable[[bytes], Path], content: bytes
    ) -> None:
        with objects.exclusive(FOLDER):
            assert objects.create(PATH, file(content), {"rows": "5"}) == len(content)
        assert objects.read(PATH) == content
        assert objects.size(PATH) == len(content)
        with objects.local_copy(PATH) as copy:
            assert copy.read_bytes() == content
        assert list(objects.paths("raw")) == [PATH]
        assert objects.uri(PATH) == f"{objects.url}/{PATH}"

    def test_a_name_is_given_once(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        with objects.exclusive(FOLDER):
            assert objects.create(PATH, file(b"first"), {}) == 5
            assert objects.create(PATH, file(b"the second"), {}) == 5
        assert objects.read(PATH) == b"first"

    def test_an_object_is_replaced_by_another(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        with objects.exclusive(FOLDER):
            for content in (b"first", b"the second"):
                objects.replace(PATH, file(content), {})
                assert objects.read(PATH) == content
        assert objects.size(PATH) == 10

    def test_an_object_that_is_removed_is_gone_and_removing_it_again_is_nothing(
        self, objects: Objects, file: Callable[[bytes], Path]
    ) -> None:
        with objects.exclusive(FOLDER):
            objects.create(PATH, file(b"first"), {})
            objects.remove(PATH)
            objects.remove(PATH)
            assert objects.read(PATH) is None
            assert objects.create(PATH, file(b"the second"), {}) == 10

    def test_what_nothing_needs_is_discarded_whether_it_is_there_or_not(
        self, objects: Objects, file: Callable[[bytes], Path]
    ) -> None:
        with objects.exclusive(FOLDER):
            objects.create(PATH, file(b"first"), {})
        objects.discard([PATH, f"{FOLDER}/never.parquet"])
        objects.discard([])
        assert objects.read(PATH) is None

    def test_a_listing_is_of_one_folder(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        paths = [PATH, f"{FOLDER}/manifest.json", "raw/green/month=2020-04/v1.parquet", "raw/greener/x", "zones/y"]
        for path in paths:
            with objects.exclusive(str(Path(path).parent)):
                objects.create(path, file(path.encode()), {})
        assert sorted(objects.paths("raw")) == sorted(paths[:4])
        assert sorted(objects.paths("raw/green")) == sorted(paths[:3])
        assert sorted(objects.paths(FOLDER)) == sorted(paths[:2])
        assert list(objects.paths("trips")) == []

    def test_an_object_s_age_is_when_it_was_stored(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        before = datetime.now(timezone.utc) - timedelta(seconds=5)  # clouds tell whole seconds
        with objects.exclusive(FOLDER):
            objects.create(PATH, file(b"first"), {})
        ages = objects.ages("raw")
        assert list(ages) == [PATH]
        assert before <= ages[PATH] <= datetime.now(timezone.utc) + timedelta(seconds=5)

    @pytest.mark.parametrize("told", ["nothing", "its size", "a wrong size"])
    def test_an_object_is_read_at_any_position(
        self, objects: Objects, file: Callable[[bytes], Path], told: str
    ) -> None:
        content = bytes(range(256)) * 1_000
        with objects.exclusive(FOLDER):
            objects.create(PATH, file(content), {})
        size = {"nothing": None, "its size": len(content), "a wrong size": len(content) // 2}[told]
        stream = objects.open(PATH, size)
        assert stream is not None
        with stream:
            assert stream.seek(0, 2) == len(content)
            for start, length in ((len(content) - 8, 8), (0, 4), (100_000, 50_000), (100_010, 3), (len(content), 5)):
                stream.seek(start)
                assert stream.read(length) == content[start : start + length]
                assert stream.tell() == min(start + length, len(content))
            stream.seek(-10, 2)
            assert stream.read() == content[-10:]

    def test_a_file_of_several_parts_arrives_whole(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        content = bytes(range(251)) * (SEVERAL_PARTS // 251)
        with objects.exclusive(FOLDER):
            assert objects.create(PATH, file(content), {}) == len(content)
            objects.replace(PATH, file(content[1:]), {})
        with objects.local_copy(PATH) as copy:
            assert copy.read_bytes() == content[1:]
        assert list(objects.paths(".incoming")) == []

    def test_a_small_object_is_updated_from_what_is_there(self, objects: Objects) -> None:
        seen: list[bytes | None] = []

        def change(before: bytes | None) -> bytes:
            seen.append(before)
            return (before or b"") + b"+"

        for _ in range(2):
            with objects.exclusive(FOLDER):
                objects.update(PATH, change)
        assert seen == [None, b"+"]
        assert objects.read(PATH) == b"++"

    def test_a_change_that_fails_leaves_the_object(self, objects: Objects) -> None:
        def change(_: bytes | None) -> bytes:
            raise ValueError("no change")

        with objects.exclusive(FOLDER):
            objects.update(PATH, lambda _: b"first")
            with pytest.raises(ValueError, match="no change"):
                objects.update(PATH, change)
        assert objects.read(PATH) == b"first"

    def test_updates_of_racing_writers_are_all_kept(self, objects: Objects) -> None:
        def append(number: int) -> None:
            with objects.exclusive(FOLDER):
                objects.update(f"{FOLDER}/list", lambda before: (before or b"") + b"%d " % number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(append, range(8)))
        content = objects.read(f"{FOLDER}/list")
        assert content is not None
        assert sorted(map(int, content.split())) == list(range(8))

    @pytest.mark.parametrize("smallest", [1_000, SEVERAL_PARTS], ids=["of one part", "of several parts"])
    def test_of_racing_creators_one_wins_and_all_see_its_object(
        self, objects: Objects, tmp_path: Path, smallest: int
    ) -> None:
        """Several parts cannot be put on condition."""
        racers = 20 if smallest < SEVERAL_PARTS else 4
        files = []
        for number in range(racers):
            files.append(tmp_path / f"racer{number}")
            files[-1].write_bytes(bytes([number]) * (smallest + number))

        def create(file: Path) -> int:
            with objects.exclusive(FOLDER):
                return objects.create(PATH, file, {})

        with ThreadPoolExecutor(racers) as pool:
            sizes = set(pool.map(create, files))
        assert len(sizes) == 1
        winner = sizes.pop() - smallest
        assert objects.read(PATH) == files[winner].read_bytes()
        assert list(objects.paths(".incoming")) == []

    def test_who_has_opened_an_object_never_reads_of_two(self, objects: Objects, file: Callable[[bytes], Path]) -> None:
        """It reads what it opened, or is told that the object was replaced."""
        old, new = b"o" * 300_000, b"n" * 300_000
        with objects.exclusive(FOLDER):
            objects.create(PATH, file(old), {})
        stream = objects.open(PATH)
        assert stream is not None
        with stream:
            assert stream.read(4) == b"oooo"
            with objects.exclusive(FOLDER):
                objects.replace(PATH, file(new), {})
            try:
                rest = stream.read()
            except StoreError as error:
                assert "was replaced while it was being read" in str(error)  # noqa: PT017 - it need not raise
            else:
                assert rest == old[4:]
