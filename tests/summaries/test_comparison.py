"""Two spans side by side: what is refused, what is said, and what a difference is of."""

from datetime import UTC, date, datetime, timedelta

import pytest
from facts import TEN, fact, scope, used

from triage.codes import Population
from triage.summaries.comparison import (
    ComparedLine,
    SpanFault,
    check_spans,
    compare,
    notes,
    parse_span,
)
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import byar, rate_ratio
from triage.summaries.schedule import Calendar, Coverage

CALENDAR = Calendar(date(2024, 1, 1))
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PARTLY = Coverage(date(2026, 11, 20), date(2026, 12, 31), False)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("2026-09", "2026-11", "2026-11 is not over"),
        ("2026-09", "2027-03", "2027-03 is not over"),
        ("2023-11", "2024-11", "before the log began"),
        ("2025-01..2025-06", "2025-01..2025-06", "share months"),
        ("2025-01..2025-06", "2025-06..2025-12", "share months"),
        ("2025-06..2025-12", "2025-01..2025-06", "share months"),
    ],
)
def test_what_would_print_a_number_that_is_none_is_refused(first: str, second: str, why: str) -> None:
    with pytest.raises(SpanFault, match=why):
        check_spans(parse_span(first), parse_span(second), CALENDAR, NOW)


def test_a_span_is_over_with_its_last_operational_day() -> None:
    spans = parse_span("2026-08"), parse_span("2026-10")
    ends = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
    with pytest.raises(SpanFault):
        check_spans(*spans, CALENDAR, ends - timedelta(seconds=1))
    assert all(part.whole for part in check_spans(*spans, CALENDAR, ends))


def test_a_span_that_the_log_covers_in_part_says_so_and_so_do_unequal_ones() -> None:
    first, second = parse_span("2023-11..2024-02"), parse_span("2025-01..2025-03")
    covered = check_spans(first, second, CALENDAR, NOW)
    assert (covered[0].covered_from, covered[0].covered_to) == (date(2024, 1, 1), date(2024, 2, 29))
    said = notes(first, second, covered)
    assert "covers only 1 January 2024 to 29 February 2024 of 2023-11..2024-02" in said[0]
    assert "not of the same length" in said[1]
    assert notes(parse_span("2025-02"), parse_span("2025-03"), (covered[1], covered[1])) == ()


def many(n: int, uses: int) -> list[IncidentFact]:
    """So many incidents, of which so many are uses of s136 in Luton."""
    return [used(i) if i < uses else fact(i) for i in range(n)]


def line(lines: tuple[ComparedLine, ...], measure: str, row: str) -> ComparedLine:
    return next(line for line in lines if line.measure == measure and line.row == row)


def test_counts_are_compared_by_the_ratio_of_their_rates_with_an_interval() -> None:
    lines = compare(scope(*many(40, 10)), scope(*many(60, 10)), days=(90, 90))
    incidents = line(lines, "incidents", "Incidents")
    assert (incidents.unit, incidents.difference) == ("ratio", 1.5)
    assert (incidents.low, incidents.high) == rate_ratio(40, 90, 60, 90)[1:] == (1.01, 2.23)
    assert (incidents.first.low, incidents.first.high) == tuple(round(end, 1) for end in byar(40))


def test_unequal_spans_are_compared_by_the_day() -> None:
    lines = compare(scope(*many(30, 0)), scope(*many(60, 0)), days=(90, 180))
    assert line(lines, "incidents", "Incidents").difference == 1.0


def test_rates_of_a_population_have_an_interval_and_a_ratio() -> None:
    people = [Population(local_authority="E06000032", year=2025, persons=200_000, source="Mid-year estimate")]
    scopes = [scope(*many(50, uses), populations=people) for uses in (20, 30)]
    rate = line(compare(*scopes, days=(90, 90)), "s136_per_100_000", "Luton")
    assert (rate.first.value, rate.second.value, rate.unit, rate.difference) == (10.0, 15.0, "ratio", 1.5)
    assert rate.first.low and rate.low and rate.high and rate.low < 1.5 < rate.high


def test_medians_are_compared_in_their_own_unit_and_shares_in_percentage_points() -> None:
    def assessed(hours: int) -> list[IncidentFact]:
        started = {"clock_started_at": TEN, "assessed_at": TEN + timedelta(hours=hours)}
        return [used(n, extended_minutes=60 if n < hours else 0, **started) for n in range(20)]

    lines = compare(scope(*assessed(3)), scope(*assessed(5)), days=(90, 90))
    median = line(lines, "time_to_assessment", "Median")
    assert (median.unit, median.difference, median.low) == ("value", 2.0, None)
    extended = line(lines, "extension_rate", "Section 136 extended")
    assert (extended.unit, extended.difference) == ("percentage_points", 10.0)


def test_equality_tables_of_a_comparison_count_the_span_alone() -> None:
    lines = compare(scope(*many(30, 10)), scope(*many(40, 10)), days=(90, 90))
    assert all(line.label.startswith("By ") for line in lines if line.measure.startswith("equality_"))


def test_nothing_is_compared_by_the_day_with_a_span_covered_in_part_but_shares_are() -> None:
    lines = compare(scope(*many(40, 20), covered=PARTLY), scope(*many(60, 20)), days=(90, 90))
    assert line(lines, "incidents", "Incidents").difference is None
    assert line(lines, "powers_used", "Section 136").difference == -16.7


def test_a_few_events_have_no_ratio() -> None:
    assert line(compare(scope(*many(4, 0)), scope(*many(5, 0)), days=(90, 90)), "incidents", "Incidents").low is None


def test_a_row_that_one_span_leaves_out_is_none_of_the_known_and_not_no_data() -> None:
    lines = compare(scope(*many(20, 0)), scope(*[fact(n, latest="signposted") for n in range(20)]), days=(90, 90))
    signposted = line(lines, "outcomes", "Signposted")
    assert (signposted.first.value, signposted.first.of, signposted.difference) == (0, 20, 100.0)
