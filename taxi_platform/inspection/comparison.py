"""What upstream has against what the lake has, month by month.

Belongs here: which months are new, and which upstream no longer has. Does not: looking (``sources.looking``) and
requesting runs (``orchestration.automation.sensors``). Nothing is remembered here: the lake's manifests have it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taxi_platform.errors import DamagedError, TaxiError
from taxi_platform.months import TripMonth
from taxi_platform.references import RawMonth
from taxi_platform.sources.looking import Look
from taxi_platform.sources.model import UNVERSIONED, Version
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.manifest import Manifest

__all__ = ["Comparison", "compare", "is_new", "version_label"]


@dataclass(frozen=True)
class Comparison:
    """One look at upstream, compared with the lake as it is now."""

    new: Mapping[TripMonth, str]
    """Month → a label of upstream's version, for months whose version is not the one that the lake last took."""
    vanished: Mapping[TripMonth, RawMonth]
    """Months that follow upstream, and that upstream says it no longer has → what the lake has of them."""
    is_outage: bool
    """Whether upstream has at most half of the lake's months: then something is wrong with upstream as a whole."""
    unreadable: Sequence[str]
    """One sentence for each manifest that could not be read. A damaged manifest is listed too, and its month is new."""


def compare(look: Look, lake: Lake) -> Comparison:
    """Compare what upstream answered, month by month, with the lake's manifests."""
    unreadable: list[str] = []
    answers = {month: _read(lake, month, unreadable) for month in sorted(_months(look))}
    manifests = {month: manifest for month, manifest in answers.items() if manifest is not None}
    held = {month: manifest for month, manifest in manifests.items() if manifest.current is not None}
    return Comparison(
        new={
            month: version_label(version)
            for month, version in look.published.items()
            if month in manifests and is_new(version, manifests[month])
        },
        vanished={
            month: manifest.current_version
            for month, manifest in held.items()
            if month in look.unpublished and manifest.current_version and not manifest.is_selected
        },
        is_outage=2 * len(held.keys() & look.published.keys()) <= len(held),
        unreadable=unreadable,
    )


def version_label(version: Version) -> str:
    """The name of a version in run keys: its token, or one name for all if upstream cannot tell versions apart."""
    return version.token if version.is_comparable else UNVERSIONED


def _months(look: Look) -> set[TripMonth]:
    return {*look.published, *look.unpublished, *look.unknown}


def _read(lake: Lake, month: TripMonth, unreadable: list[str]) -> Manifest | None:
    try:
        return lake.manifest(month)
    except DamagedError as error:
        unreadable.append(str(error))
        return Manifest(month)  # treat it as absent: the requested run writes it again
    except TaxiError as error:
        unreadable.append(str(error))
        return None


def is_new(version: Version, manifest: Manifest) -> bool:
    """Whether upstream's version is another than the one that the lake last took."""
    known = manifest.upstream_version
    return known is None or (version.is_comparable and known.source_token != version.token)
