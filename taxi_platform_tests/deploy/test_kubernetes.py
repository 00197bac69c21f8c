"""deploy/kubernetes: values and manifests judged by the schema of Kubernetes' own API, and the pod that Dagster makes.

The chart itself cannot be had here: where its templates put a part of the values, this puts it too, into a manifest
that the schema then judges. The pod of a run is made by the launcher that makes it in a cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes
import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._grpc.types import ExecuteRunArgs
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job

from taxi_platform.cli.launch import CODE_LOCATION
from taxi_platform.contracts import CONTRACTS
from taxi_platform.definitions import defs
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.settings import Settings
from taxi_platform_tests.deploy.tools import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "kubernetes"
IMAGE = "REGISTRY/taxi-platform:0.1.0"
VERSIONS = ("1.30", "1.37")
"""Of Kubernetes: the oldest and the newest that the values are judged by."""
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
current-context: none
"""


def values() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
    return document


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "settings.yaml").read_text()))


def judge(manifest: Mapping[str, Any]) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def user_deployment() -> dict[str, Any]:
    (deployment,) = values()["dagster-user-deployments"]["deployments"]
    return dict(deployment)


def parts() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "code location", user_deployment()
    yield "daemon", values()["dagsterDaemon"]
    yield "web server", values()["dagsterWebserver"]


@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest["kind"])
def test_every_manifest_is_one(manifest: dict[str, Any]) -> None:
    judge(manifest)


