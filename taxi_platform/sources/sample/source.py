"""Generated months behind the protocol of a source.

Belongs here: versions of generated files, and writing them to a private file. Does not: the generator (``writing``).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxi_platform.errors import UpstreamChangedError
from taxi_platform.months import TripMonth
from taxi_platform.sources.model import GENERATED, Download, Version
from taxi_platform.sources.sample.shapes import shapes_zip
from taxi_platform.sources.sample.writing import REVISION, check_options, is_generated, stream_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.sources.staging import StagedFile, staged_file

if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer

__all__ = ["SampleSource"]


@dataclass(frozen=True)
class SampleSource:
    """A `Source` of generated months: every month of every dataset since its first, each of the same size."""

    rows: int
    file_format: str

    def __post_init__(self) -> None:
        check_options(self.rows, self.file_format)

    @property
    def name(self) -> str:
        """``sample``."""
        return "sample"

    def stat(self, month: TripMonth) -> Version | None:
        """The version is the month's recipe, so that a look generates nothing; None before the first month."""
        if not is_generated(month):
            return None
        file = f"{month.dataset}_tripdata_{month.label}.{self.file_format}"
        return Version(f"{GENERATED}{month.dataset}/{file}", f"{GENERATED}{REVISION}:{self.rows}:{self.file_format}")

    def fetch(self, month: TripMonth, version: Version, directory: Path) -> Download:
        """Generate the month; raises `UpstreamChangedError` if the recipe is another now."""
        if version != self.stat(month):
            raise UpstreamChangedError(
                f"{version.url} was looked at as {version.token}, which this source no longer generates: look again"
            )
        with staged_file(directory, version.url.rpartition("/")[2]) as staged:
            stream_month(month, self.rows, _writable(staged), self.file_format)
        return Download(version, staged.path, staged.sha256, staged.size)

    def stat_zones(self) -> Version:
        """The version of the generated zone lookup."""
        return Version(f"{GENERATED}misc/taxi_zone_lookup.csv", f"{GENERATED}{REVISION}:zones")

    def fetch_zones(self, version: Version, directory: Path) -> Download:
        """Write the generated zone lookup."""
        with staged_file(directory, "taxi_zone_lookup.csv") as staged:
            staged.write(lookup_csv())
        return Download(version, staged.path, staged.sha256, staged.size)

    def stat_zone_shapes(self) -> Version:
        """The current version of the zones' shapes; see ``Source.stat_zone_shapes``."""
        return Version(f"{GENERATED}misc/taxi_zones.zip", f"{GENERATED}{REVISION}:zone-shapes")

    def fetch_zone_shapes(self, version: Version, directory: Path) -> Download:
        """Bring the zones' shapes; see ``Source.fetch_zone_shapes``."""
        with staged_file(directory, "taxi_zones.zip") as staged:
            staged.write(shapes_zip())
        return Download(version, staged.path, staged.sha256, staged.size)


class _Writable(io.RawIOBase):
    """A staged file behind the file object that writers of file formats expect."""

    def __init__(self, staged: StagedFile) -> None:
        self._staged = staged

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._staged.size

    def write(self, data: Buffer, /) -> int:
        chunk = bytes(data)
        self._staged.write(chunk)
        return len(chunk)


def _writable(staged: StagedFile) -> BinaryIO:
    return cast("BinaryIO", _Writable(staged))
