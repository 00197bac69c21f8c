"""Sensors that look at upstream: one a dataset, and one for the zone lookup.

Belongs here: what is asked for because upstream has it. Does not: what follows in the other stores (``automation``).

A look compares what upstream has now with what the lake holds now, so that nothing depends on a memory: a cursor that
is reset repeats nothing, and a month that did not arrive is seen again. The cursor keeps what upstream had at the last
look, for people and for telling that a month has vanished. Vanished months stay in every store.
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from taxi_platform.contracts.model import Contract
from taxi_platform.errors import TaxiError
from taxi_platform.jobs import ZONES_JOB
from taxi_platform.months import TripMonth, month_label
from taxi_platform.partitions import contiguous_ranges, recent_months, run_tags
from taxi_platform.resources import LakeResource, SourceResource
from taxi_platform.run_history import Asked, asked_tags, last_asked, months_under_way
from taxi_platform.settings import Settings
from taxi_platform.sources import RetryPolicy
from taxi_platform.sources.looking import Look, look_at
from taxi_platform.sources.model import UNVERSIONED, Version

__all__ = ["HASTY", "LOOK_SECONDS", "MOST_ATTEMPTS", "build_sensors"]

LOOK_SECONDS = 40.0
"""Dagster ends a tick after 60 s; the lake and the run records need some of them."""
HASTY = RetryPolicy(attempts=2, first_wait=0.5, longest_wait=2.0, connect_timeout=5.0, read_timeout=10.0)
"""A look that fails is repeated by the next tick."""
MOST_ATTEMPTS = 5
"""Runs for one version of a month; after the last one, the monthly sweep or a person asks."""


def build_sensors(contracts: Sequence[Contract], settings: Settings) -> list[dg.SensorDefinition]:
    """Every sensor; those of the datasets that `Settings.automates` start by themselves."""
    return [*(_months_sensor(contract, settings) for contract in contracts), _zones_sensor(settings)]


def _months_sensor(contract: Contract, settings: Settings) -> dg.SensorDefinition:
    raw = dg.AssetKey(["raw", contract.dataset])

    @dg.sensor(
        name=f"{contract.dataset}_published",
        target=dg.AssetSelection.assets(raw),
        minimum_interval_seconds=settings.poll_seconds,
        default_status=_status(running=settings.automates(contract.dataset)),
        description=(
            f"Looks at the {settings.lookback_months} newest months of {contract.title} upstream and asks for those "
            "that are new or published again."
        ),
    )
    def published(
        context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource
    ) -> dg.SensorResult | dg.SkipReason:
        months = recent_months(contract, settings.lookback_months)
        look = look_at(source.open(HASTY), months, LOOK_SECONDS)
        if not look.published and not look.unpublished:
            return dg.SkipReason(f"upstream gave no usable answer, and is looked at again: {look.reasons}")
        seen = {contract.month(date.fromisoformat(k)): token for k, token in json.loads(context.cursor or "{}").items()}
        new, unreadable = _new_versions(look, lake)
        for sentence in (*_vanished(look, seen), *unreadable, *sorted(set(look.unknown.values()))):
            context.log.warning(sentence)
        under_way = months_under_way(context.instance, contract, [raw])
        asked = last_asked(context.instance, contract.dataset)
        waiting = {month.first_day: version for month, version in new.items() if month not in under_way}
        attempts = _due(waiting, asked, first_wait=settings.poll_seconds, now=time.time())
        requests = [
            _run_request(contract.dataset, {day: waiting[day] for day in days}, attempt)
            for attempt, due in sorted(attempts.items())
            for days in contiguous_ranges(due)
        ]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why_nothing(new, look),
            cursor=json.dumps({month.partition_key: token for month, token in _now_seen(look, seen).items()}),
        )

    return published


def _zones_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="zones_published",
        job_name=ZONES_JOB,
        minimum_interval_seconds=settings.poll_seconds,
        default_status=_status(running=settings.automation == "on"),
        description="Looks at the taxi zone lookup upstream and asks for it when it is new.",
    )
    def zones_published(
        context: dg.SensorEvaluationContext,  # noqa: ARG001 - Dagster passes it by position
        source: SourceResource,
        lake: LakeResource,
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            version = source.open(HASTY).stat_zones()
            stored = lake.open().stored_zones()
        except TaxiError as error:
            return dg.SkipReason(str(error))
        if stored is not None and (stored.source_token == version.token or not version.is_comparable):
            return dg.SkipReason("the lake has what upstream has")
        # Seldom enough to be repeated once a day where it fails.
        return dg.RunRequest(run_key=f"zones|{_token(version)}|{date.today().isoformat()}")  # noqa: DTZ011

    return zones_published


def _status(*, running: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def _new_versions(look: Look, lake: LakeResource) -> tuple[dict[TripMonth, str], list[str]]:
    """Months whose version the lake does not have, with its token; and what kept the lake from answering."""
    store = lake.open()
    new: dict[TripMonth, str] = {}
    unreadable: list[str] = []
    for month, version in look.published.items():
        try:
            stored = store.current_raw(month)
        except TaxiError as error:
            unreadable.append(str(error))
            continue
        if stored is None or (version.is_comparable and stored.source_token != version.token):
            new[month] = _token(version)
    return new, unreadable


def _token(version: Version) -> str:
    return version.token if version.is_comparable else UNVERSIONED


def _due(
    new: Mapping[date, str], asked: Mapping[tuple[str, str], Asked], *, first_wait: float, now: float
) -> dict[int, list[date]]:
    """Attempt → months to ask for now: at once, then after 1, 2, 4 … times ``first_wait`` since the last run ended."""
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


def _run_request(dataset: str, versions: Mapping[date, str], attempt: int) -> dg.RunRequest:
    """One run over contiguous months."""
    days = sorted(versions)
    months, version = month_label(days[0]), versions[days[0]]
    if len(days) > 1:
        months = f"{months}..{month_label(days[-1])}"
        version = hashlib.sha256("\n".join(versions[day] for day in days).encode()).hexdigest()[:16]
    return dg.RunRequest(
        run_key=f"{dataset}|{months}|{version}|{attempt}",
        tags={**run_tags(days), **asked_tags(dataset, versions, attempt)},
    )


def _why_nothing(new: Mapping[TripMonth, str], look: Look) -> str:
    said = f"nothing to ask for: the lake has {len(look.published) - len(new)} of the {len(look.published)} published"
    if new:
        waiting = ", ".join(month.label for month in sorted(new))
        said += f"; under way, or waiting to be asked for again: {waiting}"
    return said + (f"; not answered: {look.reasons}" if look.unknown else "")


def _vanished(look: Look, seen: Mapping[TripMonth, str]) -> list[str]:
    return [f"{month} is no longer upstream; the stores keep it" for month in sorted(look.unpublished & set(seen))]


def _now_seen(look: Look, seen: Mapping[TripMonth, str]) -> dict[TripMonth, str]:
    """What upstream had at its last answer; a month without an answer keeps what it had before."""
    unanswered = {month: seen[month] for month in look.unknown if month in seen}
    return dict(sorted({**unanswered, **{month: _token(v) for month, v in look.published.items()}}.items()))
