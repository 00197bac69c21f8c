"""A recorded run of the platform's assets and checks in which nothing is done: what Dagster itself takes for it.

    python -m benchmarks.empty_run shape green shape.json
    DAGSTER_HOME=… python -m benchmarks.empty_run run shape.json 2018-02-01

Belongs here: the shape of a dataset's job (assets, what they depend on, checks), and a plain Dagster run of that shape,
which imports nothing of the platform. Does not: measuring it (``start_up``, ``orchestration``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__: list[str] = []


def main() -> None:
    """Print the shape of a dataset's job, or run a shape over months."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shape", "run"])
    parser.add_argument("names", nargs="+", help="A dataset and a file; or that file and the first and the last month.")
    arguments = parser.parse_args()
    if arguments.what == "shape":
        dataset, file = arguments.names
        Path(file).write_text(json.dumps(_shape(dataset), indent=2))
    else:
        file, first, *last = arguments.names
        _run(json.loads(Path(file).read_text()), first, last[0] if last else first)


def _shape(dataset: str) -> dict[str, Any]:
    """The assets of the dataset's job with what each depends on, its checks, and the month that it begins with."""
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.orchestration.build import build_definitions
    from taxi_platform.orchestration.jobs import job_name
    from taxi_platform.settings import Settings

    repository = build_definitions(Settings.from_environment()).get_repository_def()
    graph = repository.asset_graph
    keys = sorted(repository.get_job(job_name(dataset)).asset_layer.executable_asset_keys)
    checks: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(graph.asset_check_keys):
        if key.asset_key in keys:
            step = repository.asset_checks_defs_by_key[key].node_def.name
            checks.setdefault(step, []).append((key.asset_key.to_user_string(), key.name))
    return {
        "first_month": CONTRACTS[dataset].first_month.isoformat(),
        "assets": {
            key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
            for key in keys
        },
        "checks": list(checks.values()),
    }


def _run(shape: dict[str, Any], first: str, last: str) -> None:
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    months = dg.MonthlyPartitionsDefinition(shape["first_month"])

    def empty_asset(name: str, parents: list[str]) -> dg.AssetsDefinition:
        policy = dg.BackfillPolicy.single_run()

        @dg.asset(name=name, deps=parents, partitions_def=months, backfill_policy=policy)
        def nothing() -> None:
            return None

        return nothing

    def empty_checks(keys: list[tuple[str, str]]) -> dg.AssetChecksDefinition:
        specs = [dg.AssetCheckSpec(name, asset=asset) for asset, name in keys]

        @dg.multi_asset_check(name="_".join(keys[0]), specs=specs)
        def nothing() -> Any:
            for asset, name in keys:
                yield dg.AssetCheckResult(asset_key=asset, check_name=name, passed=True)

        return nothing

    definitions = dg.Definitions(
        assets=[empty_asset(name, parents) for name, parents in shape["assets"].items()],
        asset_checks=[empty_checks([(asset, name) for asset, name in keys]) for keys in shape["checks"]],
        jobs=[dg.define_asset_job("nothing", selection=dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    # What it prints stays here, as in the platform's own runs: keeping it costs four processes a run.
    no_capture = {
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    }
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=no_capture)
    ) as instance:
        done = definitions.get_job_def("nothing").execute_in_process(instance=instance, tags=tags, run_config=quiet)
        sys.exit(0 if done.success else 1)


if __name__ == "__main__":
    main()
