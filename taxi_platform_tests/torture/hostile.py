"""The part of hostile input: whatever is read from outside or from a disk, mutated, and what comes of it.

Belongs here: the inputs, by kind, and what may come of each. Does not: single bad files that a test names by itself
(``taxi_platform_tests.ingest``). Every input is made from the seed, its kind and its number alone, so that one can be
tried again: ``python -m taxi_platform_tests.torture --parts hostile --seed …``.

An input is taken, with every row in trips or quarantine; or it is refused by one sentence of the platform's own, and
leaves no file. Anything else is a defect: another exception, a crash, a hang, memory without end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import resource
import shutil
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from taxi_platform.cleaning.month import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import TaxiError
from taxi_platform.ingest import stage_raw
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.orchestration.automation.sensor_memory import Memory
from taxi_platform.references import CleanMonth
from taxi_platform.sources.model import Download, Version
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.shapes import shapes_zip
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.lake.manifest import Manifest
from taxi_platform.stores.lake.shapes import StoredShapes, read_zone_shapes, versions_of, with_version
from taxi_platform.stores.lake.snapshots import KeptMonth, Snapshot
from taxi_platform.stores.lake.zones import read_zones_csv
from taxi_platform_tests.torture.campaign import Part, Plan, side_by_side
from taxi_platform_tests.torture.forks import in_fork
from taxi_platform_tests.torture.walks import Material, material

__all__ = ["KINDS", "Kind", "mutated", "run"]

_MONTHS = {"green": TripMonth("green", parse_month("2020-03")), "fhv": TripMonth("fhv", parse_month("2020-03"))}
_TOKENS = (
    *(b"", b",", b'"', b'""', b"\0", b"\r", b"\n", b"\r\n", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b";", b"\t", b"\\"),
    *(b"NaN", b"inf", b"1e309", b"-0", b"9" * 400, b"0x10", b"2020-02-30 25:61:61", b"\xe2\x80\xae", b"null", b"{}"),
    *(b"[" * 2_000, b"x" * 70_000, b"VendorID", b"file_month", b"_unparsed", b"../../x", b"%00", b"'; DROP TABLE x;--"),
)
_VALUES: tuple[Any, ...] = (
    *(None, -1, 1 << 80, 1.5, float("nan"), True, "", "x", "../../x", "/etc/passwd", "é" * 9, "2020-13-01", "\0"),
    *([], {}, [[]]),
)
_BATCH, _BATCH_SECONDS, _MEMORY = 100, 300.0, 3 << 30


@dataclass(frozen=True)
class Kind:
    """One kind of input."""

    name: str
    share: int
    """How many of a hundred inputs are of it."""
    make: Callable[[random.Random, Originals], bytes]
    read: Callable[[bytes, Path], bool]
    """Takes it (true) or refuses it in a way of its own (false); what it raises is judged."""


@dataclass(frozen=True)
class Originals:
    """What is mutated."""

    csv: bytes
    parquets: Sequence[bytes]
    zones: bytes
    shapes: bytes
    manifest: bytes
    snapshot: bytes
    shapes_note: bytes
    cursor: bytes


def mutated(chance: random.Random, data: bytes, most: int = 4) -> bytes:
    """The bytes with one to so many changes: bits, slices, tokens, numbers, an early end."""
    content = bytearray(data)
    for _ in range(chance.randint(1, most)):
        at, to = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        short = min(to, at + chance.choice((1, 4, 60, 4_000)))
        change = chance.randrange(8)
        if change == 0 and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif change == 1:
            content[at:short] = chance.randbytes(short - at)
        elif change == 2:
            del content[at:short]
        elif change == 3:
            content[at:at] = content[at:short] * chance.choice((1, 2, 50))
        elif change == 4:
            content[at:at] = chance.choice(_TOKENS)
        elif change == 5:
            content[at:short] = chance.choice(_TOKENS)
        elif change == 6:
            del content[at:]
        else:
            content += content[at:short]
        if not content:
            break
    return bytes(content[: 4 << 20])


def _json_mutated(chance: random.Random, data: bytes) -> bytes:
    """A document with one value replaced, or bytes changed."""
    if chance.random() < 0.3:
        return mutated(chance, data)
    document = json.loads(data)
    holders: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            holders.append((value, key))
            if isinstance(inner, dict | list):
                walk(inner)

    walk(document)
    for _ in range(chance.randint(1, 2)):
        holder, key = chance.choice(holders)
        change = chance.randrange(4)
        if change == 0 and isinstance(holder, dict):
            holder.pop(key, None)
        elif change == 1 and isinstance(holder, dict):
            holder["unknown"] = chance.choice(_VALUES)
        else:
            holder[key] = chance.choice(_VALUES)
    return json.dumps(document).encode()


# ---- making and reading each kind


def _staged_and_cleaned(dataset: str, name: str, content: bytes, folder: Path) -> bool:
    """As an upstream file becomes a month: every row that was staged is in one of the two files."""
    import pyarrow.parquet as pq

    file, out = folder / name, folder / "out"
    out.mkdir()
    file.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    month, contract = _MONTHS[dataset], CONTRACTS[dataset]
    try:
        version = Version(f"https://example.org/{name}", token=sha256, etag=None, size=len(content))
        staged = stage_raw(contract, month, Download(version, file, sha256, len(content)), out)
    except TaxiError:
        _check_nothing_is_left(out)
        raise
    rows = pq.read_metadata(staged.file).num_rows
    if rows != staged.raw.rows:
        raise AssertionError(f"{staged.raw.rows} rows are told and {rows} are there")
    clean_folder = folder / "clean"
    clean_folder.mkdir()
    try:
        clean = clean_month(contract, staged.raw, staged.file, clean_folder)
    except TaxiError:
        _check_nothing_is_left(clean_folder)
        raise
    split = [pq.read_metadata(part).num_rows for part in (clean.trips_file, clean.quarantine_file)]
    if sum(split) != rows:
        raise AssertionError(f"{rows} raw rows are {split[0]} trips and {split[1]} in quarantine")
    return True


def _check_nothing_is_left(folder: Path) -> None:
    if left := [path.name for path in folder.iterdir()]:
        raise AssertionError(f"refused, and it leaves {left}")


def _csv(chance: random.Random, originals: Originals) -> bytes:
    return gzip.compress(mutated(chance, originals.csv), 1)


def _gzip(chance: random.Random, originals: Originals) -> bytes:
    packed = gzip.compress(originals.csv, 6)
    made = chance.randrange(4)
    if made == 0:
        return gzip.compress(packed, 1)
    if made == 1:
        return packed + mutated(chance, packed)
    return mutated(chance, packed)


def _bomb(chance: random.Random, originals: Originals) -> bytes:
    """Much from little: one line without end, lines without number, cells without number."""
    head = originals.csv.split(b"\n", 1)[0] + b"\n"
    unit, count = chance.choice(((b"1", 30_000_000), (b"\n", 20_000_000), (b",", 8_000_000), (b'"', 30_000_000)))
    return gzip.compress(head + unit * (count // chance.choice((1, 10, 1_000))), 1)


def _parquet(chance: random.Random, originals: Originals) -> bytes:
    data = chance.choice(originals.parquets)
    if chance.random() < 0.5:
        return mutated(chance, data, most=2)
    # Within the footer, where lengths and offsets are.
    length = int.from_bytes(data[-8:-4], "little")
    footer = bytearray(data[-8 - length : -8])
    for _ in range(chance.randint(1, 3)):
        footer[chance.randrange(len(footer))] = chance.randrange(256)
    return data[: -8 - length] + bytes(footer) + data[-8:]


def _zones(chance: random.Random, originals: Originals) -> bytes:
    return mutated(chance, originals.zones)


def _read_zones(content: bytes, folder: Path) -> bool:
    (folder / "zones.csv").write_bytes(content)
    return bool(read_zones_csv(folder / "zones.csv", "https://example.org/zones.csv").num_rows >= 263)


def _zip(chance: random.Random, originals: Originals) -> bytes:
    """The archive's bytes changed, or members changed, renamed, doubled, nested, or without end."""
    if chance.random() < 0.5:
        return mutated(chance, originals.shapes, most=2)
    target = io.BytesIO()
    original = io.BytesIO(originals.shapes)
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        spoiled = chance.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            if name != spoiled:
                new.writestr(name, content)
                continue
            way = chance.randrange(6)
            if way == 0:
                new.writestr(f"../../../tmp/{name}", content)
            elif way == 1:
                new.writestr(name, originals.shapes)
            elif way == 2:
                new.writestr(name, content + bytes(chance.choice((1, 1_000, 60_000_000))))
            elif way == 3:
                new.writestr(f"/{name}/", content)
            elif way == 4:
                new.writestr(name.upper() + "\0", content)
            else:
                new.writestr(name, mutated(chance, content))
    return target.getvalue()


