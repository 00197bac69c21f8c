"""When an asset follows its inputs: the condition of every asset below raw, and the sensors that evaluate it.

Belongs here: declarative automation. Does not: runs requested because of upstream (``sensors``) or of the calendar
(``schedules``).

A month is behind if it was made from another version of its input than the newest recorded one. That is a state and not
an event, so that nothing can hide it: no run's own report, no worker that was killed before it recorded what it stored,
no sensor that was off. Dagster's own conditions look at events: ``eager()`` only at those of the newest month,
``data_version_changed()`` at one version for all months of a run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import AutomationCondition as Condition

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.inspection.report.folder import made_from
from taxi_platform.months import parse_month
from taxi_platform.orchestration.automation.recorded import recorded_versions
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.orchestration.jobs import marts_group
from taxi_platform.orchestration.keys import LOOKUP, REPORT, SHAPES, asset_name, place
from taxi_platform.orchestration.metadata import (
    DATA_VERSION,
    MADE_FROM,
    RAW_VERSION,
    SHA256,
    VERSION,
    WITHDRAWN,
    ZONE_SHAPES,
)
from taxi_platform.settings import Settings

__all__ = ["Behind", "Relocated", "Superseded", "build_automation_sensors", "follows", "shows"]

_LONGEST_INTERVAL = 30

_NAMES = {"raw": (VERSION, RAW_VERSION), **dict.fromkeys((LOOKUP, SHAPES, *DIMENSIONS), (SHA256, SHA256))}
"""Input → the name of its version in its own materializations, and in those of the assets made from it. Of every other
layer both are the data version."""


class Behind(Condition[dg.AssetKey]):
    """True for a month whose recorded version of its input differs from the input's own version, or is missing.

    Both are read from the newest materializations. An input that records no version is no reason for a run.
    """

    def __init__(self, layer: str) -> None:
        self.layer = layer

    @property
    def name(self) -> str:
        """The condition as the web interface names it."""
        return f"made from another version of its {self.layer}"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The candidate months whose recorded input version is not the input's current one."""
        own_name, input_name = _NAMES.get(self.layer, (DATA_VERSION, DATA_VERSION))
        view = context.asset_graph_view
        (source,) = (
            key
            for key in view.asset_graph.get(context.key).parent_keys
            if (at := place(key)) and at.layer == self.layer
        )
        wanted = {month: names[own_name] for month, names in _recorded(context, source) if own_name in names}
        made_from = {month: names.get(input_name) for month, names in _recorded(context, context.key)}
        behind = {month for month, version in wanted.items() if made_from.get(month) != version}
        return _among_candidates(context, behind)


class Relocated(Condition[dg.AssetKey]):
    """True for a month whose points were located by another version of the zones' shapes than the newest recorded one.

    A month without points records no such version, and is never meant.
    """

    @property
    def name(self) -> str:
        """The condition as the web interface names it."""
        return f"located by another version of {SHAPES}"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The candidate months whose recorded shapes are not the current ones."""
        current = {
            names[VERSION]
            for _, names in _recorded(context, dg.AssetKey(asset_name(SHAPES, SHAPES)))
            if VERSION in names
        }
        located = {
            month: names[ZONE_SHAPES] for month, names in _recorded(context, context.key) if ZONE_SHAPES in names
        }
        behind = {month for month, by in located.items() if current and by not in (*current, WITHDRAWN)}
        return _among_candidates(context, behind)


class Superseded(Condition[dg.AssetKey]):
    """True for a month whose page of the report was made from other marts than the newest recorded ones, or is missing.

    A page compares its month with the month before and the year before, so it shows the marts of all three.
    """

    def __init__(self, layer: str) -> None:
        self.layer = layer

    @property
    def name(self) -> str:
        """The condition as the web interface names it."""
        return f"made from other {self.layer}, its own or those that it is compared with"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The candidate months whose recorded marts are not the current ones."""
        (source,) = context.asset_graph_view.asset_graph.get(context.key).parent_keys
        versions = {key: names[VERSION] for key, names in _recorded(context, source) if key and VERSION in names}
        there = {parse_month(key): version for key, version in versions.items() if version != WITHDRAWN}
        wanted = {key: made_from(there, parse_month(key)) for key in versions}
        wanted |= {key: WITHDRAWN for key, version in versions.items() if version == WITHDRAWN}
        known = {key: names.get(MADE_FROM) for key, names in _recorded(context, context.key)}
        return _among_candidates(context, {key for key, marts in wanted.items() if known.get(key) != marts})


