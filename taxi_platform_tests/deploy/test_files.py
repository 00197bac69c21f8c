"""What stands in deploy/, judged by the tools it is written for and compared with what it must agree with."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]
from dagster._core.instance.config import dagster_instance_config

from taxi_platform.cli.launch import CODE_LOCATION
from taxi_platform.machine.environment import variable
from taxi_platform.orchestration.alerts.settings import AlertSettings
from taxi_platform.settings import Settings
from taxi_platform_tests.deploy.tools import COMPOSE_FOLDER, REPOSITORY, resolved, tool

DOCKER_RUNS = ("compose.yaml", "compose.docker-runs.yaml")
WORKERS = {"TAXI_PRIVATE_ADDRESS": "10.0.0.2", "TAXI_BROKER_PASSWORD": "abc"}
GOOGLE = {"TAXI_LAKE": "gs://lake", "TAXI_WAREHOUSE": "bigquery://project/taxi", "TAXI_LOGS_BUCKET": "logs"}


def test_the_dockerfile_passes_its_linter() -> None:
    command = [tool("hadolint"), "Dockerfile"]
    done = subprocess.run(command, cwd=COMPOSE_FOLDER, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "more", [(), ("docker-runs",), ("google",), ("docker-runs", "google"), ("workers",), ("google", "workers")]
)
def test_every_combination_of_compose_files_resolves(compose_folder: Path, more: tuple[str, ...]) -> None:
    config = resolved(compose_folder, "compose.yaml", *(f"compose.{name}.yaml" for name in more), **GOOGLE, **WORKERS)
    sources = [mount["target"] for mount in config["services"]["init"]["volumes"] if mount["type"] == "bind"]
    assert [re.findall(r"\d+-(.*)\.yaml", target)[0] for target in sources] == list(more)


def test_google_without_a_bucket_is_refused_in_a_sentence(compose_folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"set TAXI_LAKE=gs://bucket/folder in \.env"):
        resolved(compose_folder, "compose.yaml", "compose.google.yaml")


def test_every_setting_reaches_the_code_location(compose_folder: Path) -> None:
    environment = resolved(compose_folder)["services"]["code-location"]["environment"]
    fields = [*Settings.model_fields, *(f"alert_{field}" for field in AlertSettings.model_fields)]
    # TAXI_DATA is the image's: a volume is mounted there.
    assert {variable(field) for field in fields} - {"TAXI_DATA"} <= environment.keys()
    Settings.from_environment(environment)


def test_what_is_set_in_the_environment_file_is_passed_on(compose_folder: Path) -> None:
    given = {"TAXI_SOURCE": "tlc", "TAXI_DATASETS": "fhv", "TAXI_MEMORY": "1g", "TAXI_UI_PORT": "127.0.0.1:8080"}
    services = resolved(compose_folder, **given)["services"]
    assert services["code-location"]["environment"]["TAXI_SOURCE"] == "tlc"
    assert services["code-location"]["environment"]["TAXI_DATASETS"] == "fhv"
    assert int(services["code-location"]["mem_limit"]) == 1 << 30
    (port,) = services["webserver"]["ports"]
    roles = resolved(compose_folder, TAXI_POSTGRES_SCHEMA="second")["services"]["trips-roles"]
    assert roles["environment"]["TAXI_POSTGRES_SCHEMA"] == "second"
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8080", 3000)


def test_nothing_listens_beyond_this_machine_by_default(compose_folder: Path) -> None:
    services = resolved(compose_folder)["services"]
    assert {port["host_ip"] for service in services.values() for port in service.get("ports", ())} == {"127.0.0.1"}


def test_our_containers_have_no_rights_they_do_not_need(compose_folder: Path) -> None:
    services = resolved(compose_folder)["services"]
    ours = {name: service for name, service in services.items() if "taxi-platform" in service["image"]}
    assert ours.keys() == {"init", "code-location", "webserver", "daemon", "monitor"}
    for service in ours.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    # Only what loads or counts trips is on their network.
    assert {name for name, service in ours.items() if "trips" in service["networks"]} == {"code-location", "monitor"}


def test_a_run_in_a_container_is_told_what_the_services_are_told(compose_folder: Path) -> None:
    config = resolved(compose_folder, *DOCKER_RUNS, TAXI_RUN_MEMORY="3g")
    services = config["services"]
    context = json.loads(services["code-location"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"]
    base = resolved(compose_folder)["services"]
    assert set(context["env_vars"]) == base["daemon"]["environment"].keys()
    assert context["container_kwargs"]["mem_limit"] == "3g"
    assert set(context["networks"]) == {
        config["networks"][name]["name"] for name in services["code-location"]["networks"]
    }
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in context["container_kwargs"]["volumes"]}
    assert mounted == {
        mount["target"]: config["volumes"][mount["source"]]["name"] for mount in services["code-location"]["volumes"]
    }
    assert services["code-location"]["environment"]["DAGSTER_CONTAINER_IMAGE"] == services["code-location"]["image"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_instance_file_and_its_fragments_are_one_valid_document(tmp_path: Path) -> None:
    laptop = REPOSITORY / "dagster.yaml"
    instance = [COMPOSE_FOLDER / "instance" / f"{name}.yaml" for name in ("docker-runs", "google")]
    fragments = [laptop, COMPOSE_FOLDER / "dagster.yaml", *instance]
    keys = [key for fragment in fragments for key in read(fragment)]
    assert len(keys) == len(set(keys))
    (tmp_path / "dagster.yaml").write_text("".join(fragment.read_text() for fragment in fragments))
    config, custom = dagster_instance_config(str(tmp_path))
    assert custom is None
    assert config["storage"]["postgres"] == {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}
    assert config["run_launcher"]["class"] == "DockerRunLauncher"
    assert config["compute_logs"]["config"]["bucket"] == {"env": "TAXI_LOGS_BUCKET"}
    assert {key: config[key] for key in read(laptop)} == read(laptop)


def test_the_code_location_has_one_name_everywhere(compose_folder: Path) -> None:
    (entry,) = read(COMPOSE_FOLDER / "workspace.yaml")["load_from"]
    services = resolved(compose_folder)["services"]
    assert entry["grpc_server"]["location_name"] == CODE_LOCATION
    assert entry["grpc_server"]["host"] in services
    command = services["code-location"]["command"]
    assert command[command.index("--location-name") + 1] == CODE_LOCATION
    assert int(command[command.index("--port") + 1]) == entry["grpc_server"]["port"]
    image = re.findall(r"^CMD (.*)$", (COMPOSE_FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert json.loads(image[0]) == command


def test_the_build_is_given_what_it_copies() -> None:
    given = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    dockerfile = (COMPOSE_FOLDER / "Dockerfile").read_text()
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.*)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == given
    assert all((REPOSITORY / source).exists() for source in copied)


def test_pgadmin_knows_the_trips_database_as_its_reader(compose_folder: Path) -> None:
    (server,) = json.loads((COMPOSE_FOLDER / "pgadmin/servers.json").read_text())["Servers"].values()
    pgadmin = resolved(compose_folder)["services"]["pgadmin"]
    assert server["Host"] in resolved(compose_folder)["services"]
    assert server["Username"] == "taxi_reader"
    secret = server["PasswordExecCommand"].rsplit("/", 1)[1]
    assert secret in [entry["source"] for entry in pgadmin["secrets"]]