def _read_zip(content: bytes, folder: Path) -> bool:
    before = _outside(folder)
    (folder / "taxi_zones.zip").write_bytes(content)
    try:
        return bool(read_zone_shapes(folder / "taxi_zones.zip", "https://example.org/taxi_zones.zip").rows.num_rows)
    finally:
        if _outside(folder) != before:
            raise AssertionError(f"an archive wrote outside its place: {sorted(_outside(folder) - before)}")


def _outside(folder: Path) -> set[Path]:
    """Files of shapes in the folders above."""
    return {path for above in (folder, *folder.parents[:3]) for path in above.glob("taxi_zones.[!z]*")}


def _document(name: str) -> Callable[[random.Random, Originals], bytes]:
    return lambda chance, originals: _json_mutated(chance, getattr(originals, name))


def _read_manifest(content: bytes, _: Path) -> bool:
    month = _MONTHS["green"]
    manifest, _old = Manifest.read(month, content, "/lake/manifest.json")
    again, _old = Manifest.read(month, manifest.to_bytes(), "/lake/manifest.json")
    if again != manifest:
        raise AssertionError("a manifest that was read is another one once it is written")
    for path in (*(raw.path for raw in manifest.versions), *manifest.clean_paths):
        if path.startswith("/") or ".." in Path(path).parts:
            raise AssertionError(f"a manifest leads out of the lake: {path!r}")
    return True


