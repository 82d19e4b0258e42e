"""The sheets of a day and of a week: one page of A4 each, from published editions."""

from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from msgspec import Struct

from triage.report import charts
from triage.report.blocks import ChartItem, Report
from triage.report.edition_figures import (
    EditionFigures,
    changes_said,
    changes_summary,
    most_frequent,
    percent_said,
    sentence,
    short_label,
)
from triage.report.run_charts import weekly_charts
from triage.summaries.editions import Summary
from triage.summaries.figures import FigureRow, line_name

SHADES: Final = 4
BANDS: Final = tuple(f"{hour:02} to {hour + 4:02}" for hour in range(0, 24, 4))
"""The bands of the hours, as the measure calls them."""
NOT_YET: Final = "outcomes/not_yet"
"""Stands for a line: the incidents of the period that have no outcome."""


class CountLine(Struct, frozen=True, kw_only=True):
    """A figure with its bar; `line` names the line of a measure that it is."""

    label: str
    number: str
    bar: Markup = Markup()
    line: str = ""


class HandoverLine(Struct, frozen=True):
    """The stays at a kind of place: how many, the median minutes, how many over the target."""

    place: str
    stays: str
    median: str
    over: str


class Sheet(Struct, frozen=True, kw_only=True):
    """A sheet of one page: how many incidents, how they ended, and what an edition changed."""

    title: str
    about: str
    incidents: str
    outcomes: tuple[CountLine, ...]
    changed: str
    changes: tuple[str, ...]


class Day(Sheet, frozen=True, kw_only=True):
    """The handover sheet of a day."""

    to_do: tuple[CountLine, ...]
    s136: tuple[CountLine, ...]
    handover: tuple[HandoverLine, ...]
    areas: tuple[CountLine, ...]
    quality: tuple[CountLine, ...]


class HeatRow(Struct, frozen=True):
    """An area by hours of the day: count and shade."""

    label: str
    cells: tuple[tuple[int, str], ...]


class Week(Sheet, frozen=True, kw_only=True):
    """The sheet of a week, for the team and the nurse lead."""

    runs: tuple[ChartItem, ...]
    bands: tuple[str, ...]
    heat: tuple[HeatRow, ...]
    missing: str
    talk: tuple[CountLine, ...]


Document = Report | Day | Week
"""The kinds of report that an edition is printed as."""


def day(summary: Summary, zone: ZoneInfo) -> Day:
    """The sheet of a published day."""
    figures = EditionFigures(summary)
    starts, ends = summary.starts_at.astimezone(zone), summary.ends_at.astimezone(zone)
    completeness = tuple(
        CountLine(
            label=f"{row.label}: fields answered",
            number=percent_said(row),
            bar=charts.bar(row.percent or 0, 100),
            line=line_name("completeness", row.name),
        )
        for row in figures.rows("completeness")
    )
    as_at = summary.as_at.astimezone(zone).strftime("%-d %b %Y, %H:%M") if summary.as_at else "–"
    edition = f"{starts:%H:%M} to {ends:%a %H:%M}. Edition {summary.edition}, as at {as_at}."
    return Day(
        title=starts.strftime("%A %-d %B %Y"),
        about=" ".join((edition, *summary.notes)),
        incidents=_number(figures.value("incidents")),
        to_do=tuple(_lines(figures, "action_needed", lambda row: row.label)),
        outcomes=(*_counted(figures, "outcomes"), *_not_yet(figures)),
        s136=(
            *_lines(figures, "powers_used", lambda row: f"{row.label} used", without="none"),
            *_grades(figures),
        ),
        handover=tuple(_handover(figures)),
        areas=tuple(_counted(figures, "incidents_by_area", "area")),
        quality=(*completeness, *_late(figures)),
        changed=changes_summary(summary),
        changes=changes_said(summary),
    )


def lines_of(sheet: Day | Week) -> frozenset[str]:
    """The lines of measures that the figures of a sheet are."""
    parts = (
        (sheet.outcomes, sheet.talk)
        if isinstance(sheet, Week)
        else (sheet.to_do, sheet.outcomes, sheet.s136, sheet.areas, sheet.quality)
    )
    return frozenset(line.line for part in parts for line in part if line.line)


def _number(value: int | float | None) -> str:
    return "no data" if value is None else f"{value:g}"


def _lines(figures: EditionFigures, code: str, label: Callable[[FigureRow], str], without: str = "") -> list[CountLine]:
    return [
        CountLine(label=label(row), number=_number(row.value), line=line_name(code, row.name))
        for row in figures.rows(code)
        if row.value and row.code != without
    ]


