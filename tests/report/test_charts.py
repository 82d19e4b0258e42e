"""The charts as SVG: text that keeps its size, nothing that a strict policy refuses, a name for who cannot see them."""

import re
import xml.etree.ElementTree as ET

import pytest

from triage.report import charts, spc
from triage.report.blocks import IntervalCell, StackPart
from triage.report.spc import SeriesPoint

STEADY = (112, 118, 121, 109, 115, 123, 117, 120, 114, 126, 119, 122)


def drawn(*points: SeriesPoint, unit: str = "", width: int | None = None) -> str:
    chart = spc.p(points) if unit else spc.xmr(points)
    return str(charts.run_chart("name", "Title <&>", chart, "Said.", unit=unit, width=width))


def whole_series(*values: float | None) -> list[SeriesPoint]:
    return [SeriesPoint(f"m{n}", value, 100) for n, value in enumerate(values)]


PICTURES = {
    "run": drawn(*whole_series(*STEADY, 171)),
    "with a gap": drawn(*whole_series(*STEADY, None, 120)),
    "share": drawn(*whole_series(*STEADY[:6], *STEADY[:6]), unit="%"),
    "for a PDF": drawn(*whole_series(*STEADY), width=330),
    "one period": drawn(SeriesPoint("m", 3)),
    "nothing": drawn(SeriesPoint("m", None)),
    "zeros": drawn(*whole_series(0, 0, 0)),
    "interval": str(charts.interval(IntervalCell(8, 11, 15, 40, 10))),
    "bar": str(charts.bar(3, 9)),
    "empty bar": str(charts.bar(0, 0)),
    "stack": str(charts.stacked((StackPart("A & B", 3, "a"), StackPart("C", 0, "b"), StackPart("D", 7, "e")))),
    "clock": str(charts.clock(25.5)),
    "extended clock": str(charts.clock(22, 6)),
    "spark": str(charts.spark([1, 4, 0, 2])),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_sound_and_obeys_the_policy(name: str) -> None:
    picture = PICTURES[name]
    root = ET.fromstring(picture)
    assert root.tag.endswith("svg")
    assert "style=" not in picture and "<script" not in picture and "viewBox" not in picture
    assert "nan" not in picture.lower() and "inf" not in picture.lower().replace("information", "")
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    hidden, named = root.get("aria-hidden") == "true", root.get("role") == "img"
    assert hidden or named


@pytest.mark.parametrize("name", PICTURES)
def test_text_is_never_smaller_than_14_px(name: str) -> None:
    sizes = [int(size) for size in re.findall(r'font-size="(\d+)"', PICTURES[name])]
    assert all(size >= 14 for size in sizes)


def test_a_gap_is_a_cross_and_no_zero() -> None:
    picture = PICTURES["with a gap"]
    assert "×" in picture and "m12: no data." in picture
    assert picture.count("<circle") == len(STEADY) + 1


def test_a_partial_period_is_hollow_and_a_signal_is_a_diamond() -> None:
    partial = drawn(*whole_series(*STEADY), SeriesPoint("now", 12, partial=True))
    assert 'class="dot hollow"' in partial and "now: 12 (not a whole period)." in partial
    assert 'class="dot special"' in PICTURES["run"] and 'class="dot special"' not in partial


def test_without_limits_there_is_no_band() -> None:
    small = drawn(*whole_series(1, 2, 0, 3, 1, 2, 4, 1, 2, 0, 3, 2, 1, 8))
    assert 'class="band"' not in small and 'class="dot special"' not in small and 'stroke-dasharray="1 4"' in small


def test_an_axis_that_does_not_start_at_zero_says_so() -> None:
    assert "The axis starts at" in PICTURES["run"]
    assert "The axis starts at" not in drawn(*whole_series(1, 20, 3))


def test_the_names_of_a_picture_are_text_and_no_markup() -> None:
    assert "Title &lt;&amp;&gt;" in PICTURES["run"]


def test_an_over_run_is_past_the_mark() -> None:
    assert 'class="spent over"' in PICTURES["clock"] and "25.5 of 24 hours" in PICTURES["clock"]
    assert "over" not in PICTURES["extended clock"] and "22.0 of 30 hours" in PICTURES["extended clock"]
