"""Every documented command but ``taxi run`` and ``taxi status``, over two rows with nothing of the default in them.

Commands are taken from the pages, as they stand there; their months are what upstream has here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.months import parse_month
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.roads.conftest import Builder, Road
from taxi_platform_tests.roads.rows import WALKED, Row
from taxi_platform_tests.support.forked import Done
from taxi_platform_tests.support.running import RunningPlatform, serving
from taxi_platform_tests.support.upstream import serve

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
PREFECT = REPOSITORY / "docs" / "from-prefect.md"
IO_MANAGERS = REPOSITORY / "docs" / "io-managers.md"
MONTHS = ("2020-03", "2021-04", "2021-05", "2021-06", "2021-07")
FIRST, SECOND = 1_000, 1_200
"""Rows of 2020-03 as it was published and republished."""
LAYERS = ("raw", "trips", "warehouse", "postgres")


@pytest.fixture(scope="module", params=WALKED, ids=str)
def row(request: pytest.FixtureRequest) -> Row:
    row: Row = request.param
    return row


@pytest.fixture(scope="module")
def upstream_folder(row: Row, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Green months and the zones of this row's own: one of them is published again."""
    folder = tmp_path_factory.mktemp("republished")
    for name in ("green", "misc"):
        (folder / name).mkdir()
    (folder / "misc/taxi_zone_lookup.csv").write_bytes(lookup_csv())
    for month in MONTHS:
        publish(folder, month, FIRST)
    return folder


@pytest.fixture(scope="module")
def upstream_url(upstream_folder: Path) -> Iterator[str]:
    with serve(upstream_folder) as upstream:
        yield upstream.url


@pytest.fixture(scope="module")
def road(
    row: Row, upstream_folder: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Road:
    """A platform of that row, into which 2020-03 has come twice."""
    road = Builder(request, tmp_path_factory.mktemp("road"))(row)
    for rows in (FIRST, SECOND):
        publish(upstream_folder, "2020-03", rows)
        done = road.platform.taxi("run", "--datasets", "green", "--months", "2020-03")
        assert done.code == 0, done.text
    return road


@pytest.fixture(scope="module")
def served(road: Road) -> Iterator[RunningPlatform]:
    """``taxi dev``: web interface and daemon, for all that are asked of them."""
    platform = road.platform
    command = ("-m", "taxi_platform.cli", "dev", "--port")
    with serving(platform.data / "dagster", command, platform.folder, platform.environment) as served:
        yield served


def publish(folder: Path, month: str, rows: int) -> None:
    write_month("green", parse_month(month), rows, folder / f"green/green_tripdata_{month}.csv.gz", "csv.gz")


def documented(page: Path, beginning: str) -> list[str]:
    """The words of the page's command that begins like this."""
    (line,) = {line for line in page.read_text().splitlines() if line.removeprefix("$ ").startswith(beginning)}
    return shlex.split(line.removeprefix("$ "), comments=True)


def walk(road: Road, page: Path, beginning: str) -> Done:
    program, *arguments = documented(page, beginning)
    exported = road.platform.exported()
    arguments = [re.sub(r"\$(\w+)", lambda name: exported[name[1]], argument) for argument in arguments]
    done = {"taxi": road.platform.taxi, "dagster": road.platform.dagster}[program](*arguments)
    assert done.code == 0, done.text
    assert "Traceback" not in done.text
    return done


def versions(road: Road) -> dict[str, tuple[str, str]]:
    """Rows → version of 2020-03, and what is said of it."""
    done = walk(road, README, "taxi versions ")
    line = re.compile(r"^(\S+-r\d+) +([\d,]+) +\S+T\S+ +(current|upstream's)? +\S", re.MULTILINE)
    return {rows: (version, said) for version, rows, said in line.findall(done.out)}


def check_whole(road: Road, months: dict[str, int]) -> None:
    """Every store of the row has these months with so many raw rows, as counted in the stores."""
    found = {status["file_month"][:7]: status for status in road.platform.status()}
    for month, rows in months.items():
        status = found[month]
        assert (status["state"], status["raw_rows"]) == ("whole", rows)
        assert status["trips_rows"] + status["quarantined_rows"] == rows
        for store in road.stores:
            assert status[f"{store}_rows"] == status["trips_rows"]


def test_versions_are_listed_and_one_is_gone_back_to(road: Road) -> None:
    listed = versions(road)
    assert {rows: said for rows, (_, said) in listed.items()} == {"1,000": "", "1,200": "current"}
    check_whole(road, {"2020-03": SECOND})
    earlier, _ = listed["1,000"]
    done = road.platform.taxi("select", "green", "2020-03", earlier)
    assert done.code == 0, done.text
    assert {rows: said for rows, (_, said) in versions(road).items()} == {"1,000": "current", "1,200": "upstream's"}
    check_whole(road, {"2020-03": FIRST})


def test_a_plain_dagster_command_works_on_the_same_stores(road: Road) -> None:
    walk(road, README, "dagster asset materialize ")
    status = next(status for status in road.platform.status() if status["file_month"] == "2021-07-01")
    assert (status["raw_rows"], status["trips_rows"], status["state"]) == (FIRST, None, "behind")


def test_a_notebook_reads_the_lake_and_postgres(road: Road) -> None:
    (code,) = re.findall(r"### From a notebook\n[^#]*?```python\n(.*?)```", IO_MANAGERS.read_text(), re.DOTALL)
    told = "print(json.dumps([len(march), list(march.columns), everything.num_rows]))"
    cell = road.platform.folder / "notebook.py"
    cell.write_text(f"import json\n\nimport pandas as pd\nimport pyarrow as pa\n\n{code}\n{told}\n")
    done = road.platform.python("notebook")
    assert done.code == 0, done.text
    (status,) = (status for status in road.platform.status() if status["file_month"] == "2020-03-01")
    rows = status["trips_rows"]
    assert json.loads(done.out) == [rows, ["pickup_datetime", "trip_distance"], rows]


def test_a_schedule_that_is_started_is_shown_as_running(road: Road, served: RunningPlatform) -> None:
    def running() -> set[str]:
        query = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
            schedules { name scheduleState { status } } } } } }"""
        (repository,) = served.ask(query)["repositoriesOrError"]["nodes"]
        return {found["name"] for found in repository["schedules"] if found["scheduleState"]["status"] == "RUNNING"}

    assert running() == set()
    walk(road, PREFECT, "dagster schedule start ")
    assert running() == {"green_sweep"}
    assert "green_sweep [RUNNING]" in walk(road, PREFECT, "dagster schedule list ").out
    walk(road, PREFECT, "dagster schedule stop ")
    assert running() == set()


def test_the_daemon_takes_what_is_asked_for_from_a_terminal(road: Road, served: RunningPlatform) -> None:
    def unended() -> list[str]:
        runs = served.instance.get_runs()
        return [run.run_id for run in runs if not run.is_finished]

    def recorded(month: str) -> bool:
        keys = (served.instance.get_materialized_partitions(asset_key(layer, "green")) for layer in LAYERS)
        return all(f"{month}-01" in found for found in keys)

    walk(road, PREFECT, "dagster job launch ")
    walk(road, PREFECT, "dagster job backfill ")
    asked = MONTHS[1:]
    served.wait("the months that were asked for", lambda: all(map(recorded, asked)) and not unended())
    assert not [run for run in served.instance.get_runs() if not run.is_success]
    check_whole(road, {"2020-03": FIRST, **dict.fromkeys(asked, FIRST)})