def _among_candidates(
    context: dg.AutomationContext[dg.AssetKey], months: Collection[str | None]
) -> dg.AutomationResult[dg.AssetKey]:
    view = context.asset_graph_view
    partitions = view.asset_graph.get(context.key).partitions_def
    if partitions is None:
        found = context.candidate_subset if months else context.get_empty_subset()
    else:
        keys = {key for key in context.candidate_subset.expensively_compute_partition_keys() if key in months}
        found = view.get_subset_from_partition_keys(context.key, partitions, keys)
    return dg.AutomationResult(context, found)


def _recorded(
    context: dg.AutomationContext[dg.AssetKey], asset: dg.AssetKey
) -> Iterable[tuple[str | None, Mapping[str, str]]]:
    return recorded_versions(context.asset_graph_view.instance, asset).items()


def follows(layer: str, *, and_shapes: bool = False) -> Condition[dg.AssetKey]:
    """True for a month that is behind its input in that layer and was not requested since the input's last run.

    A month is requested once, never before every input exists, and never while an input or the asset itself runs. After
    a failure it is requested again when its input was looked at again (at least once a month), and by the
    reconciliation. Months with points also follow the zones' shapes ``and_shapes``, but do not wait for them to exist.
    """
    asked = Condition.newly_requested().since(Condition.any_deps_match(Condition.newly_updated()))
    with_its_input = Condition.any_deps_match(Condition.will_be_requested()).with_label("its input is requested")
    is_behind = Behind(layer) | Relocated() if and_shapes else Behind(layer)
    missing = Condition.any_deps_missing()
    if and_shapes:
        missing = missing.ignore(dg.AssetSelection.assets(asset_name(SHAPES, SHAPES)))
    wanted = with_its_input | (is_behind & ~asked.with_label("asked for since its input was last recorded"))
    return _unless_running(wanted, missing, f"follows {layer}")


def shows(layer: str) -> Condition[dg.AssetKey]:
    """True for a month of the report whose marts are there and are not those of its page, as `follows` otherwise.

    Marts of another month may be what is new. So whether it was asked for is forgotten, too, once the page is right.
    """
    is_behind = Superseded(layer)
    asked = Condition.newly_requested().since(Condition.any_deps_match(Condition.newly_updated()) | ~is_behind)
    return _unless_running(
        Condition.any_deps_match(Condition.will_be_requested()).with_label("its input is requested")
        | (is_behind & ~asked.with_label("asked for since its marts were last recorded")),
        Condition.any_deps_missing(),
        f"shows {layer}",
    )


def _unless_running(wanted: Condition[Any], missing: Condition[Any], label: str) -> Condition[dg.AssetKey]:
    found: Condition[dg.AssetKey] = (
        wanted & ~missing & ~Condition.any_deps_in_progress() & ~Condition.in_progress()
    ).with_label(label)
    return found


@knowingly()
def build_automation_sensors(
    contracts: Sequence[Contract], settings: Settings
) -> list[dg.AutomationConditionSensorDefinition]:
    """One sensor per dataset and one for the zones, so that each can be started and stopped on its own."""
    targets: dict[str, tuple[dg.AssetSelection, bool]] = {
        c.dataset: (dg.AssetSelection.groups(c.dataset, marts_group(c.dataset)), settings.automates(c.dataset))
        for c in contracts
    }
    if settings.marts_in:
        targets = {
            name: (selected | dg.AssetSelection.assets(asset_name(REPORT, name)), starts)
            for name, (selected, starts) in targets.items()
        }
    targets["zones"] = (dg.AssetSelection.groups("zones"), settings.automation == "on")
    return [
        dg.AutomationConditionSensorDefinition(
            f"{name}_automation",
            target=selected,
            description=f"Asks for what is behind its input in {name}.",
            default_status=dg.DefaultSensorStatus.RUNNING if starts else dg.DefaultSensorStatus.STOPPED,
            minimum_interval_seconds=min(_LONGEST_INTERVAL, settings.poll_seconds),
            use_user_code_server=True,  # only this code location knows its own condition
        )
        for name, (selected, starts) in targets.items()
    ]
