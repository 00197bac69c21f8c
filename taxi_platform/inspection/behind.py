"""The one rule that says which layer of a month is behind, and why.

Belongs here: the rule, over values. Does not: looking into the stores (``status``, ``orchestration.checks``) and
repairing (``orchestration.automation.repairs``). A store is compared by data version *and* by rows: other rows can have
equal counts, and a recorded version can have lost rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from taxi_platform.cleaning.options import CleaningOptions
from taxi_platform.cleaning.refusals import is_refused
from taxi_platform.cleaning.version import clean_version, version_now
from taxi_platform.contracts.contract import Contract
from taxi_platform.marts import marts_of
from taxi_platform.references import CleanFacts, RawMonth
from taxi_platform.stores.bookkeeping import definitions
from taxi_platform.stores.lake.month import MonthInLake
from taxi_platform.stores.model import HeldMart, HeldMonth

__all__ = ["kept_options", "lake_gaps", "marts_gap", "table_gap"]


def lake_gaps(contract: Contract, found: MonthInLake) -> Mapping[str, str]:
    """Layer of the lake (``raw``, ``trips``) → one sentence about what it lacks; empty if it lacks nothing."""
    raw = found.manifest.current_version
    if found.is_manifest_damaged:
        return {"raw": found.problems[0]}
    if found.manifest.refusal and not is_refused(contract, found.manifest.version(found.manifest.upstream or "")):
        return {"raw": "a version that an earlier release refused has not been cleaned by this one"}
    if raw is None:
        return _gaps_without_raw(found)
    gaps = {"raw": _raw_gap(raw, found), "trips": _trips_gap(contract, raw, found)}
    return {layer: sentence for layer, sentence in gaps.items() if sentence}


def _gaps_without_raw(found: MonthInLake) -> Mapping[str, str]:
    if found.manifest.is_withdrawn:
        holds = found.manifest.clean is not None
        return {"trips": "the lake has trips of a month that upstream has withdrawn"} if holds else {}
    return {} if found.manifest.refusal else {"raw": "the lake has no raw file of it"}


def _raw_gap(raw: RawMonth, found: MonthInLake) -> str | None:
    from taxi_platform.ingest import is_current_conversion

    if found.raw_rows is None:
        return next(iter(found.problems), "the raw file is damaged")
    # A month that upstream no longer has cannot be converted again. So an earlier conversion stays if a person chose it
    # or restored it from a snapshot, or if it replaces a refused version.
    is_upstreams = raw.version == found.manifest.upstream and found.manifest.restored_from is None
    if is_upstreams and not is_current_conversion(raw):
        return "the raw file was converted by an earlier release"
    return None


def _trips_gap(contract: Contract, raw: RawMonth, found: MonthInLake) -> str | None:
    clean = found.clean
    if clean is None:
        return found.problems[-1] if found.manifest.clean is not None and found.problems else "not cleaned yet"
    facts = clean.facts
    if facts.raw_version != raw.version:
        return f"trips were made from raw version {facts.raw_version}, and {raw.version} is current"
    if found.manifest.restored_from is None and (outdated := _outdated(contract, raw, facts, found.zone_shapes)):
        return outdated
    if not facts.is_conserved or facts.raw_rows != (raw.rows if found.raw_rows is None else found.raw_rows):
        return (
            f"{facts.trips_rows:,} trips and {facts.quarantined_rows:,} quarantined rows are not the "
            f"{raw.rows:,} of the raw file"
        )
    return None


def _outdated(contract: Contract, raw: RawMonth, facts: CleanFacts, zone_shapes: str | None) -> str | None:
    options = _options(raw, facts)
    if facts.version != clean_version(contract, raw.version, options, facts.zone_shapes):
        return "trips were cleaned by an earlier contract or cleaning revision"
    if facts.version != version_now(contract, raw.version, facts, zone_shapes, options):
        by = f"by the zones' shapes {facts.zone_shapes}" if facts.zone_shapes else "without the zones' shapes"
        return f"trips were located {by}, and {zone_shapes} are current"
    return None


def kept_options(facts: CleanFacts) -> tuple[str, ...]:
    """This release's options that the month was cleaned with.

    The acceptance of a format is in the raw version instead.
    """
    known = CleaningOptions.model_fields.keys() - {"accept_changed_format"}
    return tuple(sorted(name for name, is_on in facts.options.items() if is_on and name in known))


def _options(raw: RawMonth, facts: CleanFacts) -> CleaningOptions:
    return CleaningOptions(accept_changed_format=raw.accepts_changed_format, **dict.fromkeys(kept_options(facts), True))


def table_gap(found: MonthInLake, held: HeldMonth | None) -> str | None:
    """One sentence about what a store of tables lacks, compared with the lake; None if the two agree."""
    if found.clean is None:
        if held is None or (found.manifest.clean is not None or found.is_manifest_damaged):
            return None  # nothing to compare with; the lake's own gap is reported instead
        return "holds a month that the lake has not"
    facts = found.clean.facts
    if held is None:
        return "does not have it"
    if held.counts != found.counts:
        return (
            f"holds {held.counts.trips:,} trips and {held.counts.quarantined:,} quarantined rows, the lake "
            f"{facts.trips_rows:,} and {facts.quarantined_rows:,}"
        )
    if held.data_version != facts.version:
        return f"holds version {held.data_version or 'unknown'}, the lake {facts.version}"
    return None


def marts_gap(contract: Contract, held: HeldMonth | None, marts: Mapping[str, HeldMart]) -> str | None:
    """One sentence about what a store's marts of a month lack, compared with its tables; None if they agree.

    Args:
        contract: the dataset.
        held: what the store has of the month's tables.
        marts: mart → what the store's record says of it.
    """
    if held is None:
        return None
    wanted = definitions(marts_of(contract), contract)
    if missing := [name for name in wanted if name not in marts]:
        return "not made yet" if len(missing) == len(wanted) else f"without {', '.join(missing)}"
    if gone := [name for name in marts if name not in wanted]:
        return f"has {', '.join(gone)}, which this release does not make"
    versions = {marts[name].data_version for name in wanted} - {held.data_version}
    if versions:
        return f"made from version {', '.join(sorted(versions))}, and the tables hold {held.data_version or 'unknown'}"
    others = [name for name, made_by in wanted.items() if marts[name].definition != made_by]
    return f"{', '.join(others)} made by another definition than this release's" if others else None