def _read_snapshot(content: bytes, _: Path) -> bool:
    snapshot = Snapshot.read(content, "/lake/snapshots/x.json")
    for path in snapshot.paths:
        if path.startswith("/") or ".." in Path(path).parts:
            raise AssertionError(f"a snapshot leads out of the lake: {path!r}")
    return True


def _read_shapes_note(content: bytes, _: Path) -> bool:
    return bool(versions_of(content))


def _read_cursor(content: bytes, _: Path) -> bool:
    try:
        Memory.from_cursor(CONTRACTS["green"], content.decode("utf-8", "replace"))
    except ValueError:  # the sensor takes it for none, and says so
        return False
    return True


KINDS = (
    Kind("CSV", 40, _csv, partial(_staged_and_cleaned, "green", "green_tripdata_2020-03.csv.gz")),
    Kind("gzip", 12, _gzip, partial(_staged_and_cleaned, "green", "green_tripdata_2020-03.csv.gz")),
    Kind("Parquet", 20, _parquet, partial(_staged_and_cleaned, "fhv", "fhv_tripdata_2020-03.parquet")),
    Kind("zone lookup", 5, _zones, _read_zones),
    Kind("zip of shapes", 4, _zip, _read_zip),
    Kind("manifest", 8, _document("manifest"), _read_manifest),
    Kind("snapshot", 4, _document("snapshot"), _read_snapshot),
    Kind("note of shapes", 3, _document("shapes_note"), _read_shapes_note),
    Kind("cursor of a sensor", 4, _document("cursor"), _read_cursor),
)
_BOMB = Kind("gzip bomb", 0, _bomb, KINDS[1].read)


def _originals(folder: Path) -> Originals:
    import pyarrow as pa
    import pyarrow.parquet as pq

    things: Material = material(folder / "hostile")
    lines = gzip.decompress((folder / "hostile/0/green_tripdata_2020-03.csv.gz").read_bytes()).split(b"\n")
    write_month("fhv", _MONTHS["fhv"].first_day, 1_000, folder / "fhv.parquet", "parquet")
    table = pq.read_table(folder / "fhv.parquet").slice(0, 40)
    parquets = []
    for options in ({}, {"compression": "zstd", "use_dictionary": False}, {"row_group_size": 7}):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, **options)
        parquets.append(sink.getvalue().to_pybytes())
    raw, staged = things.raw[0].raw, things.clean[0]
    clean = CleanMonth(staged.month, staged.facts, "trips/a.parquet", "quarantine/a.parquet", 1, 1)
    now = datetime(2026, 1, 2).astimezone()
    manifest = Manifest(raw.month).with_stored(raw).with_clean(clean, now).with_stored(things.raw[1].raw)
    snapshot = Snapshot("x", "2026-01-02T03:04:05+00:00", "id", (KeptMonth(raw, clean),), {"a": "b"}, "a note")
    cursor = json.dumps({"published": {"2020-03-01": "token"}, "denied": {"2020-04-01": 2}}).encode()
    shapes = StoredShapes(
        version="a",
        zones=263,
        read_by="OBJECTID",
        mended=(1,),
        source_url="https://example.org/taxi_zones.zip",
        source_token="t",
        etag=None,
        sha256="a",
        fetched_at="2026-01-02T03:04:05+00:00",
    )
    return Originals(
        b"\n".join(lines[:25]) + b"\n",
        parquets,
        lookup_csv(),
        shapes_zip(),
        manifest.to_bytes(),
        snapshot.to_bytes(),
        with_version(None, shapes),
        cursor,
    )


