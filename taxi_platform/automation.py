"""When an asset follows its inputs: the condition of every asset below raw, and the sensors that evaluate it.

Belongs here: declarative automation. Does not: what is asked for because of upstream (``sensors``) or because of the
calendar (``schedules``).

Dagster's own ``AutomationCondition.eager()`` looks at the newest month only, which upstream publishes two months late,
follows a run that changed nothing, and leaves out what the run that updated the input was to update as well: the good
months of a range in which one failed. The condition here is made of the same public parts, for every month alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster import AutomationCondition as Condition

from taxi_platform.contracts.model import Contract
from taxi_platform.settings import Settings

__all__ = ["build_automation_sensors", "follows", "unchanged_tag"]

_LONGEST_INTERVAL = 30


def unchanged_tag(layer: str) -> str:
    """The tag by which a run says that it found its part of a layer (``raw``, ``trips``, ``zones``) as it should be.

    Dagster records a materialization of every month that a run was asked for, whether anything changed or not.
    """
    return f"taxi/unchanged_{layer}"


def follows(layer: str) -> Condition[dg.AssetKey | dg.AssetCheckKey]:
    """True for a month whose input in that layer has changed since the asset last followed it.

    A request is made once a change, never before every input exists, and never while an input or the asset itself is
    under way. A change that comes while the asset is being requested is not lost: it is asked for again.
    """
    behind = Condition.any_deps_match(Condition.newly_updated()).since(Condition.newly_updated())
    found_unchanged = Condition.all_new_updates_have_run_tags(tag_keys={unchanged_tag(layer)})
    changed = Condition.any_deps_match(Condition.newly_updated() & ~found_unchanged)
    handled = ~behind.with_label("older than its input") | (Condition.newly_requested() & ~changed)
    with_its_input = Condition.any_deps_match(Condition.will_be_requested()).with_label("its input is requested")
    return (
        (with_its_input | changed.with_label("input changed").since(handled))
        & ~Condition.any_deps_missing()
        & ~Condition.any_deps_in_progress()
        & ~Condition.in_progress()
    ).with_label(f"follows {layer}")


def build_automation_sensors(
    contracts: Sequence[Contract], settings: Settings
) -> list[dg.AutomationConditionSensorDefinition]:
    """One sensor a dataset, and one for the zones: each can be started and stopped by itself."""
    groups = {contract.dataset: settings.automates(contract.dataset) for contract in contracts}
    groups["zones"] = settings.automation == "on"
    return [
        dg.AutomationConditionSensorDefinition(
            f"{group}_automation",
            target=dg.AssetSelection.groups(group),
            description=f"Asks for what follows changed months of {group}.",
            default_status=dg.DefaultSensorStatus.RUNNING if starts else dg.DefaultSensorStatus.STOPPED,
            minimum_interval_seconds=min(_LONGEST_INTERVAL, settings.poll_seconds),
        )
        for group, starts in groups.items()
    ]
