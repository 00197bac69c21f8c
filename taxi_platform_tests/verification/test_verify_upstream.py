"""``taxi verify-upstream`` against a server of files: what it reads, what it finds, and what it ends with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from taxi_platform.cli import main
from taxi_platform.contracts import CONTRACTS
from taxi_platform.sources.layouts import DTC, TLC, Layout
from taxi_platform.sources.sample import write_month
from taxi_platform_tests.ingest.staging import month_of
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

_MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with serve(tmp_path / "upstream") as running:
        yield running


@pytest.fixture
def look(upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Any]]:
    """The command in this process: its exit code, and its months by label."""
    monkeypatch.setenv("TAXI_SOURCE_URL", upstream.url)
    monkeypatch.setenv("TAXI_DATA", str(tmp_path / "data"))

    def run(source: str = "tlc", datasets: str = "green", months: str = "2024-01..2024-04") -> tuple[int, Any]:
        monkeypatch.setenv("TAXI_SOURCE", source)
        options = ["verify-upstream", "--json", "--datasets", datasets, "--months", months]
        done = CliRunner().invoke(main, options)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, {month["month"]: month for month in json.loads(done.stdout)["months"]}

    return run


def _file(upstream: Upstream, label: str, layout: Layout = TLC, dataset: str = "green") -> Path:
    file = upstream.folder / layout.path(CONTRACTS[dataset].month(date.fromisoformat(f"{label}-01")))
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _publish(upstream: Upstream, labels: tuple[str, ...] = _MONTHS, layout: Layout = TLC, rows: int = 2_000) -> None:
    for label in labels:
        file = _file(upstream, label, layout)
        write_month("green", date.fromisoformat(f"{label}-01"), rows, file, "parquet" if layout is TLC else "csv.gz")


def _rewrite(file: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> None:
    pq.write_table(change(pq.read_table(file)), file, **options)


def test_months_as_ever_are_read_by_a_few_kilobytes_each(upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, rows=30_000)
    assert min(_file(upstream, label).stat().st_size for label in _MONTHS) > 500_000
    code, months = look()
    assert code == 0
    assert {month["state"] for month in months.values()} == {"as expected"}
    assert months["2024-02"]["rows"] == 30_000
    assert months["2024-02"]["bytes"] == _file(upstream, "2024-02").stat().st_size
    assert months["2024-02"]["columns"] == 20
    assert "PLAIN" in months["2024-02"]["encodings"]
    assert upstream.sent < 20_000 * len(_MONTHS)
    assert all(request.method == "GET" and request.range for request in upstream.requests)


def test_a_footer_longer_than_usual_is_read_to_its_begin(upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, ("2024-01",))
    _rewrite(_file(upstream, "2024-01"), lambda table: table, row_group_size=20)
    code, months = look(months="2024-01")
    assert (code, months["2024-01"]["rows"]) == (0, 2_000)
    assert len(upstream.requests) == 3


def test_csv_months_are_read_by_their_first_kilobytes(upstream: Upstream, look: Callable[..., Any]) -> None:
    labels = ("2020-01", "2020-02", "2020-03")
    _publish(upstream, labels, DTC, rows=20_000)
    code, months = look("dtc", months="2020-01..2020-03")
    assert code == 0
    assert {month["state"] for month in months.values()} == {"as expected"}
    assert upstream.sent == 4_096 * len(labels)


@pytest.mark.parametrize(
    ("change", "surprise"),
    [
        (
            lambda t: t.append_column("colour", pa.array(["red"] * 2_000)),
            "a new column colour (string)",
        ),
        (lambda t: t.drop_columns("trip_distance"), "no column for trip_distance"),
        (lambda t: t.append_column("PULocationID", t["PULocationID"]), "the column PULocationID more than once"),
        (
            lambda t: t.set_column(1, t.schema.names[1], t[1].cast(pa.timestamp("us", "UTC"))),
            "lpep_pickup_datetime has the type timestamp[us, tz=UTC], for timestamp",
        ),
        (
            lambda t: t.set_column(1, t.schema.names[1], t[1].cast(pa.string())),
            "lpep_pickup_datetime has the type string, for timestamp",
        ),
        (
            lambda t: t.set_column(8, t.schema.names[8], pa.array([[1.0]] * 2_000)),
            "trip_distance has the type list<element: double>, for double",
        ),
        (lambda t: t.slice(0, 0), "no rows"),
    ],
)
def test_what_the_contract_does_not_know_is_a_surprise(
    change: Callable[[pa.Table], pa.Table], surprise: str, upstream: Upstream, look: Callable[..., Any]
) -> None:
    _publish(upstream)
    _rewrite(_file(upstream, "2024-03"), change)
    code, months = look()
    assert code == 1
    assert {label: month["state"] for label, month in months.items() if month["state"] != "as expected"} == {
        "2024-03": "surprise"
    }
    assert surprise in months["2024-03"]["surprises"]


def test_encodings_and_compressions_that_upstream_never_used(upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, ("2024-01",))
    encoding = {"trip_distance": "BYTE_STREAM_SPLIT"}
    options: dict[str, Any] = {"use_dictionary": False, "column_encoding": encoding, "compression": "lz4"}
    _rewrite(_file(upstream, "2024-01"), lambda table: table, **options)
    code, months = look(months="2024-01")
    assert code == 1
    assert months["2024-01"]["surprises"] == ["the encoding BYTE_STREAM_SPLIT", "the compression LZ4"]


def test_missing_months_and_those_that_are_not_published_yet(upstream: Upstream, look: Callable[..., Any]) -> None:
    today = date.today()  # noqa: DTZ011 - as the command has it
    newest = date(today.year - (today.month == 1), (today.month - 2) % 12 + 1, 1)  # the last month that is over
    _publish(upstream, ("2024-01", "2024-02", "2024-04"))
    code, months = look(months=f"2024-01..2024-04,{newest:%Y-%m}")
    assert code == 1
    assert {label: month["state"] for label, month in months.items()} == {
        "2024-01": "as expected",
        "2024-02": "as expected",
        "2024-03": "missing",
        "2024-04": "as expected",
        f"{newest:%Y-%m}": "not published yet",
    }


def test_a_size_far_from_both_neighbours(upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, ("2024-01", "2024-02", "2024-04"), rows=20_000)
    write_month("green", date(2024, 3, 1), 1_000, _file(upstream, "2024-03"), "parquet")
    code, months = look()
    assert code == 1
    (word,) = months["2024-03"]["surprises"]
    assert word.startswith(f"{_file(upstream, '2024-03').stat().st_size:,} bytes, where the months beside it have ")
    assert months["2024-02"]["state"] == "as expected"  # one of its neighbours is as large


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>no</html>" * 40, "is not a Parquet file but an HTML page"),
        (b"PAR1" + b"\0" * 9_000, "is cut off after 9,004 bytes, where its footer should be"),
        (b"PAR1" + b"\0" * 9_000 + b"\xff\xff\xff\x00PAR1", "has a damaged footer"),
        (b"PAR1" + b"\0" * 9_000 + b"\x10\x00\x00\x00PAR1", "has a damaged footer: it does not read"),
        (b"", "is not a Parquet file but an empty file"),
    ],
)
def test_a_file_that_is_none(content: bytes, words: str, upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, ("2024-01",))
    _file(upstream, "2024-02").write_bytes(content)
    code, months = look(months="2024-01..2024-02")
    assert (code, months["2024-01"]["state"], months["2024-02"]["state"]) == (1, "as expected", "surprise")
    assert words in months["2024-02"]["surprises"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda text: text.replace(b"2020-03-", b"03/2020/"),
            "lpep_pickup_datetime does not fit its type, as in",
        ),
        (lambda text: text.replace(b"RatecodeID", b"Rates"), "a new column Rates (text)"),
        (lambda text: text.replace(b"\n", b",x\n").replace(b"charge,x", b"charge"), "records do not have the header's"),
    ],
)
def test_a_csv_month_in_another_form(
    change: Callable[[bytes], bytes], words: str, upstream: Upstream, look: Callable[..., Any]
) -> None:
    _publish(upstream, ("2020-03",), DTC)
    file = _file(upstream, "2020-03", DTC)
    text = gzip.decompress(file.read_bytes()).replace(b"\r\n", b"\n")
    file.write_bytes(gzip.compress(change(text)))
    code, months = look("dtc", months="2020-03")
    assert code == 1
    assert any(surprise.startswith(words) for surprise in months["2020-03"]["surprises"])


def test_a_server_that_gives_whole_files_only_is_hung_up_on(upstream: Upstream, look: Callable[..., Any]) -> None:
    upstream.has_ranges = False
    _publish(upstream, ("2024-01",), rows=30_000)
    code, months = look(months="2024-01")
    assert (code, months["2024-01"]["state"]) == (1, "no answer")
    assert "its server gives no parts of files" in months["2024-01"]["surprises"][0]


def test_a_server_that_stumbles_is_asked_again(upstream: Upstream, look: Callable[..., Any]) -> None:
    _publish(upstream, ("2024-01",))
    path = TLC.path(CONTRACTS["green"].month(date(2024, 1, 1)))
    upstream.fail(path, Fault.status(503, Retry_After="0"))
    upstream.fail(path, Fault.short_body(2))
    code, months = look(months="2024-01")
    assert (code, months["2024-01"]["state"]) == (0, "as expected")


def test_the_command_prints_a_table_and_ends_with_1_where_something_is_odd(upstream: Upstream, tmp_path: Path) -> None:
    _publish(upstream)
    platform = Platform(tmp_path, {"TAXI_SOURCE": "tlc", "TAXI_SOURCE_URL": upstream.url})
    options = ("verify-upstream", "--datasets", "green", "--months")
    good = platform.taxi(*options, "2024-01..2024-04")
    assert good.code == 0, good.text
    assert good.out.count("as expected") == 5
    assert "2,000" in good.out
    _file(upstream, "2024-02").unlink()
    odd = platform.taxi(*options, "2024-01..2024-04")
    assert odd.code == 1
    assert "green 2024-02: upstream does not have this month" in odd.out
    assert platform.taxi(*options, "2011-01").text.count("no month of 2011-01 is published") == 1
    generated = platform.taxi(*options, "2024-01", TAXI_SOURCE="sample", TAXI_SOURCE_URL="")
    assert generated.code == 1


def test_every_real_month_is_as_the_contracts_know_it(
    tlc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_DATA", str(tmp_path))
    for source in ("dtc", "tlc"):
        monkeypatch.setenv("TAXI_SOURCE", source)
        monkeypatch.setenv("TAXI_SOURCE_URL", str(tlc / source))
        files = [month_of(file) for file in (tlc / source).glob("*/*_tripdata_*")]
        for dataset in {month.dataset for month in files}:
            labels = ",".join(month.label for month in files if month.dataset == dataset)
            done = CliRunner().invoke(main, ["verify-upstream", "--json", "--datasets", dataset, "--months", labels])
            odd = [m["surprises"] for m in json.loads(done.stdout)["months"] if m["state"] != "as expected"]
            # Samples of 10,000 rows lie beside whole months.
            assert not [word for words in odd for word in words if "where the months beside it" not in word]