# ---- trying them


def run(plan: Plan, say: Callable[[str], object]) -> list[Part]:
    """So many inputs in all, each kind its share; a few bombs beside."""
    originals = in_fork(partial(_originals, plan.folder)).answer
    if originals is None:
        raise RuntimeError("the originals of hostile inputs could not be made")
    whole = sum(kind.share for kind in KINDS)
    batches: list[tuple[str, range]] = []
    for kind in KINDS:
        wanted = plan.inputs * kind.share // whole
        batches += [(kind.name, range(at, min(at + _BATCH, wanted))) for at in range(0, wanted, _BATCH)]
    batches += [(_BOMB.name, range(at, at + 1)) for at in range(max(2, plan.inputs // 5_000))]
    random.Random(plan.seed).shuffle(batches)
    parts = {kind.name: Part(kind.name) for kind in (*KINDS, _BOMB)}
    for found in side_by_side(batches, plan, partial(_tried, originals, plan.seed), 24 * 3600.0):
        for name, (inputs, taken, hangs, defects) in found:
            part = parts[name]
            part.inputs += inputs
            part.faults["inputs"] += inputs
            part.ends.update({"finished": taken, "refused": inputs - taken})
            part.hangs += hangs
            part.defects += defects
    say(f"hostile: {sum(part.inputs for part in parts.values()):,} inputs")
    return list(parts.values())


_Found = tuple[int, int, int, list[str]]


def _tried(
    originals: Originals, seed: int, batches: Sequence[tuple[str, range]], folder: Path
) -> list[tuple[str, _Found]]:
    folder.mkdir(exist_ok=True)
    return [(name, _batch(originals, seed, name, numbers, folder)) for name, numbers in batches]


def _batch(originals: Originals, seed: int, name: str, numbers: range, folder: Path) -> _Found:
    """In one fork; where that dies or hangs, each half by itself."""
    ended = in_fork(partial(_judged, originals, seed, name, numbers, folder), _BATCH_SECONDS)
    shutil.rmtree(folder / "input", ignore_errors=True)
    if ended.answer is not None:
        found: _Found = ended.answer
        return found
    if len(numbers) == 1:
        return 1, 0, int(ended.hung), [f"input {numbers[0]} of seed {seed}: {ended}"]
    middle = len(numbers) // 2
    halves = [_batch(originals, seed, name, part, folder) for part in (numbers[:middle], numbers[middle:])]
    (a, b, c, d), (e, f, g, h) = halves
    return a + e, b + f, c + g, [*d, *h]


def _judged(originals: Originals, seed: int, name: str, numbers: range, folder: Path) -> _Found:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    kind = next(kind for kind in (*KINDS, _BOMB) if kind.name == name)
    taken, defects = 0, []
    for number in numbers:
        chance = random.Random(f"{seed} {name} {number}")
        content = kind.make(chance, originals)
        place = folder / "input"
        place.mkdir()
        try:
            taken += kind.read(content, place)
        except TaxiError as error:
            if "\n" in str(error) or len(str(error)) > 1_000:
                defects.append(f"input {number} of seed {seed}: not one short sentence: {str(error)[:1_500]!r}")
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__module__}.{type(error).__qualname__}: {str(error)[:500]} ({where.name})"
            defects.append(f"input {number} of seed {seed}: {what}")
        shutil.rmtree(place)
    return len(numbers), taken, 0, defects
