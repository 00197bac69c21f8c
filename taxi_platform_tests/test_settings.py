"""The environment: defaults, every variable, every kind of wrong value, and no secret in sight."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from taxi_platform.errors import SettingsError
from taxi_platform.machine.environment import variable
from taxi_platform.settings import Settings

SECRET = "hunter2"
ADDRESS = f"postgresql://me:{SECRET}@db.example.org:5432/taxi"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory that relative paths start from."""
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def test_nothing_set_is_a_laptop_below_the_working_directory(here: Path) -> None:
    settings = Settings.from_environment({})

    assert settings.source == "auto"
    assert settings.source_url is None
    assert settings.data == here / "data"
    assert settings.lake == str(here / "data" / "lake")
    assert settings.warehouse == str(here / "data" / "warehouse.duckdb")
    assert settings.postgres.get_secret_value() == "embedded"
    assert settings.postgres_schema == "taxi"


def test_the_process_s_own_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_SOURCE", "sample")

    assert Settings.from_environment().source == "sample"


def test_an_empty_variable_counts_as_not_set(here: Path) -> None:
    empty = {variable(name): " " for name in Settings.model_fields}

    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_months_that_upstream_withdraws_are_kept_unless_somebody_says_otherwise() -> None:
    assert Settings.from_environment({}).withdrawn == "keep"
    assert Settings.from_environment({"TAXI_WITHDRAWN": "remove"}).withdrawn == "remove"
    with pytest.raises(SettingsError, match=r"TAXI_WITHDRAWN='delete' cannot be used: .*'keep' or 'remove'"):
        Settings.from_environment({"TAXI_WITHDRAWN": "delete"})


def test_spaces_around_a_value_do_not_matter() -> None:
    assert Settings.from_environment({"TAXI_SOURCE": " tlc "}).source == "tlc"


def test_other_folders_follow_the_data_folder(here: Path) -> None:
    settings = Settings.from_environment({"TAXI_DATA": "elsewhere"})

    assert settings.lake == str(here / "elsewhere" / "lake")
    assert settings.warehouse == str(here / "elsewhere" / "warehouse.duckdb")


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("TAXI_DATA", "d", "{here}/d"),
        ("TAXI_DATA", "./a/../d", "{here}/d"),
        ("TAXI_LAKE", "l", "{here}/l"),
        ("TAXI_LAKE", "file:///srv/lake", "/srv/lake"),
        ("TAXI_LAKE", "gs://bucket/taxi/", "gs://bucket/taxi"),
        ("TAXI_LAKE", "s3://bucket", "s3://bucket"),
        ("TAXI_LAKE", "az://container/taxi", "az://container/taxi"),
        ("TAXI_WAREHOUSE", "w.duckdb", "{here}/w.duckdb"),
        ("TAXI_WAREHOUSE", "bigquery://my-project/taxi", "bigquery://my-project/taxi"),
        ("TAXI_WAREHOUSE", "bigquery://org.eu:p/taxi?location=EU", "bigquery://org.eu:p/taxi?location=EU"),
        ("TAXI_POSTGRES_SCHEMA", "nyc_2", "nyc_2"),
        ("TAXI_POSTGRES_SCHEMA", "n" * 40, "n" * 40),
        ("TAXI_SAMPLE_ROWS", "1000", "1000"),
        ("TAXI_SAMPLE_FORMAT", "parquet", "parquet"),
        ("TAXI_WAIT_SECONDS", "0.5", "0.5"),
    ],
)
def test_a_value_is_read_and_a_relative_path_made_absolute(here: Path, name: str, written: str, read: str) -> None:
    settings = Settings.from_environment({name: written})

    assert str(getattr(settings, name.removeprefix("TAXI_").lower())) == read.format(here=here)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://mirror.example.org/tlc/", "https://mirror.example.org/tlc"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("files", "{here}/files"),
        ("file:///srv/files", "/srv/files"),
    ],
)
def test_a_source_may_be_an_address_or_a_folder(here: Path, written: str, read: str) -> None:
    settings = Settings.from_environment({"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": written})

    assert settings.source_url == read.format(here=here)


@pytest.mark.parametrize("written", ["embedded", "embedded:5433", ADDRESS, "postgres:///taxi"])
def test_postgres_may_be_embedded_or_a_server(written: str) -> None:
    settings = Settings.from_environment({"TAXI_POSTGRES": written})

    assert settings.postgres.get_secret_value() == written


