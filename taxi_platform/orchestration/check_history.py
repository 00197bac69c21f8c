"""Every check of a code location, with what an instance has on record of it.

Belongs here: reading the record. Does not: judging anything (``checks``), and where it is shown
(``inspection.catalog``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from taxi_platform.inspection.catalog.evidence import Check, Evaluation, Outcome

__all__ = ["check_history"]

_RECENT = 20
"""The newest evaluations of a check that are read."""


def check_history(repository: dg.RepositoryDefinition, instance: dg.DagsterInstance | None) -> Iterator[Check]:
    """Every check, by asset and name; without evaluations if there is no instance.

    Args:
        repository: whose checks.
        instance: where they were evaluated.
    """
    graph = repository.asset_graph
    for key in sorted(graph.asset_check_keys, key=lambda key: (key.asset_key.to_user_string(), key.name)):
        records = instance.event_log_storage.get_asset_check_execution_history(key, limit=_RECENT) if instance else ()
        evaluations = tuple(_evaluation(record.evaluation, record.create_timestamp) for record in records)
        yield Check(key.asset_key.to_user_string(), key.name, graph.get_check_spec(key).description or "", evaluations)


def _evaluation(found: object, planned: float) -> Evaluation:
    """One record of the history.

    Args:
        found: the evaluation; anything else as long as there is none, or if its run ended before.
        planned: when it was planned, in seconds since 1970.
    """
    if not isinstance(found, dg.AssetCheckEvaluation):
        return Evaluation(datetime.fromtimestamp(planned, timezone.utc), "not ended")
    outcome: Outcome = (
        "passed" if found.passed else "warned" if found.severity is dg.AssetCheckSeverity.WARN else "failed"
    )
    return Evaluation(datetime.fromtimestamp(planned, timezone.utc), outcome, _said({**found.metadata}))


def _said(metadata: Mapping[str, Any]) -> str:
    """What an evaluation found, from the entries that the platform's checks have (``checked_months``)."""
    values = {name: entry.value for name, entry in metadata.items()}
    if "freshness" in values:
        return str(values["freshness"])
    if "months_in_all" not in values:
        return ""
    return f"{values.get('months_failing', 0)} of {values['months_in_all']} months do not pass"