@pytest.mark.parametrize(("name", "part"), list(parts()))
def test_what_the_values_say_of_a_deployment_is_what_the_api_takes(name: str, part: dict[str, Any]) -> None:
    container = {
        "name": "dagster",
        "image": f"{part['image']['repository']}:{part['image']['tag']}",
        "imagePullPolicy": part["image"]["pullPolicy"],
        **{key: part[key] for key in ("securityContext", "resources", "volumeMounts")},
        "envFrom": [
            *({"configMapRef": source} for source in part.get("envConfigMaps", ())),
            *({"secretRef": source} for source in part.get("envSecrets", ())),
        ],
    }
    for probe in ("readinessProbe", "livenessProbe"):
        if probe in part:
            asked = {key: value for key, value in part[probe].items() if key != "enabled"}
            # Where the values name no question, the chart asks the code location over gRPC.
            container[probe] = asked if "httpGet" in asked else {"exec": {"command": ["dagster"]}, **asked}
    pod = {"securityContext": part["podSecurityContext"], "volumes": part["volumes"], "containers": [container]}
    labels = {"app": "dagster"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    judge(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "dagster"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
    )
    mounted = {mount["name"] for mount in part["volumeMounts"]}
    assert mounted == {volume["name"] for volume in part["volumes"]}


def test_the_policies_are_those_of_every_instance() -> None:
    laptop = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    given, more = values(), values()["additionalInstanceConfig"]
    assert more["run_monitoring"].pop("start_timeout_seconds") > laptop["run_monitoring"].pop("start_timeout_seconds")
    for key, value in more.items():
        assert laptop[key] == value
    assert laptop["telemetry"] == given["telemetry"]
    logs, kept = laptop["python_logs"], given["pythonLogs"]
    assert logs == {"managed_python_loggers": kept["managedPythonLoggers"], "python_log_level": kept["pythonLogLevel"]}
    purged = {"schedule": "schedule", "sensor": "sensor", "auto_materialize": "autoMaterialize"}
    for key, name in purged.items():
        assert laptop["retention"][key]["purge_after_days"] == given["retention"][name]["purgeAfterDays"]
    for key in ("sensors", "schedules"):
        said = given["dagsterDaemon"][key]
        assert laptop[key] == {"use_threads": said["useThreads"], "num_workers": said["numWorkers"]}
    by_the_chart = {"telemetry", "python_logs", "retention", "sensors", "schedules", "scheduler"}
    assert laptop.keys() == more.keys() | by_the_chart


def test_settings_are_settings_and_every_name_is_one_that_is_there() -> None:
    (settings,) = [m for m in manifests() if m["kind"] == "ConfigMap"]
    Settings.from_environment({**settings["data"], "TAXI_POSTGRES": "postgresql://taxi_loader:x@10.0.0.3/taxi"})
    assert [source["name"] for source in user_deployment()["envConfigMaps"]] == [settings["metadata"]["name"]]
    (monitor,) = [m for m in manifests() if m["kind"] == "Deployment"]
    pod = monitor["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == values()["serviceAccount"]["name"] == values()["global"]["serviceAccountName"]
    image = user_deployment()["image"]
    assert pod["containers"][0]["image"] == f"{image['repository']}:{image['tag']}"
    assert pod["securityContext"] == user_deployment()["podSecurityContext"]


def test_dagster_plus_finds_the_code_location() -> None:
    (location,) = load_dagster_cloud_yaml((REPOSITORY / "dagster_cloud.yaml").read_text()).locations
    assert location.location_name == CODE_LOCATION
    assert location.code_source is not None
    assert location.code_source.module_name == "taxi_platform.definitions"


def snake(document: Any) -> Any:
    """``podSpecConfig`` → ``pod_spec_config``, at the first level, as the chart writes it."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in document.items()}


def job_of_a_run(
    folder: Path, definition: dg.JobDefinition, instance: dg.DagsterInstance
) -> tuple[dict[str, Any], dg.DagsterRun]:
    """The Kubernetes job that Dagster's launcher makes of a run of that job, by these values."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    said = values()["runLauncher"]["config"]["k8sRunLauncher"]
    launcher = K8sRunLauncher(
        service_account_name=values()["serviceAccount"]["name"],
        instance_config_map="taxi-dagster-instance",
        dagster_home="/opt/dagster/dagster_home",
        postgres_password_secret=values()["global"]["postgresqlSecretName"],
        image_pull_policy=said["imagePullPolicy"],
        load_incluster_config=False,
        kubeconfig_file=str(kubeconfig),
        job_namespace="taxi",
        fail_pod_on_run_failure=said["failPodOnRunFailure"],
        run_k8s_config=snake(said["runK8sConfig"]),
    )
    launcher.register_instance(instance)
    deployment = user_deployment()
    context = {
        "env_config_maps": [source["name"] for source in deployment["envConfigMaps"]],
        "env_secrets": [source["name"] for source in deployment["envSecrets"]],
        "volumes": deployment["volumes"],
        "volume_mounts": deployment["volumeMounts"],
        "resources": deployment["resources"],
    }
    origin = JobPythonOrigin(
        definition.name,
        RepositoryPythonOrigin(
            sys.executable,
            ModuleCodePointer("taxi_platform.definitions", "defs", None),
            container_image=IMAGE,
            container_context={"k8s": context},
        ),
    )
    run = instance.create_run_for_job(
        definition, status=dg.DagsterRunStatus.STARTING, job_code_origin=origin, tags=dict(definition.run_tags)
    )
    container = launcher.get_container_context_for_run(run)
    arguments = ExecuteRunArgs(origin, run.run_id, None, set_exit_code_on_failure=True).get_command_args()
    job = construct_dagster_k8s_job(
        job_config=container.get_k8s_job_config(IMAGE, launcher),
        args=arguments,
        job_name=f"dagster-run-{run.run_id}",
        user_defined_k8s_config=container.run_k8s_config,
    )
    manifest: dict[str, Any] = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    return manifest, run


def container_of(job: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_pod_of_a_run_is_what_the_api_takes_and_asks_for_what_its_dataset_needs(tmp_path: Path) -> None:
    with dg.instance_for_test() as instance:
        definitions = {dataset: defs.resolve_job_def(job_name(dataset)) for dataset in CONTRACTS}
        jobs = {dataset: job_of_a_run(tmp_path, job, instance)[0] for dataset, job in definitions.items()}
    for job in jobs.values():
        judge(job)
        container = container_of(job)
        assert container["securityContext"] == user_deployment()["securityContext"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/data", "/tmp"}
        assert container["resources"]["limits"]["memory"] == "2Gi"
        assert job["spec"]["backoffLimit"] == 0
        pod = job["spec"]["template"]["spec"]
        assert pod["securityContext"] == user_deployment()["podSecurityContext"]
        assert pod["restartPolicy"] == "Never"
        named = {kind: source["name"] for source in container["envFrom"] for kind, source in source.items()}
        assert named == {"configMapRef": "taxi-settings", "secretRef": "taxi-secrets"}
    scratch = {name: container_of(job)["resources"]["requests"]["ephemeral-storage"] for name, job in jobs.items()}
    assert scratch["fhvhv"] != scratch["green"]


@pytest.mark.long
def test_the_command_of_the_pod_brings_a_month(tmp_path: Path) -> None:
    """Without a container: its command, with the environment of its manifests and its volumes as folders."""
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: { enabled: false }\n")
    here = {
        "DAGSTER_HOME": str(home),
        "TAXI_DATA": str(data),
        "TAXI_LAKE": str(data / "lake"),
        "TAXI_WAREHOUSE": "off",
        "TAXI_POSTGRES": "off",
        "TAXI_SOURCE": "sample",
        "TAXI_SAMPLE_ROWS": "1000",
        "TAXI_HOSTS": "one",
    }
    # The plan of a run is made by the code location, which has these settings as well.
    definition = build_definitions(Settings.from_environment(here)).resolve_job_def(job_name("green"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        job, run = job_of_a_run(tmp_path, definition, instance)
        instance.add_run_tags(run.run_id, {"dagster/partition": "2021-06-01"})
        container = container_of(job)
        (settings,) = [m["data"] for m in manifests() if m["kind"] == "ConfigMap"]
        literal = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        environment = {**settings, **literal, **here, "PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(container["args"], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, [str(entry.dagster_event or entry) for entry in instance.all_logs(run.run_id)][-5:]
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is dg.DagsterRunStatus.SUCCESS
    status = subprocess.run(["taxi", "status", "--json"], env=environment, capture_output=True, text=True, check=False)
    (month,) = json.loads(status.stdout)
    assert (month["dataset"], month["raw_rows"]) == ("green", 1000)
