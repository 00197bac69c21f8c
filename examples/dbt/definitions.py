"""The project's models as assets, in a code location of its own: they follow the platform's months by themselves."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

HERE = Path(__file__).parent
# The dbt beside this Python: a web interface of another environment starts this code location, with a path of its own.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
TARGET = os.environ.get("DBT_TARGET", "duckdb")
PROJECT = DbtProject(HERE, target_path=Path("target") / f"dagster-{TARGET}", profiles_dir=HERE, target=TARGET)
PROJECT.prepare_if_dev()
if not PROJECT.manifest_path.exists():
    PROJECT.preparer.prepare(PROJECT)

# Whenever a month of what a model reads was made or replaced. Which months changed since the last build is found by dbt
# itself, so the models need no partitions, and one build takes up any number of months. Months that the platform does
# not have are no reason to wait: there always are some.
FOLLOWS = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())


class Translator(DagsterDbtTranslator):
    """Sources name the platform's assets in their `meta`; those without one say what months there are, and no more."""

    def get_resource_props(self, manifest: Mapping[str, Any], unique_id: str) -> Mapping[str, Any]:
        """A model's properties without the sources that are no assets."""
        properties = super().get_resource_props(manifest, unique_id)
        depends_on = properties.get("depends_on", {})
        nodes = [node for node in depends_on.get("nodes", []) if _is_asset(manifest, node)]
        return {**properties, "depends_on": {**depends_on, "nodes": nodes}}

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group for all of them."""
        return "dbt"

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition[Any]:
        """The same for every model."""
        return FOLLOWS


def _is_asset(manifest: Mapping[str, Any], node: str) -> bool:
    source = manifest["sources"].get(node)
    return source is None or "dagster" in source["config"]["meta"]


@dbt_assets(manifest=PROJECT.manifest_path, project=PROJECT, dagster_dbt_translator=Translator())
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Build the selected models and test them; tests are checks of the assets."""
    yield from dbt.cli(["build"], context=context).stream()


defs = dg.Definitions(
    assets=[models],
    resources={"dbt": DbtCliResource(project_dir=PROJECT)},
    sensors=[dg.AutomationConditionSensorDefinition("dbt_automation", target=dg.AssetSelection.groups("dbt"))],
    executor=dg.in_process_executor,
)