def _grades(figures: EditionFigures) -> list[CountLine]:
    return _lines(figures, "considered_by_grade", lambda row: _grade_said(row.label), without="used")


def _counted(figures: EditionFigures, code: str, list_name: str = "") -> list[CountLine]:
    """The rows with their bars, the most frequent first; `list_name`: the list that has their short labels."""
    rows = most_frequent(figures, code)
    return [
        CountLine(
            label=short_label(list_name, row.code, row.label) if list_name else row.label,
            number=_number(row.value),
            bar=charts.bar(float(row.value or 0), float(rows[0].value or 1)),
            line=line_name(code, row.name),
        )
        for row in rows
    ]


def _not_yet(figures: EditionFigures) -> list[CountLine]:
    measure = figures.measure("outcomes")
    missing = measure.missing if measure else 0
    return [CountLine(label="No outcome yet", number=str(missing), line=NOT_YET)] if missing else []


def _grade_said(label: str) -> str:
    """A result under a heading that does not say of what it is one."""
    return sentence(label) if label.startswith("s136 ") else f"Section 136 considered: {label}"


def _handover(figures: EditionFigures) -> list[HandoverLine]:
    places: dict[str, dict[str, FigureRow]] = {}
    for row in figures.rows("handover_minutes"):
        places.setdefault(row.label, {})[row.column or ""] = row
    lines = []
    for label, columns in places.items():
        half, over = columns.get("median"), columns.get("over_target")
        if half is None or not half.of:
            continue
        median = "–" if half.value is None else f"{half.value:.0f} min"
        lines.append(HandoverLine(label, str(half.of), median, _number(over.value if over else None)))
    return lines


def _late(figures: EditionFigures) -> list[CountLine]:
    late = figures.measure("late_data")
    if late is None or not isinstance(late.value, int):
        return []
    return [CountLine(label="Entries more than 1 hour late", number=f"{late.value} of {late.known}")]


# --- the week ---


def week(summary: Summary, weeks: Sequence[Summary], zone: ZoneInfo) -> Week:
    """`weeks`: up to 26 that end with it, for two run charts."""
    figures = EditionFigures(summary)
    starts, ends = summary.starts_at.astimezone(zone), summary.ends_at.astimezone(zone)
    volume = figures.measure("volume_by_hour_and_area")
    bands, heat = _heat(figures)
    return Week(
        title=f"Week {summary.period[-2:]}: {starts:%a %-d %b} to {ends:%a %-d %b %Y}, {ends:%H:%M}",
        about=" ".join((f"Edition {summary.edition}.", *summary.notes)),
        incidents=_number(figures.value("incidents")),
        runs=tuple(weekly_charts(weeks)),
        bands=bands,
        heat=heat,
        missing=f"{volume.missing} without an area" if volume and volume.missing else "",
        outcomes=tuple(_counted(figures, "outcomes")),
        talk=tuple(_talk(figures)),
        changed=changes_summary(summary),
        changes=changes_said(summary),
    )


def _heat(figures: EditionFigures) -> tuple[tuple[str, ...], tuple[HeatRow, ...]]:
    rows = figures.rows("volume_by_hour_and_area")
    areas = dict.fromkeys(row.column or "" for row in rows)
    most = max([int(row.value or 0) for row in rows], default=1)
    heat_rows = []
    for area in areas:
        cells = [figures.count("volume_by_hour_and_area", band, area or None) for band in BANDS]
        if any(cells):
            shaded = tuple((n, f"h{min(SHADES, -(-SHADES * n // most))}" if n else "") for n in cells)
            heat_rows.append(HeatRow(short_label("area", area, area), shaded))
    return tuple(band.replace(" to ", "–") for band in BANDS), tuple(heat_rows)


def _talk(figures: EditionFigures) -> list[CountLine]:
    lines = []
    chase = figures.measure("chase_list")
    if chase and chase.known:
        lines.append(CountLine(label="Outcomes to chase", number=str(chase.known), line="chase_list"))
    for times in (2, 5):
        row = figures.row("seen_often", f"seen_{times}")
        if row and row.value:
            lines.append(CountLine(label=f"People seen {times} or more times in 28 days", number=_number(row.value)))
    consulted = figures.measure("consultation_rate")
    if consulted and consulted.known:
        lines.append(CountLine(label="Consulted before Section 136", number=f"{consulted.value} of {consulted.known}"))
    agree = figures.row("second_judge", "agreement")
    if agree and agree.of:
        lines.append(CountLine(label="Officer and nurse agree", number=f"{agree.value} of {agree.of}"))
    lines += _grades(figures)
    lines += [
        CountLine(label=f"{row.label}: fields answered", number=percent_said(row))
        for row in figures.rows("completeness")
    ]
    return lines
