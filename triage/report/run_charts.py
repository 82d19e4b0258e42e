"""The series of a report month by month, as run charts with what they say."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import UNSET, Struct

from triage.report import spc
from triage.report.blocks import AnyBlock, ChartItem, Charts, Heading, Paragraph
from triage.report.edition_figures import EditionFigures
from triage.report.spc import SeriesPoint
from triage.summaries.editions import Summary
from triage.summaries.figures import Measure

METHOD: Final = (
    "XmR chart for counts (mean ± 2.66 × mean moving range), p chart for shares, as NHS England’s Making Data Count "
    "draws them. Signals: a point outside the range; 7 in a row on one side of the mean; 7 rising or falling; 2 of 3 "
    "near a limit. No limits below 12 whole months, or where a count averages under 5 a month. More or fewer incidents "
    "is neither good nor bad."
)


class _Run(Struct, frozen=True, kw_only=True):
    """A series over months or weeks: the line of a measure, as a count or as a share."""

    name: str
    title: str
    what: str
    line: str
    share: bool = False


ANSWERED: Final = "completeness_by_field"
RUNS: Final = (
    _Run(name="incidents", title="Incidents attended, by month", what="the number of incidents", line="incidents"),
    _Run(name="s136", title="Section 136 used, by month", what="the use of Section 136", line="powers_used/s136"),
    _Run(name="a", title="Considered and not used, grade A", what="grade A", line="considered_by_grade/A"),
    _Run(name="b", title="Considered and not used, grade B", what="grade B", line="considered_by_grade/B"),
    _Run(
        name="handover",
        title="Handed over within 60 minutes",
        what="the handover",
        line="handover_within_target",
        share=True,
    ),
    _Run(
        name="ed",
        title="First taken to an emergency department",
        what="the share taken to an emergency department",
        line="ed_share",
        share=True,
    ),
    _Run(
        name="consulted",
        title="Consulted before Section 136",
        what="consultation",
        line="consultation_rate",
        share=True,
    ),
    _Run(name="complete", title="Fields answered", what="completeness", line=ANSWERED, share=True),
)
WEEKLY: Final = (
    _Run(name="week-incidents", title="Incidents, by week", what="the number of incidents", line="incidents"),
    _Run(name="week-s136", title="Section 136 used, by week", what="the use of Section 136", line="powers_used/s136"),
)


def run_charts(months: Sequence[Summary]) -> list[ChartItem]:
    """The series of a report over these months, as far as any has a figure."""
    series = [(run, _points(run, months, _month_name)) for run in RUNS]
    return [_item(run, points) for run, points in series if any(point.value is not None for point in points)]


def weekly_charts(weeks: Sequence[Summary]) -> list[ChartItem]:
    """The series of a week's sheet."""
    return [_item(run, _points(run, weeks, lambda week: f"w{week[-2:]} {week[:4]}")) for run in WEEKLY]


def _item(run: _Run, points: Sequence[SeriesPoint]) -> ChartItem:
    unit = "%" if run.share else ""
    chart = spc.p(points) if run.share else spc.xmr(points)
    said = spc.reading(chart, run.what, f" {unit}" if unit else "")
    return ChartItem(name=run.name, title=run.title, said=said, chart=chart, unit=unit)


def _month_name(period: str) -> str:
    return datetime.strptime(period, "%Y-%m").strftime("%b %y")  # noqa: DTZ007 - a name, no instant


def legend_of(runs: Iterable[ChartItem]) -> tuple[tuple[str, str], ...]:
    """The marks that these charts use, each with what it means."""
    charts = [run.chart for run in runs]
    points = [judged for chart in charts for judged in chart.points]
    limited = any(chart.kind != "run" for chart in charts)
    marks = (
        ("dot", "a month", True),
        ("special", "a change worth asking about", any(judged.signals for judged in points)),
        ("hollow", "not a whole month", any(judged.point.partial for judged in points)),
        ("band", "usual range", limited),
        ("mean", "mean", limited),
        ("median", "median, where no range is drawn", any(chart.kind == "run" for chart in charts)),
    )
    return tuple((mark, meaning) for mark, meaning, is_used in marks if is_used)


def _points(run: _Run, editions: Sequence[Summary], name_of: Callable[[str], str]) -> list[SeriesPoint]:
    return [_point(run, edition, name_of(edition.period)) for edition in editions]


def _point(run: _Run, edition: Summary, label: str) -> SeriesPoint:
    figure = EditionFigures(edition).figure(run.line)
    partial = is_partial(edition)
    if run.line == ANSWERED and isinstance(figure, Measure):
        return _share(label, figure.known, figure.known + figure.missing, partial)
    if figure is None or figure.value in (None, UNSET):
        return SeriesPoint(label, None, None, partial)
    value = float(figure.value or 0)
    if not run.share:
        return SeriesPoint(label, value, None, partial)
    return _share(label, value, figure.known if isinstance(figure, Measure) else figure.of, partial)


def _share(label: str, value: float, of: int | None, partial: bool) -> SeriesPoint:
    return SeriesPoint(label, round(100 * value / of, 1) if of else None, of, partial)


def is_partial(summary: Summary) -> bool:
    """Whether the log does not cover the whole period."""
    late_start = summary.covered_from is not None and summary.covered_from > summary.starts_at.date()
    last_day = (summary.ends_at - timedelta(days=1)).date()
    return late_start or (summary.covered_to is not None and summary.covered_to < last_day)


def changes_over_months(runs: Sequence[ChartItem]) -> Iterator[AnyBlock]:
    """Whether anything changed, by the series that the first page has no room for."""
    if not runs:
        return
    signals = [run.title[:1].lower() + run.title[1:] for run in runs if run.chart.has_signal]
    said = (
        f"{len(signals)} of {len(runs)} series {'shows' if len(signals) == 1 else 'show'} a change worth asking about: "
        f"{'; '.join(signals)}."
        if signals
        else "No series shows a change beyond what months vary by anyhow."
    )
    yield Heading(text="Has anything changed?", anchor="change", page=True)
    yield Paragraph(
        text=f"{said} The band is the range that months of this service usually fall in. A dot inside it is not news."
    )
    yield Charts(items=tuple(runs[2:]))
    yield Paragraph(text=METHOD, small=True)
