"""``taxi``: the platform without a browser.

Belongs here: the commands and their options. Does not: their work (one module each). Dagster takes a second to import,
so only the commands that need it import it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

import taxi_platform
from taxi_platform import __version__
from taxi_platform.cli.instance import exports, last_settings
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import SettingsError, TaxiError
from taxi_platform.settings import Settings

__all__ = ["main"]

F = TypeVar("F", bound=Callable[..., Any])

_DATASETS = ", ".join(CONTRACTS)
_STORES = click.Choice([layer.name for layer in Settings.table_layers()])


def _one_sentence(command: F) -> F:
    """Make an error of the platform end the command with its sentence and exit code 1, without a traceback."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except TaxiError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nstopped: months already stored stay, the one under way was rolled back", err=True)
            sys.exit(130)

    return wrapper  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taxi")
def main() -> None:
    """New York taxi trips, from the web into a lake, a warehouse and PostgreSQL."""


@main.command()
@click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: green]")
@click.option("--months", help="2020-03, 2020-03..2020-08, or several of these with commas.  [default: 2021-07]")
@click.option("--force", is_flag=True, help="Fetch files again even where upstream says they have not changed.")
@click.option("--accept-changed-format", is_flag=True, help="Take months in another format; said once, it stands.")
@click.option("--drop-zero-passengers", is_flag=True, help="Send trips with zero passengers to quarantine.")
@click.option("--fill-missing-passengers", is_flag=True, help="Write 0 where the passenger count is missing.")
@click.option("--without-marts", is_flag=True, help="Make no marts, and none are missed until a run makes them again.")
@click.option(
    "--behind",
    is_flag=True,
    help="Instead, every month that is behind (of all, or of those named): lost, or made by an earlier release.",
)
@click.option("--plan", is_flag=True, help="Only show what it would fetch, store and take; nothing is started.")
@_one_sentence
def run(
    datasets: str | None, months: str | None, behind: bool, without_marts: bool, plan: bool, **options: bool
) -> None:
    """Bring months into every store, and show what is there.

    A month that has not changed upstream costs one look.
    """
    from taxi_platform.cli.instance import environment

    if behind:
        from taxi_platform.cli.repairing import run_behind

        if plan:
            raise SettingsError("--plan goes with months that are named: taxi status shows what is behind")
        if any(options.values()):
            raise SettingsError("--behind keeps the options that each month was made with: give it no others")
        sys.exit(run_behind(last_settings(environment(without_marts=without_marts)), datasets, months))
    from taxi_platform.cli.running import run_months

    sys.exit(run_months(datasets, months, options, environment(without_marts=without_marts), plan=plan))


@main.command()
@click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: all]")
@click.option("--months", help="2020-03, 2020-03..2020-08, or several of these with commas.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array, for programs.")
@_one_sentence
def status(datasets: str | None, months: str | None, as_json: bool) -> None:
    """Show every month in every store: its rows, and what is behind.

    Ends with code 1 where a month is behind or refused, with 0 where all are whole, withdrawn or under way.
    """
    from taxi_platform.cli.inspecting import show_status

    sys.exit(show_status(last_settings(), datasets, months, as_json=as_json))


@main.command()
@click.argument("dataset")
@click.argument("month")
@_one_sentence
def versions(dataset: str, month: str) -> None:
    """Show every version of a month that was ever fetched.

    As in: taxi versions green 2020-03
    """
    from taxi_platform.cli.versions import show_versions

    show_versions(last_settings(), dataset, month)


@main.command()
@click.argument("dataset")
@click.argument("month")
@click.argument("version")
@click.option("--accept-changed-format", is_flag=True, help="Also a version that was refused; said once, it stands.")
@_one_sentence
def select(dataset: str, month: str, version: str, *, accept_changed_format: bool) -> None:
    """Go back to an earlier version of a month, in every store.

    It stays until upstream has yet another. As in: taxi select green 2020-03 0123456789abcdef
    """
    from taxi_platform.cli.versions import select_version

    settings = last_settings()
    sys.exit(select_version(settings, dataset, month, version, accept_changed_format=accept_changed_format))


@main.group()
def snapshot() -> None:
    """Name the months as they are, so that work can cite them and they can come back."""


_SNAPSHOT_DATASETS = click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: all]")
_SNAPSHOT_MONTHS = click.option("--months", help="2020-03, 2020-03..2020-08, or several with commas.  [default: all]")


@snapshot.command("create")
@click.argument("name")
@_SNAPSHOT_DATASETS
@_SNAPSHOT_MONTHS
@click.option("--note", help="A sentence that is kept with it.")
@_one_sentence
def create_snapshot(name: str, datasets: str | None, months: str | None, note: str | None) -> None:
    """Name raw, trips and quarantine of months, with checksums.

    Every byte is read. Nothing deletes what a snapshot names.
    """
    from taxi_platform.cli import snapshots

    snapshots.create(last_settings(), name, datasets, months, note)


