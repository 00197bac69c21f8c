"""What it costs to give trips with coordinates their zones: the grid of cells beside two plain ways, and in cleaning.

    python -m benchmarks.zones --rows 1000000
    python -m benchmarks.zones --rows 14000000 --shapes taxi_zones.zip --without-plain

Each way runs in a process of its own, after another. First points alone: half of them anywhere in the zones, half
within some feet of a border, where streets are; every way must find the same zones. Then a generated month is cleaned
with the shapes and without. CPU seconds of points include the building of grid or tree, those of cleaning the whole
process; the peak is that of resident memory. Without ``--shapes`` the zones are those of the sample source, 263
squares, which have far shorter borders than the real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

_MONTH = date(2012, 1, 1)
_BATCH = 131_072
"""Points at a time: both ends of a batch of trips."""
_KIB_PER_UNIT = 1 / 1024 if sys.platform == "darwin" else 1  # ru_maxrss counts bytes there


def polygons_of(shapes: Path) -> Mapping[int, bytes]:
    """Location id → polygon, of a file of upstream's."""
    from taxi_platform.stores.lake.shapes import FEET, read_zone_shapes

    rows = read_zone_shapes(shapes, str(shapes)).rows
    return dict(zip(rows["location_id"].to_pylist(), rows[FEET].to_pylist(), strict=True))


def points(polygons: Mapping[int, bytes], count: int) -> Iterator[tuple[Any, Any]]:
    """Longitudes and latitudes, batch by batch."""
    import numpy as np
    import shapely
    from pyproj import Transformer

    rng = np.random.default_rng(1)
    shapes = shapely.from_wkb(list(polygons.values()))
    to_degrees = Transformer.from_crs(2263, 4269, always_xy=True)
    borders = shapely.get_parts(shapely.boundary(shapes))
    west, south, east, north = shapely.bounds(shapes).T
    for start in range(0, count, _BATCH):
        half = (min(_BATCH, count - start) + 1) // 2
        zone, border = rng.integers(0, len(shapes), half), rng.integers(0, len(borders), half)
        anywhere = rng.uniform((west[zone], south[zone]), (east[zone], north[zone])).T
        near = shapely.get_coordinates(
            shapely.line_interpolate_point(borders[border], rng.random(half), normalized=True)
        )
        feet = np.concatenate([anywhere, near + rng.normal(0, 20, near.shape)])
        yield to_degrees.transform(feet[:, 0], feet[:, 1])


def by_grid(polygons: Mapping[int, bytes]) -> Callable[[Any, Any], Any]:
    """This platform's way."""
    from taxi_platform.cleaning.zone_grid import ZoneGrid

    return ZoneGrid(polygons).zones_of


def by_tree(polygons: Mapping[int, bytes]) -> Callable[[Any, Any], Any]:
    """The usual way: a tree of the polygons, asked with every point, as a spatial join does."""
    import numpy as np
    import shapely
    from pyproj import Transformer

    numbers = np.array(sorted(polygons))
    tree = shapely.STRtree([shapely.from_wkb(polygons[number]) for number in sorted(polygons)])
    to_feet = Transformer.from_crs(4269, 2263, always_xy=True)

    def zones_of(longitudes: Any, latitudes: Any) -> Any:
        found = np.full(len(longitudes), 32_767, np.int16)
        of_feet = shapely.points(*to_feet.transform(longitudes, latitudes))
        point, zone = tree.query(of_feet, predicate="intersects")
        np.minimum.at(found, point, numbers[zone].astype(np.int16))
        return np.where(found == 32_767, 0, found)

    return zones_of


def by_zone(polygons: Mapping[int, bytes]) -> Callable[[Any, Any], Any]:
    """Every prepared polygon with every point that no smaller zone has."""
    import numpy as np
    import shapely
    from pyproj import Transformer

    shapes = {number: shapely.from_wkb(polygons[number]) for number in sorted(polygons)}
    shapely.prepare(list(shapes.values()))
    to_feet = Transformer.from_crs(4269, 2263, always_xy=True)

    def zones_of(longitudes: Any, latitudes: Any) -> Any:
        found = np.zeros(len(longitudes), np.int16)
        x, y = to_feet.transform(longitudes, latitudes)
        waiting = np.arange(len(x))
        for number, shape in shapes.items():
            is_in = shapely.intersects_xy(shape, x[waiting], y[waiting])
            found[waiting[is_in]] = number
            waiting = waiting[~is_in]
        return found

    return zones_of


WAYS = {"taxi_platform": by_grid, "STRtree": by_tree, "prepared, by zone": by_zone}


