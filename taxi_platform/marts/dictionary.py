"""The dictionary of marts: everything their declarations say, as one page of Markdown.

Belongs here: the page's layout. Does not: any fact about a mart (the declarations' own) and where the page lies
(``tools.docs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Column
from taxi_platform.marts.model import DATASET, Mart, MartView

__all__ = ["render_marts"]

_INTRODUCTION = """\
# Marts

<!-- Written by `make docs` from taxi_platform/marts; not to be edited by hand. -->

What people compute from trips again and again, made in every store of tables when a month's trips are. The
[ten questions](questions.md) show how to ask them.

* **A mart's month is the file's month.** A pickup of another month stays in the month of its file, under its own
  `pickup_date`. Whoever wants days sums over file months.
* **What is stored adds up**: counts, sums and bins, never a mean or a percentile. Views compute those.
* **Money is in whole cents, a distance in hundredths of a mile**, each trip's rounded by itself, halves away from zero.
  So a sum is the same in every store. An amount of ten million or more counts as not reported.
* Each dataset has a table of its own, such as `green_mart_zone_month`. The view `mart_zone_month` unites them and says
  which dataset a row is of. Ask the view.
* **`taxi.mart_months`** says of every mart and month which trips it was made from (`data_version`) and by which SELECT
  (`definition`). A month for which both are current is left alone. One that is behind is shown by `taxi status`, and is
  made again by `taxi run`, `taxi run --behind` and the daily reconciliation.
* **Replaced together**: whoever reads finds all marts of a month as they were, or all as they are now. DuckDB and
  PostgreSQL make and replace them in one transaction. BigQuery makes each by a query job, limited by
  `maximum_bytes_billed`, in a table beside its own (`…_new_…`, gone within a day even after a kill), and exchanges them
  in one transaction. Marts that do not have as many trips as the month are refused, and those before stay.
* **In Dagster** they are `green_warehouse_marts`, `green_postgres_marts` and so on, in the group `green_marts`. They
  follow their tables by automation. The check `marts_add_up` compares the trips of every mart with the store's, and the
  rows of the grid with zones and hours.
* **The lake has none** ([why](decisions/marts-are-not-in-the-lake.md)). Where `TAXI_WAREHOUSE` is `off`, ask PostgreSQL
  or BigQuery; where no store of tables is on, there are no marts.
* **Without them**: `taxi run --without-marts`, or `TAXI_MARTS=off`. None is made then, and none is missed. A schema
  `marts` of your own is never touched.
"""


def render_marts(marts: Sequence[Mart], views: Sequence[MartView], contracts: Sequence[Contract]) -> str:
    """The dictionary of these marts and views, for these datasets, as Markdown."""
    declared: list[Mart | MartView] = [*marts, *views]
    headings = [f"* [`{one.name}`](#{one.name}): {one.description}\n" for one in declared]
    sections = [_INTRODUCTION, "".join(headings), *_marts(marts, contracts), *_views(views)]
    return "\n".join(sections)


def _marts(marts: Sequence[Mart], contracts: Sequence[Contract]) -> Iterator[str]:
    for mart in marts:
        grain = _listed([DATASET.name, "file_month", *mart.key])
        datasets = [contract.dataset for contract in contracts if mart.suits(contract)]
        of = "every dataset" if len(datasets) == len(contracts) else _listed(datasets)
        facts = f"One row for each {grain}. Of {of}. Made from {_listed(mart.reads)}."
        yield f"## `{mart.name}`\n\n{mart.description} {facts}\n\n" + _columns(mart.view.columns)


def _views(views: Iterable[MartView]) -> Iterator[str]:
    for view in views:
        yield f"## `{view.name}`\n\n{view.description} A view over {_listed(view.reads)}.\n\n" + _columns(view.columns)


def _columns(columns: Iterable[Column]) -> str:
    rows = [(f"`{c.name}`", f"`{c.type.name.lower()}`", c.unit or "-", c.description) for c in columns]
    lines = [("column", "type", "unit", "meaning"), ("---",) * 4, *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
