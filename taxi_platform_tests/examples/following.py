"""Run in the example's environment: what its automation asks for as the platform's months come, one line a tick.

The events are those that the platform's own code location records; nothing is built.
"""

from __future__ import annotations

import runpy
import sys

import dagster as dg


def main() -> None:
    """Nothing; a green month; nothing new; the same month again; what the models' own runs leave to do."""
    defs = runpy.run_path(sys.argv[1])["defs"]
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None
        for event in (None, "green_trips", None, "green_trips", "stg_green_tripdata"):
            if event == "stg_green_tripdata":  # as a run of all models does
                for model in defs.resolve_asset_graph().materializable_asset_keys:
                    instance.report_runless_asset_event(dg.AssetMaterialization(model))
            elif event:
                instance.report_runless_asset_event(dg.AssetMaterialization(event, partition="2020-03-01"))
            result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
            cursor = result.cursor
            asked = sorted({r.key.to_user_string() for r in result.results if r.true_subset.size})
            sys.stdout.write(f"asked: {' '.join(asked)}\n")


if __name__ == "__main__":
    main()
