"""The ten questions that people ask of these trips again and again, each with its queries over marts.

Belongs here: the questions, and the page of Markdown that shows them. Does not: what the marts have (their
declarations), and where the page lies (``tools.docs``).

The text of a query is the same in every store; in BigQuery ``taxi`` is the dataset of the address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["QUESTIONS", "Answer", "Question", "render_questions"]

_INTRODUCTION = """\
# Ten questions

<!-- Written by `make docs` from taxi_platform/marts/questions.py; not to be edited by hand. -->

What people ask of these trips again and again, each with one query over the platform's marts. The text is the same in
every store: DuckDB (`warehouse.duckdb`), PostgreSQL, and BigQuery, where `taxi` is your dataset. A test runs every
query in all three, and compares the answers with the trips themselves. A
[notebook](../examples/notebooks/4-ten-questions.ipynb) draws them for the months that you have (`make notebooks`).

What the columns mean stands in their comments and in [marts](marts.md). Money is stored in whole cents, and views
show dollars. A month is the upstream file's, `file_month`; `pickup_date` is the day of the pickup, whichever file
brought it. To see answers as charts, [connect a dashboard tool](dashboards.md).
"""


@dataclass(frozen=True)
class Answer:
    """One query."""

    sql: str
    note: str = ""
    """What to know of it, as Markdown."""


@dataclass(frozen=True)
class Question:
    """A question with the queries that answer it."""

    title: str
    answers: tuple[Answer, ...]


QUESTIONS: tuple[Question, ...] = (
    Question(
        "Revenue by zone, month and service",
        (
            Answer(
                """\
SELECT dataset, file_month, borough, zone, trips, total_dollars, mean_total_dollars
FROM taxi.mart_zone_revenue
WHERE file_month = DATE '2020-01-01' AND total_dollars IS NOT NULL
ORDER BY total_dollars DESC, pickup_location_id, dataset
LIMIT 20""",
            ),
        ),
    ),
    Question(
        "Revenue by quarter, and its change on the year",
        (
            Answer(
                """\
SELECT dataset, year, quarter, months, months_year_before, total_dollars, total_dollars_year_before, change_percent
FROM taxi.mart_quarter_revenue
ORDER BY dataset, year, quarter""",
                "`months` says how many file months of the quarter the store has: compare like with like.",
            ),
        ),
    ),
    Question(
        "Percentiles of the fare by month",
        (
            Answer(
                """\
SELECT dataset, file_month, trips, mean_dollars, p50_dollars, p90_dollars, p95_dollars, p97_dollars
FROM taxi.mart_fare_percentiles
ORDER BY dataset, file_month""",
                "In whole dollars: 90 of 100 fares are below `p90_dollars` + 1. Fares of 300 dollars and more count as "
                "300.",
            ),
        ),
    ),
    Question(
        "Travel time from zone to zone",
        (
            Answer(
                """\
SELECT pair.dataset, origin.zone AS pickup_zone, target.zone AS dropoff_zone, pair.trips, pair.mean_minutes,
       pair.p50_minutes, pair.p90_minutes
FROM taxi.mart_pair_times AS pair
JOIN taxi.zones AS origin ON origin.location_id = pair.pickup_location_id
JOIN taxi.zones AS target ON target.location_id = pair.dropoff_location_id
WHERE pair.file_month = DATE '2020-01-01' AND pair.trips >= 5
ORDER BY pair.p90_minutes DESC, pair.pickup_location_id, pair.dropoff_location_id, pair.dataset""",
                "In whole minutes, of the pairs with at least five trips in the month.",
            ),
        ),
    ),
    Question(
        "Peak hours of weekdays and weekends",
        (
            Answer(
                """\
SELECT dates.is_weekend, EXTRACT(HOUR FROM hours.pickup_hour) AS hour, SUM(hours.trips) AS trips,
       SUM(hours.trips) * 1.0 / COUNT(DISTINCT dates.date) AS trips_a_day
FROM taxi.mart_zone_hour AS hours
JOIN taxi.dates AS dates ON dates.date = CAST(hours.pickup_hour AS DATE)
WHERE hours.dataset = 'yellow' AND hours.file_month = DATE '2020-01-01'
GROUP BY dates.is_weekend, EXTRACT(HOUR FROM hours.pickup_hour)
ORDER BY trips_a_day DESC, is_weekend, hour""",
            ),
        ),
    ),
    Question(
        "Tips by way of payment and distance",
        (
            Answer(
                """\