@pytest.mark.parametrize("value", ["~", "~/taxi"])
def test_a_tilde_is_the_home_folder(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    settings = Settings.from_environment({"TAXI_DATA": value})

    assert settings.data == Path(value.replace("~", str(tmp_path))).resolve()


WRONG = [
    ("TAXI_SOURCE", "dct", "'auto', 'dtc', 'tlc' or 'sample'"),
    ("TAXI_SAMPLE_ROWS", "999", "greater than or equal to 1000"),
    ("TAXI_SAMPLE_ROWS", "20000001", "less than or equal to 20000000"),
    ("TAXI_SAMPLE_ROWS", "many", "valid integer"),
    ("TAXI_SAMPLE_FORMAT", "csv", "'csv.gz' or 'parquet'"),
    ("TAXI_DATA", "gs://bucket", "it takes a folder, not gs://"),
    ("TAXI_DATA", "file://host/folder", "it takes a folder, not file://"),
    ("TAXI_DATA", "~nobody-of-that-name/taxi", "no path that can be followed"),
    ("TAXI_LAKE", "hdfs://host/lake", "a folder, gs://…, s3://… or az://…, not hdfs://"),
    ("TAXI_LAKE", "gs://", "it names no bucket"),
    ("TAXI_LAKE", "gs:///folder", "it names no bucket"),
    ("TAXI_WAREHOUSE", "bigquery://project", "it takes bigquery://project/dataset?location=…"),
    ("TAXI_WAREHOUSE", "bigquery://project/data/set", "it takes bigquery://project/dataset?location=…"),
    ("TAXI_WAREHOUSE", "bigquery://project/taxi?locaton=EU", "nothing is known as locaton"),
    ("TAXI_WAREHOUSE", "snowflake://account", "not snowflake://"),
    *(
        (
            "TAXI_POSTGRES_SCHEMA",
            name,
            "at most 40 lower-case letters, digits and underscores that begins with a letter",
        )
        for name in (
            "Taxi",
            "2nd",
            "_own",
            "a-b",
            "a.b",
            "a b",
            'a"b',
            "größe",
            "n" * 41,
            "pg_taxi",
            "information_schema",
        )
    ),
    ("TAXI_WAIT_SECONDS", "0", "greater than 0"),
    ("TAXI_WAIT_SECONDS", "inf", "finite number"),
    ("TAXI_WAIT_SECONDS", "soon", "valid number"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_a_wrong_value_is_one_sentence_with_the_variable_and_what_it_takes(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: value})

    sentence = str(refused.value)
    assert sentence.startswith(f"{name}={value!r} cannot be used: ")
    assert says in sentence
    assert "\n" not in sentence
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "says"), [("ftp://host/files", "not ftp://"), ("https://", "it names no host"), ("http://[::1", "IPv6")]
)
def test_a_wrong_source_address_is_one_sentence(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=r"^TAXI_SOURCE_URL='.*' cannot be used: ") as refused:
        Settings.from_environment({"TAXI_SOURCE": "tlc", "TAXI_SOURCE_URL": url})

    assert says in str(refused.value)


@pytest.mark.parametrize("source", ["auto", "sample"])
def test_a_source_address_needs_a_layout(source: str) -> None:
    with pytest.raises(SettingsError, match=r"^TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or TAXI_SOURCE=tlc"):
        Settings.from_environment({"TAXI_SOURCE": source, "TAXI_SOURCE_URL": "/files"})


@pytest.mark.parametrize("value", ["embeded", "embedded:0", "embedded:65536", "embedded:", f"mysql://me:{SECRET}@db/t"])
def test_a_wrong_postgres_address_is_told_without_showing_it(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"TAXI_POSTGRES": value})

    assert str(refused.value) == (
        "TAXI_POSTGRES='…' cannot be used: "
        "it takes embedded, embedded:PORT, postgresql://user:password@host:port/database or off"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAXI_WAREHOUSE", ADDRESS),
        ("TAXI_LAKE", ADDRESS),
        ("TAXI_DATA", ADDRESS),
        ("TAXI_LAKE", f"postgresql://db/taxi?user=me&password={SECRET}"),
        ("TAXI_LAKE", f"s3://key:{SECRET}@bucket"),
        ("TAXI_SOURCE_URL", f"https://me:{SECRET}@mirror.example.org"),
        ("TAXI_POSTGRES", f"mysql://me:{SECRET}@db/t"),
    ],
)
def test_a_password_in_a_refused_value_is_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_environment({"TAXI_SOURCE": "tlc", name: value})

    assert SECRET not in str(refused.value)


def test_a_secret_shows_nowhere(here: Path) -> None:
    settings = Settings.from_environment({"TAXI_POSTGRES": ADDRESS})

    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.exports()), f"{settings}"):
        assert SECRET not in shown


def test_pydantic_s_own_error_shows_no_value() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"postgres": f"mysql://me:{SECRET}@db/t"})

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "names"),
    [
        ("TAXI_LAKE", "l", True),
        ("TAXI_WAREHOUSE", "off", True),
        ("TAXI_POSTGRES", "embedded", True),
        ("TAXI_POSTGRES_SCHEMA", "second", True),
        ("TAXI_SOURCE", "dtc", False),
        ("TAXI_DATA", "d", False),
    ],
)
def test_settings_tell_whether_somebody_named_a_store(name: str, value: str, names: bool) -> None:
    assert Settings.from_environment({name: value}).names_a_store is names