@snapshot.command("list")
@_one_sentence
def list_snapshots() -> None:
    """Show every snapshot of the lake."""
    from taxi_platform.cli import snapshots

    snapshots.show_all(last_settings())


@snapshot.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The whole document as JSON, for programs.")
@_one_sentence
def show_snapshot(name: str, *, as_json: bool) -> None:
    """Show the months of a snapshot, and its digest to cite."""
    from taxi_platform.cli import snapshots

    snapshots.show(last_settings(), name, as_json=as_json)


@snapshot.command("verify")
@click.argument("name")
@_one_sentence
def verify_snapshot(name: str) -> None:
    """Read every byte that a snapshot names, and compare it; exit code 1 where something is not what it was."""
    from taxi_platform.cli import snapshots

    sys.exit(snapshots.verify(last_settings(), name))


@snapshot.command("restore")
@click.argument("name")
@_SNAPSHOT_DATASETS
@_SNAPSHOT_MONTHS
@_one_sentence
def restore_snapshot(name: str, datasets: str | None, months: str | None) -> None:
    """Go back to the months of a snapshot, in every store.

    Each stays until upstream has another version of it than now.
    """
    from taxi_platform.cli import snapshots

    sys.exit(snapshots.restore(last_settings(), name, datasets, months))


@snapshot.command("delete")
@click.argument("name")
@_one_sentence
def delete_snapshot(name: str) -> None:
    """Forget a snapshot. What it named stays until something else removes it."""
    from taxi_platform.cli import snapshots

    snapshots.delete(last_settings(), name)


@main.command()
@click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: all]")
@click.option("--months", help="2020-03, 2020-03..2020-08, or several with commas.  [default: all]")
@click.option("--days", type=click.IntRange(min=0), default=30, show_default=True, help="Not needed for so long.")
@click.option("--yes", is_flag=True, help="Remove it. Without this, only show what would go.")
@_one_sentence
def prune(datasets: str | None, months: str | None, days: int, *, yes: bool) -> None:
    """Remove raw versions that nothing needs.

    Never one that is current, upstream's, selected, or named by a snapshot.
    """
    from taxi_platform.cli.pruning import prune_versions

    prune_versions(last_settings(), datasets, months, days, remove=yes)


@main.command("verify-upstream")
@click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: all]")
@click.option("--months", help="2020-03, 2020-03..2020-08, or several with commas.  [default: all since 2009]")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@_one_sentence
def verify_upstream(datasets: str | None, months: str | None, *, as_json: bool) -> None:
    """Compare what upstream publishes with the contracts.

    Reads a few kB of each month; exit code 1 on any surprise.
    """
    from taxi_platform.cli import verifying

    sys.exit(verifying.verify_upstream(last_settings(), datasets, months, as_json=as_json))


@main.command()
@_one_sentence
def env() -> None:
    """Print the settings of the last run, for eval.

    After eval "$(taxi env)", dagster commands use its instance.
    """
    from taxi_platform.orchestration.io_managers.lake_views import refreshed_views

    settings = last_settings()
    variables = exports(settings)
    variables["TAXI_WORKSPACE"] = str(Path(taxi_platform.__file__).with_name("workspace.yaml"))
    if settings.views is not None:
        if problem := refreshed_views(settings):
            click.echo(f"the views stay as they were: {problem}", err=True)
        variables["TAXI_VIEWS"] = str(settings.views)
    for name, value in sorted(variables.items()):
        click.echo(f"export {name}={shlex.quote(value)}")


@main.command("postgres-url")
@click.option(
    "--idle-seconds", default=600.0, show_default=True, help="An embedded server stays up until unused for so long."
)
@click.option("--export", "as_exports", is_flag=True, help="As PGHOST and the rest, for eval.")
@_one_sentence
def postgres_url(idle_seconds: float, *, as_exports: bool) -> None:
    """Print the address of PostgreSQL, for psql.

    An embedded server is kept up while somebody is connected to it. After eval "$(taxi postgres-url --export)" psql,
    and any other program on libpq, needs no address.
    """
    from taxi_platform.cli.postgres_address import libpq_exports, postgres_address

    address = postgres_address(last_settings(), idle_seconds)
    click.echo(libpq_exports(address) if as_exports else address)


@main.command()
@click.argument("sql", required=False)
@click.option(
    "--store",
    type=_STORES,
    help="Whose tables, and whose SQL.  [default: the first that is on]",
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "parquet"]), help="[default: by the file's name]")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file, .csv or .parquet.")
@_one_sentence
def query(sql: str | None, store: str | None, form: str | None, output: Path | None) -> None:
    """Run one query on a store, and print what it finds or write it to a file.

    Nothing can be changed by it. Without SQL it is read from standard input. As in:

    taxi query "SELECT dataset, count(*) FROM taxi.trips GROUP BY 1"
    """
    from taxi_platform.cli.querying import run_query

    run_query(last_settings(), sys.stdin.read() if sql is None else sql, store, form, output)


