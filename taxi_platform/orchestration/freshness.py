"""Whether a dataset is looked after: the one rule for late and stale datasets, and the sensor that reports it.

Belongs here: the rule. Does not: noting looks at upstream (sensors, the sweep and runs do) and telling people
(``alerts``).

Upstream publishes a month about once a month, some two months late, and sometimes two at once. So neither the age of
the newest month nor the time of the newest materialization shows that something is wrong. A dataset is stale if nobody
has looked at upstream, and got an answer, for a long time. The lake records the last look. So quiet days with daily
looks are not stale, and no instance has to remember anything.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.resources import LakeResource

__all__ = ["CHECK", "LATE_AFTER", "STALE_AFTER", "Freshness", "build_freshness_sensor", "freshness", "judged"]

CHECK = "looked_after"
"""The name of the check of raw assets that reports it."""
LATE_AFTER, STALE_AFTER = timedelta(days=45), timedelta(days=75)
"""The monthly sweep looks once a month, even if no sensor does."""

_LAKE_SECONDS = 10.0
"""The longest wait of a tick for a lake that does not answer; Dagster ends a tick after 60 s."""

Freshness = Literal["unknown", "fresh", "late", "stale"]


def freshness(last_look: datetime | None, now: datetime) -> Freshness:
    """The state of a dataset whose upstream was last looked at then; unknown if no look was ever noted."""
    if last_look is None:
        return "unknown"
    age = now - last_look
    return "stale" if age > STALE_AFTER else "late" if age > LATE_AFTER else "fresh"


def judged(last_look: datetime | None, now: datetime) -> dict[str, Any]:
    """The check's result: a warning if the dataset is late, an error if it is stale."""
    found = freshness(last_look, now)
    looked: dict[str, Any] = {"last_look": dg.MetadataValue.timestamp(last_look)} if last_look else {}
    return {
        "passed": found in ("unknown", "fresh"),
        "severity": dg.AssetCheckSeverity.WARN if found == "late" else dg.AssetCheckSeverity.ERROR,
        "metadata": {**looked, "freshness": found},
    }


def build_freshness_sensor(contracts: Sequence[Contract]) -> dg.SensorDefinition:
    """The sensor, which runs from the start. It starts no run, and reports only changes."""

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Says in the check {CHECK} of raw assets which datasets nobody has looked after.",
    )
    def told(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        now, before = datetime.now(timezone.utc), _before(context.cursor)
        quick = lake.open(_LAKE_SECONDS)
        looks = {contract.dataset: quick.last_look(contract.dataset) for contract in contracts}
        found = {dataset: freshness(look, now) for dataset, look in looks.items()}
        changed = [name for name, verdict in found.items() if verdict not in ("unknown", before.get(name))]
        return dg.SensorResult(
            asset_events=[
                dg.AssetCheckEvaluation(asset_key=asset_key("raw", name), check_name=CHECK, **judged(looks[name], now))
                for name in changed
            ],
            skip_reason=dg.SkipReason(", ".join(f"{name} is {verdict}" for name, verdict in found.items())),
            cursor=json.dumps(found),
        )

    return told


def _before(cursor: str | None) -> dict[str, str]:
    try:
        found = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