def test_settings_do_not_change() -> None:
    settings = Settings.from_environment({})

    with pytest.raises(ValidationError, match="frozen"):
        settings.source = "tlc"


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Settings.model_validate({"lakes": "l"})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TAXI_DATA": "d"},
        {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": "files", "TAXI_LAKE": "l", "TAXI_WAREHOUSE": "w.duckdb"},
        {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "5000", "TAXI_SAMPLE_FORMAT": "parquet"},
        {"TAXI_WAREHOUSE": "bigquery://p/d?location=EU", "TAXI_WAIT_SECONDS": "5", "TAXI_POSTGRES": "embedded:5433"},
        {"TAXI_POSTGRES_SCHEMA": "second"},
    ],
)
def test_exports_make_another_process_read_the_same(
    environment: dict[str, str], here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_environment(environment)
    exports = settings.exports()

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert Settings.from_environment(exports) == settings


def test_exports_of_another_data_folder_move_every_default_with_it(here: Path) -> None:
    exports = Settings.from_environment({}).exports() | {"TAXI_DATA": str(here / "other")}

    assert Settings.from_environment(exports).lake == str(here / "other" / "lake")


def test_settings_travel_between_processes() -> None:
    settings = Settings.from_environment({"TAXI_POSTGRES": ADDRESS})

    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_generated_months_have_a_data_root_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}).data == tmp_path / "data"
    assert Settings.from_environment({"TAXI_SOURCE": "sample"}).data == tmp_path / "data" / "sample"
    named = Settings.from_environment({"TAXI_SOURCE": "sample", "TAXI_DATA": "mine"})
    assert named.data == tmp_path / "mine"


@pytest.mark.parametrize("kept", ["last-run.json", "lake/lake.json", "staging/runs", "sample/lake/lake.json"])
def test_the_data_folder_in_use_is_found_from_every_folder_below(here: Path, kept: str) -> None:
    (here / "data" / kept).parent.mkdir(parents=True)
    (here / "data" / kept).touch()
    (here / "notebooks" / "of mine").mkdir(parents=True)
    for folder in (here, here / "notebooks" / "of mine"):
        settings = _read_in(folder)
        assert settings == (here / "data", here / "data" / "lake")
    assert _read_in(here / "notebooks", TAXI_SOURCE="sample")[0] == here / "data" / "sample"


def test_a_data_folder_that_no_run_has_used_is_found_only_in_the_current_folder(here: Path) -> None:
    (here / "data" / "lake").mkdir(parents=True)
    (here / "below").mkdir()
    assert _read_in(here)[0] == here / "data"
    assert _read_in(here / "below")[0] == here / "below" / "data"


def test_a_folder_that_everybody_may_write_to_ends_the_search(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "last-run.json").write_text("{}")
    (here / "shared" / "below").mkdir(parents=True)
    assert _read_in(here / "shared" / "below")[0] == here / "data"
    (here / "shared").chmod(0o1777)
    assert _read_in(here / "shared" / "below")[0] == here / "shared" / "below" / "data"


def test_a_current_folder_that_was_removed_is_a_sentence(here: Path) -> None:
    gone = here / "gone"
    gone.mkdir()
    program = (
        "import os, sys\nos.rmdir(os.getcwd())\n"
        "from taxi_platform.errors import SettingsError\nfrom taxi_platform.settings import Settings\n"
        "try:\n    Settings.from_environment()\nexcept SettingsError as error:\n    print(error)"
    )
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=gone, env=environment, capture_output=True, text=True, check=False)
    assert "TAXI_DATA" in done.stdout, done.stderr
    assert "it is no path that can be followed" in done.stdout


def test_the_nearest_data_folder_in_use_counts(here: Path) -> None:
    for folder in (here, here / "inner"):
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "last-run.json").write_text("{}")
    (here / "inner" / "deep" / "data").mkdir(parents=True)
    assert _read_in(here / "inner" / "deep")[0] == here / "inner" / "data"


def test_a_named_data_folder_is_looked_for_from_the_current_one_only(here: Path) -> None:
    (here / "mine").mkdir()
    (here / "below").mkdir()
    assert _read_in(here / "below", TAXI_DATA="mine")[0] == here / "below" / "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_user_s_data_folder_above_is_not_taken(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "last-run.json").write_text("{}")
    (here / "below").mkdir()
    os.chown(here / "data", 10001, 10001)
    assert _read_in(here / "below")[0] == here / "below" / "data"
    assert _read_in(here)[0] == here / "data"


def _read_in(folder: Path, **variables: str) -> tuple[Path, Path]:
    """The data folder and the lake that a process started in that folder reads."""
    program = (
        "from taxi_platform.settings import Settings as S; s = S.from_environment(); print(s.data, s.lake, sep='\\n')"
    )
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    data, lake = done.stdout.splitlines()
    return Path(data), Path(lake)