@main.command()
@click.option("--store", type=_STORES, help="Whose tables, and whose SQL.  [default: the first that is on]")
@_one_sentence
def shell(store: str | None) -> None:
    """Ask a store one query after another, with history.

    Nothing can be changed, and a run need not wait while you think. A query ends with a semicolon. \\d lists the
    tables, \\? what else there is, Ctrl-D ends.
    """
    from taxi_platform.cli.shell import run_shell

    run_shell(last_settings(), store)


@main.command()
@click.option("--datasets", help=f"Comma-separated: {_DATASETS}.  [default: all]")
@click.option("--months", help="2020-03, 2020-03..2020-08, or several with commas.  [default: the newest of each]")
@click.option("--store", type=_STORES, help="Whose marts are read.  [default: the first that is on]")
@click.option(
    "--output", "-o", type=click.Path(file_okay=False, path_type=Path), help="Folder.  [default: data/report]"
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@_one_sentence
def report(datasets: str | None, months: str | None, store: str | None, output: Path | None, *, show: bool) -> None:
    """Write a page for each month: its trips, revenue, hours, zones and quality, and an index over all months.

    The pages need no network and no server. As in: taxi report --datasets green --months 2020-03 --open
    """
    from taxi_platform.machine.pandas_free import let_pandas_in

    let_pandas_in()
    from taxi_platform.cli.reporting import write_reports

    write_reports(last_settings(), datasets, months, store, output, show=show)


@main.command()
@click.option(
    "--output", "-o", type=click.Path(file_okay=False, path_type=Path), help="Folder.  [default: data/catalog]"
)
@click.option("--open", "show", is_flag=True, help="Open the catalog in a browser.")
@_one_sentence
def catalog(output: Path | None, *, show: bool) -> None:
    """Write pages of every table and column: meaning, origin, months, quality, queries, with a search.

    The pages need no network and no server. Without months they have the contracts alone.
    """
    from taxi_platform.cli.cataloging import write_catalog

    write_catalog(last_settings(), output, show=show)


@main.command()
@click.argument("store", type=_STORES)
@_one_sentence
def adopt(store: str) -> None:
    """Let this platform load into a store of another lake.

    For a lake that was made anew: what the store has of other months stays until it is replaced.
    """
    from taxi_platform.cli.adopting import adopt_store

    adopt_store(last_settings(), store)


@main.command()
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file for a node exporter.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Serve /metrics and /healthz there, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve at.")
@click.option("--every", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds between looks.")
@_one_sentence
def metrics(output: Path | None, port: int | None, host: str, every: float) -> None:
    """Say how the platform is, for Prometheus: months, stores, daemons, runs, disks.

    Printed once, or kept up to date on a port.
    """
    from taxi_platform.cli import monitoring

    if output is not None and port is not None:
        raise SettingsError("--output writes once and --port goes on: give one of them")
    if port is not None:
        monitoring.serve_metrics(last_settings(), host, port, every)
    elif output is not None:
        monitoring.write_metrics(last_settings(), output)
    else:
        monitoring.print_metrics(last_settings())


@main.command()
@click.option("--concurrency", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option("--name", default="taxi", show_default=True, help="With the host's name it is the worker's own.")
@_one_sentence
def worker(concurrency: int, name: str) -> None:
    """Execute runs that a server hands over, until told to end; runs under way then end first.

    Needs the extra celery, DAGSTER_HOME with the server's dagster.yaml, and the server's settings.
    """
    from taxi_platform.cli.working import be_a_worker

    be_a_worker(Settings.from_environment(), concurrency, name)


@main.command("alert-test")
@_one_sentence
def alert_test() -> None:
    """Send a test message to every channel of alerts.

    Channels are set by TAXI_ALERT_…; what became of each message is said.
    """
    from taxi_platform.orchestration.alerts import AlertSettings, send_test_message

    outcomes = send_test_message(AlertSettings.from_environment())
    if not outcomes:
        raise SettingsError("no channel is set: docs/alerts.md lists the TAXI_ALERT_… variables")
    for outcome in outcomes:
        click.echo(str(outcome))
    sys.exit(0 if all(outcome.is_delivered for outcome in outcomes) else 1)


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web interface on this machine.")
@click.option("--read-only", is_flag=True, help="To look and not to touch: nothing can be started or changed there.")
@_one_sentence
def dev(port: int, *, read_only: bool) -> None:
    """Open the Dagster UI, with its daemon.

    It shows the data root of the last run.
    """
    from taxi_platform.cli.developing import serve

    serve(last_settings(), port, read_only=read_only)