SELECT payment_type_name, miles_bin, SUM(trips) AS trips, 100.0 * SUM(tipped_trips) / SUM(trips) AS tipped_percent,
       100.0 * SUM(tip_cents) / SUM(fare_cents) AS percent_of_fare
FROM taxi.mart_tips_month
WHERE dataset = 'yellow' AND file_month = DATE '2020-01-01' AND payment_type IS NOT NULL
GROUP BY payment_type_name, miles_bin
HAVING SUM(fare_cents) > 0
ORDER BY payment_type_name, miles_bin""",
                "Tips of taxis are known where a card paid. By zone: group by `pickup_location_id` too.",
            ),
        ),
    ),
    Question(
        "Trips from and to airports",
        (
            Answer(
                """\
SELECT dataset, COALESCE(pickup_airport, 'elsewhere') AS origin, COALESCE(dropoff_airport, 'elsewhere') AS target,
       SUM(trips) AS trips, SUM(total_cents) / 100.0 / SUM(trips) AS mean_total_dollars,
       SUM(duration_seconds) / 60.0 / SUM(trips) AS mean_minutes
FROM taxi.mart_airport_trips
WHERE file_month = DATE '2020-01-01'
GROUP BY dataset, COALESCE(pickup_airport, 'elsewhere'), COALESCE(dropoff_airport, 'elsewhere')
ORDER BY dataset, origin, target""",
            ),
        ),
    ),
    Question(
        "Yellow, green and apps: shares of a day's trips",
        (
            Answer(
                """\
SELECT pickup_date, SUM(trips) AS trips, SUM(CASE WHEN dataset = 'yellow' THEN share_percent ELSE 0 END) AS yellow,
       SUM(CASE WHEN dataset = 'green' THEN share_percent ELSE 0 END) AS green,
       SUM(CASE WHEN dataset = 'fhvhv' THEN share_percent ELSE 0 END) AS apps
FROM taxi.mart_service_share
GROUP BY pickup_date
ORDER BY pickup_date""",
            ),
            Answer(
                """\
SELECT pickup_date, SUM(CASE WHEN company = 'Uber' THEN trips ELSE 0 END) AS uber,
       SUM(CASE WHEN company = 'Lyft' THEN trips ELSE 0 END) AS lyft
FROM taxi.mart_company_day
GROUP BY pickup_date
ORDER BY pickup_date""",
                "Uber against Lyft:",
            ),
        ),
    ),
    Question(
        "Zones that grow and decline",
        (
            Answer(
                """\
SELECT dataset, borough, zone, trips, trips_year_before,
       100.0 * (trips - trips_year_before) / trips_year_before AS change_percent
FROM taxi.mart_zone_revenue
WHERE file_month = DATE '2020-01-01' AND trips_year_before >= 10
ORDER BY change_percent DESC, dataset, pickup_location_id""",
                "Against the same month a year before, of the zones that had at least ten trips then.",
            ),
        ),
    ),
    Question(
        "Before and after congestion pricing",
        (
            Answer(
                """\
SELECT dataset, CASE WHEN pickup_date < DATE '2025-01-05' THEN 'before' ELSE 'since' END AS period,
       (pickup_in_cbd OR dropoff_in_cbd) AS touches_zone, SUM(trips) AS trips,
       SUM(trips) * 1.0 / COUNT(DISTINCT pickup_date) AS trips_a_day, SUM(cbd_fee_cents) / 100.0 AS toll_dollars
FROM taxi.mart_cbd_day
WHERE pickup_date BETWEEN DATE '2024-12-01' AND DATE '2025-02-28'
GROUP BY dataset, CASE WHEN pickup_date < DATE '2025-01-05' THEN 'before' ELSE 'since' END,
         (pickup_in_cbd OR dropoff_in_cbd)
ORDER BY dataset, period, touches_zone""",
                "The congestion relief zone, Manhattan south of 60th Street, is charged since 2025-01-05.",
            ),
        ),
    ),
)
"""In the order of the page, which numbers them from 1."""


def render_questions(questions: Iterable[Question]) -> str:
    """The questions as Markdown."""
    sections = [_INTRODUCTION]
    for number, question in enumerate(questions, start=1):
        sections.append(f"## {number}. {question.title}\n")
        for answer in question.answers:
            sections += [f"{answer.note}\n"] if answer.note else []
            sections.append(f"```sql\n{answer.sql}\n```\n")
    return "\n".join(sections)