def locate(way: str, shapes: Path, count: int) -> dict[str, object]:
    """Run one way over the points; the costs of making them are left out."""
    polygons = polygons_of(shapes)
    cpu, checksum, done = 0.0, 0, 0
    before = _cpu()
    zones_of = WAYS[way](polygons)
    cpu += _cpu() - before
    for longitudes, latitudes in points(polygons, count):
        before = _cpu()
        found = zones_of(longitudes, latitudes)
        cpu += _cpu() - before
        checksum = zlib.crc32(found.astype("<i2").tobytes(), checksum)
        done += len(found)
    return {"found": checksum, "points": done, "cpu": cpu, "peak_mib": _peak()}


def clean(source: Path, shapes: Path | None, folder: Path) -> dict[str, object]:
    """Clean the month, with zones or without."""
    import pyarrow.parquet as pq

    from taxi_platform.cleaning import ZoneShapes, clean_month
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.machine.memory import thrifty_pool
    from taxi_platform.references import RawMonth

    given = None
    if shapes is not None:
        polygons = polygons_of(shapes)
        given = ZoneShapes("benchmark", lambda: polygons)
    month = CONTRACTS["yellow"].month(_MONTH)
    rows, size = pq.read_metadata(source).num_rows, source.stat().st_size
    raw = RawMonth(month, "benchmark", source.name, rows, 0, size, "", "", None, "", 0, "", "")
    thrifty_pool()  # as a run does
    facts = clean_month(CONTRACTS["yellow"], raw, source, folder, shapes=given).facts
    return {"found": sum(c.get("in_zone", 0) for c in facts.located.values()), "cpu": _cpu(), "peak_mib": _peak()}


def generate(rows: int, path: Path) -> None:
    """Write a month of 2012 of the built-in sample source as Parquet."""
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.ingest import stage_raw
    from taxi_platform.sources.model import Download, Version
    from taxi_platform.sources.sample import write_month

    packed = path.with_suffix(".csv.gz")
    write_month("yellow", _MONTH, rows, packed, "csv.gz")
    download = Download(Version(packed.as_uri(), "benchmark"), packed, "0" * 64, packed.stat().st_size)
    staged = stage_raw(CONTRACTS["yellow"], CONTRACTS["yellow"].month(_MONTH), download, path.parent)
    staged.file.rename(path)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB_PER_UNIT / 1024


def in_own_process(*options: str) -> str:
    """Run this module once more; a peak of memory counts what the starting process has, so that one stays small."""
    command = [sys.executable, "-m", "benchmarks.zones", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compare(rows: int, shapes: Path, folder: Path, ways: list[str]) -> bool:
    """Print a line for each way, and for the month with and without zones; whether all find the same."""
    print(f"{2 * rows:,} points, {os.cpu_count()} cores\n{'':20}{'CPU s':>8}{'peak MiB':>10}")
    found = set()
    for way in ways:
        cost = json.loads(in_own_process("--measure", way, "--rows", str(rows), "--shapes", str(shapes)))
        found.add(cost["found"])
        print(f"{way:20}{cost['cpu']:>8.1f}{cost['peak_mib']:>10,.0f}")
    month = folder / "month.parquet"
    in_own_process("--measure", "generate", "--rows", str(rows), "--file", str(month), "--shapes", str(shapes))
    print(f"a month of {rows:,} trips\n{'':20}{'CPU s':>8}{'peak MiB':>10}{'located':>14}")
    for name in ("cleaned", "cleaned with zones"):
        cost = json.loads(in_own_process("--measure", name, "--file", str(month), "--shapes", str(shapes)))
        print(f"{name:20}{cost['cpu']:>8.1f}{cost['peak_mib']:>10,.0f}{cost['found']:>14,}")
    return len(found) == 1


def measured(options: argparse.Namespace) -> dict[str, object]:
    """Do one thing in this process."""
    if options.measure in WAYS:
        return locate(options.measure, options.shapes, 2 * options.rows)
    if options.measure == "generate":
        generate(options.rows, options.file)
        return {}
    with tempfile.TemporaryDirectory(dir=options.file.parent) as folder:
        return clean(options.file, options.shapes if options.measure.endswith("zones") else None, Path(folder))


def main() -> int:
    """Read the options and compare; 1 where the ways disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trips of the month, which have two points each")
    parser.add_argument("--shapes", type=Path, help="upstream's taxi_zones.zip; generated zones without")
    parser.add_argument("--without-plain", action="store_true", help="this platform's way only")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        shapes = options.shapes
        if shapes is None:
            from taxi_platform.sources.sample.shapes import shapes_zip

            shapes = Path(folder) / "taxi_zones.zip"
            shapes.write_bytes(shapes_zip())
        ways = list(WAYS)[:1] if options.without_plain else list(WAYS)
        if compare(options.rows, shapes, Path(folder), ways):
            return 0
    print("the ways disagree about the zones of some point")
    return 1


if __name__ == "__main__":
    sys.exit(main())
