"""What run charts must and must not say."""

from itertools import pairwise

import pytest

from triage.report import spc
from triage.report.spc import ControlChart, SeriesPoint

STEADY = (112, 118, 121, 109, 115, 123, 117, 120, 114, 126, 119, 122)


def chart_of(*values: float | None) -> ControlChart:
    return spc.xmr([SeriesPoint(str(n), value) for n, value in enumerate(values)])


def signals(chart: ControlChart) -> list[tuple[str, ...]]:
    return [point.signals for point in chart.points]


def test_limits_are_the_mean_and_2_66_mean_moving_ranges() -> None:
    ranges = [abs(b - a) for a, b in pairwise(STEADY)]
    assert chart_of(*STEADY).points[0].upper == sum(STEADY) / 12 + 2.66 * sum(ranges) / 11


def test_a_range_over_3_267_times_the_mean_is_screened_out_once() -> None:
    with_jump = (*STEADY[:11], 190)
    ranges = [abs(b - a) for a, b in pairwise(with_jump)]
    kept = [moved for moved in ranges if moved < 3.267 * sum(ranges) / len(ranges)]
    assert len(kept) == 10
    assert chart_of(*with_jump).points[0].upper == pytest.approx(sum(with_jump) / 12 + 2.66 * sum(kept) / 10)


def test_no_limits_under_12_periods() -> None:
    chart = chart_of(*STEADY[:11])
    assert (chart.kind, chart.refused) == ("run", "11 whole periods; limits need 12.")


def test_no_limits_for_small_counts_so_that_1_to_8_is_no_news() -> None:
    chart = chart_of(1, 2, 0, 3, 1, 2, 4, 1, 2, 0, 3, 2, 1, 8)
    assert chart.kind == "run" and not chart.has_signal
    assert "No usual range is drawn" in spc.reading(chart, "it")


def test_a_point_outside_is_told() -> None:
    assert signals(chart_of(*STEADY, 171))[-1] == ("above the usual range",)
    assert signals(chart_of(*STEADY, 60))[-1] == ("below the usual range",)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((119, 120, 121, 120, 119, 121, 120), "7 or more in a row above the mean"),
        ((110, 111, 112, 113, 114, 115, 116), "7 rising in a row"),
        ((125, 124, 123, 122, 121, 120, 119), "7 falling in a row"),
        ((134, 135), "2 of 3 close to the upper limit"),
    ],
)
def test_each_pattern_is_told(more: tuple[int, ...], said: str) -> None:
    assert said in signals(chart_of(*STEADY, *more))[-1]


def test_a_gap_breaks_a_run_and_is_no_zero() -> None:
    whole = chart_of(*STEADY, 120, 120, 121, 122, 120, 121, 123)
    gap = chart_of(*STEADY, 120, 120, 121, None, 120, 121, 123)
    assert any("in a row" in said for said in signals(whole)[-1])
    assert not any("in a row" in said for said in signals(gap)[-1])
    assert gap.points[15].point.value is None and gap.points[15].signals == ()


def test_a_period_that_is_not_whole_is_neither_judged_nor_in_the_limits() -> None:
    points = [SeriesPoint("", value) for value in STEADY]
    chart = spc.xmr([*points, SeriesPoint("", 12, partial=True)])
    assert not chart.points[-1].signals
    assert chart.points[0].upper == spc.xmr(points).points[0].upper
    assert spc.reading(chart, "it").startswith(": 122")


def test_limits_stay_when_later_periods_come() -> None:
    first = chart_of(*STEADY, *STEADY)
    assert chart_of(*STEADY, *STEADY, 300, 300).points[0].upper == first.points[0].upper


def test_limits_of_a_share_follow_its_denominator_and_are_widened_never_narrowed() -> None:
    points = [SeriesPoint(str(n), 50 + (n % 2), 100 if n else 400) for n in range(14)]
    chart = spc.p(points)
    wide, narrow = chart.points[1], chart.points[0]
    assert chart.kind == "p" and wide.upper and narrow.upper and wide.upper > narrow.upper
    restless = spc.p([SeriesPoint(str(n), 20 if n % 2 else 80, 100) for n in range(14)])
    assert restless.points[0].upper == 100 and not restless.has_signal


def test_no_limits_where_the_rarer_answer_is_rare() -> None:
    chart = spc.p([SeriesPoint(str(n), 98, 50) for n in range(14)])
    assert chart.kind == "run" and "rarer answer" in chart.refused


def test_no_sign_never_means_no_change() -> None:
    said = spc.reading(chart_of(*STEADY), "it")
    assert "within the usual range (" in said and "No sign that it has changed." in said
    assert spc.reading(chart_of(None, None), "it") == "No data."
