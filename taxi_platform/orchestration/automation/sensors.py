"""Sensors that look at upstream: one per dataset, and one for the zones.

Belongs here: requests for runs because upstream has something new. Does not: the stores that follow (``conditions``).

A look compares what upstream has now with what the lake holds now, so that nothing depends on a memory. After a reset
of the cursor nothing is repeated, and a month that failed to arrive is found again. A month that upstream no longer has
stays in every store, or is removed from them after several denials (``TAXI_WITHDRAWN``).
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.errors import TaxiError
from taxi_platform.inspection.comparison import Comparison, compare, version_label
from taxi_platform.months import TripMonth, month_label
from taxi_platform.orchestration.automation.record_job import RECORD_JOB, record_config, unrecorded_months
from taxi_platform.orchestration.automation.run_history import Asked, asked_tags, last_asked, months_under_way
from taxi_platform.orchestration.automation.sensor_memory import Memory
from taxi_platform.orchestration.jobs import ZONES_JOB
from taxi_platform.orchestration.keys import asset_key, asset_name
from taxi_platform.orchestration.partitions import contiguous_ranges, recent_months, run_tags
from taxi_platform.orchestration.resources import LakeResource, SourceResource
from taxi_platform.settings import Settings
from taxi_platform.sources import RetryPolicy
from taxi_platform.sources.looking import Look, look_at
from taxi_platform.sources.model import Version
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.shapes import StoredShapes
from taxi_platform.stores.lake.zones import StoredZones

__all__ = ["DENIALS_BEFORE_REMOVAL", "LOOK_SECONDS", "MOST_ATTEMPTS", "TICK_RETRIES", "build_sensors"]

LOOK_SECONDS = 40.0
"""The time for looking at upstream. Dagster ends a tick after 60 s, and the lake and the run records need some of
them."""
_LAKE_SECONDS = 10.0
"""The longest wait of a tick for a lake that does not answer."""
TICK_RETRIES = RetryPolicy(attempts=2, first_wait=0.5, longest_wait=2.0, connect_timeout=5.0, read_timeout=10.0)
"""Few retries, because the next tick repeats a look that fails."""
DENIALS_BEFORE_REMOVAL = 2
"""Upstream must deny a month in so many looks in a row before it is removed from the stores."""
MOST_ATTEMPTS = 5
"""Runs that are requested for one version of a month; after the last one, the monthly sweep or a person requests it."""


def build_sensors(contracts: Sequence[Contract], settings: Settings) -> list[dg.SensorDefinition]:
    """Every sensor; those of datasets that `Settings.automates` are on by default."""
    months = (_months_sensor(contract, settings) for contract in contracts)
    return [*months, _zones_sensor(settings), _record_sensor(contracts, settings)]


def _months_sensor(contract: Contract, settings: Settings) -> dg.SensorDefinition:
    raw = asset_key("raw", contract.dataset)

    @dg.sensor(
        name=f"{contract.dataset}_published",
        target=dg.AssetSelection.assets(raw),
        minimum_interval_seconds=settings.poll_seconds,
        default_status=_status(running=settings.automates(contract.dataset)),
        description=(
            f"Looks at the {settings.lookback_months} newest months of {contract.title} upstream and asks for those "
            "that are new or published again; with TAXI_WITHDRAWN=remove also those to be taken out."
        ),
    )
    def published(
        context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource
    ) -> dg.SensorResult | dg.SkipReason:
        months = recent_months(contract, settings.lookback_months)
        look = look_at(source.open(TICK_RETRIES), months, LOOK_SECONDS)
        if not look.published and not look.unpublished:
            return dg.SkipReason(f"upstream gave no usable answer, and is looked at again: {look.reasons}")
        lake.open(_LAKE_SECONDS).note_look(contract.dataset, datetime.now(timezone.utc))
        found = compare(look, lake.open(_LAKE_SECONDS))
        before = _remembered(context, contract)
        now = before.after(look, found)
        withdrawn = _withdrawn(found, now) if settings.withdrawn == "remove" else {}
        for sentence in (
            *(_vanished(found, now) if settings.withdrawn == "remove" else _kept(look, before)),
            *found.unreadable,
            *sorted(set(look.unknown.values())),
        ):
            context.log.warning(sentence)
        under_way = months_under_way(context.instance, contract, [raw])
        asked = last_asked(context.instance, contract.dataset)

        def ask(versions: Mapping[TripMonth, str], config: Mapping[str, Any]) -> Iterator[dg.RunRequest]:
            waiting = {month.first_day: version for month, version in versions.items() if month not in under_way}
            attempts = _due(waiting, asked, first_wait=settings.poll_seconds, now=time.time())
            for attempt, due in sorted(attempts.items()):
                for days in contiguous_ranges(due):
                    yield _run_request(contract.dataset, {day: waiting[day] for day in days}, attempt, config)

        requests = [*ask(found.new, {}), *ask(withdrawn, _removing(contract))]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why_nothing({*found.new, *withdrawn}, look, found),
            cursor=now.to_cursor(),
        )

    return published


def _zones_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="zones_published",
        job_name=ZONES_JOB,
        minimum_interval_seconds=settings.poll_seconds,
        default_status=_status(running=settings.automation == "on"),
        description="Looks at the taxi zone lookup and the zones' shapes upstream, and asks for what is new, also "
        "where dates or codes are out of date.",
    )
    def zones_published(
        context: dg.SensorEvaluationContext,  # noqa: ARG001 - Dagster passes it by position
        source: SourceResource,
        lake: LakeResource,
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            upstream, held = source.open(TICK_RETRIES), lake.open(_LAKE_SECONDS)
            looked_at = [
                (upstream.stat_zones(), held.stored_zones()),
                (upstream.stat_zone_shapes(), held.stored_zone_shapes()),
            ]
        except TaxiError as error:
            return dg.SkipReason(str(error))
        new = [version_label(version) for version, stored in looked_at if version and _is_new(version, stored)]
        new += [f"{name} {version[:8]}" for name, version in _outdated(held).items()]
        if not new:
            return dg.SkipReason("the lake has what upstream has")
        # Seldom enough to be repeated once a day where it fails.
        return dg.RunRequest(run_key=f"zones|{'|'.join(new)}|{date.today().isoformat()}")  # noqa: DTZ011

    return zones_published


def _outdated(lake: Lake) -> dict[str, str]:
    """Dates and codes that the lake has not as they are today → their version."""
    stored = {name: lake.dimensions.stored(name) for name in DIMENSIONS}
    versions = {name: dimension.version for name, dimension in DIMENSIONS.items()}
    return {name: version for name, version in versions.items() if getattr(stored[name], "sha256", None) != version}


def _is_new(version: Version, stored: StoredZones | StoredShapes | None) -> bool:
    return stored is None or (stored.source_token != version.token and version.is_comparable)


def _record_sensor(contracts: Sequence[Contract], settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="unrecorded_months",
        job_name=RECORD_JOB,
        minimum_interval_seconds=settings.poll_seconds,
        default_status=_status(running=settings.automation == "on"),
        description=(
            "Asks for one run that takes into the instance's record what the stores hold already, where the lake has "
            "months that it knows nothing of: an instance that is new, or restored."
        ),
    )
    def unrecorded(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
        found: dict[str, list[str]] = {}
        for contract in contracts:
            running = months_under_way(context.instance, contract, [asset_key("raw", contract.dataset)])
            labels = set(unrecorded_months(context.instance, lake.open(_LAKE_SECONDS), contract.dataset))
            if missing := sorted(labels - {month.label for month in running}):
                found[contract.dataset] = missing
        if not found:
            return dg.SkipReason("every month of the lake is on record, or under way")
        key = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
        # Seldom enough to be repeated once a day where it fails.
        today = date.today().isoformat()  # noqa: DTZ011
        return dg.RunRequest(run_key=f"record|{key}|{today}", run_config={"ops": record_config(list(found))})

    return unrecorded


def _status(*, running: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def _remembered(context: dg.SensorEvaluationContext, contract: Contract) -> Memory:
    try:
        return Memory.from_cursor(contract, context.cursor)
    except ValueError:
        context.log.warning("the cursor cannot be read, and is taken for none")
        return Memory()


def _withdrawn(found: Comparison, now: Memory) -> dict[TripMonth, str]:
    """Vanished months to remove from the stores → a label, which is new if a month comes back and vanishes again."""
    if found.is_outage:
        return {}
    return {
        month: f"withdrawn {raw.version} of {raw.fetched_at}"
        for month, raw in found.vanished.items()
        if now.denied[month] >= DENIALS_BEFORE_REMOVAL
    }


def _removing(contract: Contract) -> dict[str, Any]:
    return {"ops": {asset_name("raw", contract.dataset): {"config": {"remove_withdrawn": True}}}}


def _due(
    new: Mapping[date, str], asked: Mapping[tuple[str, str], Asked], *, first_wait: float, now: float
) -> dict[int, list[date]]:
    """Attempt → months to request now: at once, then after 1, 2, 4 … times ``first_wait`` since the last run ended."""
    due: dict[int, list[date]] = defaultdict(list)
    for day, version in new.items():
        last = asked.get((month_label(day), version))
        if last is None:
            due[1].append(day)
        elif last.ended is None or last.attempt >= MOST_ATTEMPTS:
            continue
        elif now >= last.ended + first_wait * 2 ** (last.attempt - 1):
            due[last.attempt + 1].append(day)
    return due


def _run_request(dataset: str, versions: Mapping[date, str], attempt: int, config: Mapping[str, Any]) -> dg.RunRequest:
    """One run over contiguous months."""
    days = sorted(versions)
    months, version = month_label(days[0]), versions[days[0]]
    if len(days) > 1:
        months = f"{months}..{month_label(days[-1])}"
        version = hashlib.sha256("\n".join(versions[day] for day in days).encode()).hexdigest()[:16]
    return dg.RunRequest(
        run_key=f"{dataset}|{months}|{version}|{attempt}",
        run_config=config,
        tags={**run_tags(days), **asked_tags(dataset, versions, attempt)},
    )


def _why_nothing(wanted: Collection[TripMonth], look: Look, found: Comparison) -> str:
    has = len(look.published) - len(found.new)
    said = f"nothing to ask for: the lake has {has} of the {len(look.published)} published"
    if wanted:
        waiting = ", ".join(month.label for month in sorted(wanted))
        said += f"; under way, or waiting to be asked for again: {waiting}"
    return said + (f"; not answered: {look.reasons}" if look.unknown else "")


def _kept(look: Look, before: Memory) -> list[str]:
    gone = sorted(look.unpublished & set(before.published))
    return [f"{month} is no longer upstream; the stores keep it" for month in gone]


def _vanished(found: Comparison, now: Memory) -> list[str]:
    if found.is_outage and found.vanished:
        gone = ", ".join(month.label for month in sorted(found.vanished))
        return [f"upstream denies most of what the lake has, and nothing is taken out of the stores for it: {gone}"]
    return [
        f"{month} is no longer upstream, by {now.denied[month]} looks in a row; at {DENIALS_BEFORE_REMOVAL} it is "
        "taken out of the stores"
        for month in sorted(found.vanished)
    ]
