"""The board report of a month, quarter or year in its internal form, from published editions alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct

from triage import codes
from triage.report import spc
from triage.report.blocks import (
    AnyBlock,
    BarCell,
    Callout,
    Cell,
    ChartItem,
    Charts,
    Definitions,
    Heading,
    IntervalCell,
    KeyNumber,
    KeyNumbers,
    Lines,
    Paragraph,
    Report,
    Stack,
    StackPart,
    TableBlock,
    Tables,
    TextCell,
    Tile,
    Tiles,
)
from triage.report.charts import ceiling
from triage.report.spc import SeriesPoint
from triage.summaries.editions import Difference, Summary
from triage.summaries.figures import FigureRow, Measure

FOOTER: Final = "Street Triage Log. Contains small numbers: for the team and its scrutiny only."
CANNOT: Final = (
    "Nobody can observe a detention that did not happen. We print how often an officer had Section 136 in mind, what "
    "the evidence for it was, and what happened next; we do not print “detentions prevented”. The figures are of "
    "incidents this service attended."
)
METHOD: Final = (
    "XmR chart for counts (mean ± 2.66 × mean moving range), p chart for shares, as NHS England’s Making Data Count "
    "draws them. Signals: a point outside the range; 7 in a row on one side of the mean; 7 rising or falling; 2 of 3 "
    "near a limit. No limits below 12 whole months, or where a count averages under 5 a month. More or fewer incidents "
    "is neither good nor bad."
)
FAIRNESS: Final = (
    "Pooled over 12 months because a shorter period is too small. The thick line is the 95 % interval, the dashed line "
    "everybody; “apart”: the difference from everybody is larger than chance gives in 1 of 500 groups. Self-defined "
    "ethnicity. A difference between groups may come from need, from who is called about, or from what was done; these "
    "figures cannot tell which."
)
TERMS: Final = (
    ("Incident", "one person’s crisis at one place and time, whoever wrote of it."),
    ("Used", "any record that Section 136 was exercised."),
    ("Grade A", "the intent was recorded in time, and a nurse who had not seen it judged the power justified."),
    ("Grade B", "the intent was recorded in time; nobody judged it blind."),
    (
        "Interval",
        "Wilson 95 %, printed where at least 20 are known; no percentage under 10 known or with over 30 % missing.",
    ),
    ("Day", "06:00 to 06:00; a month begins at 06:00 on its first day."),
)
FEW: Final = 6
"""Rows with fewer stand together in one line at the foot of the table."""
APART_AT: Final = 3.09
"""Standard errors: chance gives as much in 1 of 500 groups. With some 15 groups on a page, a 95 % rule would be wrong
in every other report."""


class EditionFigures(Struct, frozen=True):
    """The figures of an edition, by measure and row."""

    summary: Summary

    def measure(self, code: str) -> Measure | None:
        return next((measure for measure in self.summary.measures if measure.code == code), None)

    def rows(self, code: str) -> tuple[FigureRow, ...]:
        measure = self.measure(code)
        return measure.rows if measure and isinstance(measure.rows, tuple) else ()

    def row(self, code: str, name: str, column: str | None = None) -> FigureRow | None:
        return next((row for row in self.rows(code) if row.code == name and row.column == column), None)

    def count(self, code: str, name: str, column: str | None = None) -> int:
        row = self.row(code, name, column)
        return int(row.value) if row and row.value is not None else 0

    def value(self, code: str) -> int | float | None:
        measure = self.measure(code)
        return None if measure is None or measure.value is UNSET else measure.value


def line_of(code: str, row: str = "", column: str | None = None) -> str:
    """The name of a line of a measure, as in the changes of an edition."""
    return "/".join(part for part in (code, row, column) if part)


def lines_of(report: Report) -> frozenset[str]:
    """The lines of measures that the figures of a report are."""
    lines: set[str] = set()
    for block in report.blocks:
        match block:
            case KeyNumbers() | Tiles():
                lines |= {item.line for item in block.items}
            case Tables():
                cells = (cell for table in block.items for row in table.rows for cell in row)
                lines |= {cell.line for cell in cells if isinstance(cell, TextCell)}
    return frozenset(lines - {""})


def share_said(figure: Measure | FigureRow | None) -> str:
    """ "11 % (95 % interval 8 to 15 %)"; why there is no percentage where it may not be printed."""
    if figure is None or figure.value in (None, UNSET):
        return "no data"
    if figure.percent is None:
        return "no percentage: too few known"
    interval = f" (95 % interval {figure.low:.0f} to {figure.high:.0f} %)" if figure.low is not None else ""
    return f"{figure.percent:.0f} %{interval}"


def missing_said(measure: Measure | None) -> str:
    """How many are not recorded."""
    if measure is None or not measure.missing:
        return "all recorded"
    return f"{measure.missing:,} of {measure.missing + measure.known:,} not recorded"


def report(summary: Summary, months: Sequence[Summary], weeks: Sequence[Summary], zone: ZoneInfo) -> Report:
    """The report of an edition. `months`: the latest editions of up to 24 months that end with the period, oldest
    first; `weeks`: those of the weeks inside it."""
    figures = EditionFigures(summary)
    runs = run_charts(months)
    parts: list[Iterable[AnyBlock]] = [
        _first_page(figures, runs, months),
        _changed(runs),
        _used(figures),
        _considered(figures),
        _fair(figures),
        _where(figures, weeks),
        _ended(figures),
        _record(figures),
        _definitions(figures),
        _edition(summary),
    ]
    return Report(
        title=f"{summary.kind.capitalize()} report",
        period=period_said(
            summary.starts_at.astimezone(zone).date(), summary.ends_at.astimezone(zone).date() - timedelta(days=1)
        ),
        about=_about(summary, zone),
        footer=FOOTER,
        blocks=tuple(block for part in parts for block in part),
    )


def period_said(first: date, last: date) -> str:
    """July to September 2026; October 2026. By the first and last day."""
    if (first.year, first.month) == (last.year, last.month):
        return first.strftime("%B %Y")
    start = first.strftime("%B" if first.year == last.year else "%B %Y")
    return f"{start} to {last.strftime('%B %Y')}"


def _about(summary: Summary, zone: ZoneInfo) -> str:
    published = summary.published_at.astimezone(zone).strftime("%-d %B %Y") if summary.published_at else "not yet"
    as_at = summary.as_at.astimezone(zone).strftime("%-d %B %Y, %H:%M") if summary.as_at else "–"
    notes = " ".join(summary.notes)
    said = f"Edition {summary.edition}, published {published}. As at {as_at}. Internal form: exact figures."
    return f"{said} {notes}".strip()


# --- the first page ---


def _first_page(figures: EditionFigures, runs: Sequence[ChartItem], months: Sequence[Summary]) -> Iterator[AnyBlock]:
    coverage = _coverage(figures.summary, months)
    if coverage:
        yield Callout(strong="Not all of the period is covered.", text=coverage)
    yield Heading(text=f"The {_noun(figures.summary.kind)} in five numbers", anchor="five")
    yield KeyNumbers(items=tuple(_five(figures, runs)))
    if runs:
        yield Charts(items=tuple(runs[:2]), legend=legend_of(runs))
    yield Callout(strong="What this report cannot show.", text=CANNOT)


def _noun(kind: str) -> str:
    return {"monthly": "month", "quarterly": "quarter", "yearly": "year"}[kind]


def _five(figures: EditionFigures, runs: Sequence[ChartItem]) -> Iterator[KeyNumber]:
    incidents, used = figures.value("incidents"), figures.row("powers_used", "s136")
    yield KeyNumber(
        number="–" if incidents is None else f"{incidents:,}",
        unit="incidents attended",
        says=runs[0].said if runs else "",
        sure="Complete: every incident the service logged. Not every mental health incident in the county.",
        line="incidents",
    )
    yield KeyNumber(
        number=_number(used),
        unit=f"uses of Section 136, of {used.of:,}" if used and used.of is not None else "uses of Section 136",
        says=f"{share_said(used).capitalize()} of incidents whose outcome is known.",
        sure=f"{missing_said(figures.measure('powers_used')).capitalize()}.",
        line=line_of("powers_used", "s136"),
    )
    yield _considered_number(figures)
    place = figures.measure("s136_by_place")
    children = figures.count("under_18s", "police_station")
    by_age = f" {children or 'None'} of them under 18." if figures.measure("under_18s") else ""
    yield KeyNumber(
        number=str(figures.count("s136_by_place", "police_station")) if place else "–",
        unit=f"first taken to a police station, of {place.known if place else 0:,}",
        says=(
            f"{figures.count('s136_by_place', 'health_based')} to a health-based place of safety, "
            f"{figures.count('s136_by_place', 'emergency_department')} to an emergency department."
        ),
        sure=f"{missing_said(place).capitalize()}.{by_age}",
        line=line_of("s136_by_place", "police_station"),
    )
    handover = figures.measure("handover_within_target")
    yield KeyNumber(
        number=str(handover.value) if handover and handover.value is not UNSET else "–",
        unit=f"handed over within 60 minutes, of {handover.known if handover else 0:,}",
        says=f"{share_said(handover).capitalize()}. Each stay, from arrival at the site to the end of the handover.",
        sure=f"{missing_said(handover).capitalize()}." if handover else "Not measured for this period.",
        line="handover_within_target",
    )


def _considered_number(figures: EditionFigures) -> KeyNumber:
    code = "considered_attended" if figures.measure("considered_attended") else "considered_by_grade"
    a, b = (figures.count(code, letter) for letter in "AB")
    checked = [figures.count("window_checked", "checked", letter) for letter in "AB"]
    measure = figures.measure(code)
    used = figures.count(code, "used")
    looked = (
        f"The next 24 hours were checked for {checked[0]} of {a} and {checked[1]} of {b}. "
        if figures.measure("window_checked")
        else ""
    )
    return KeyNumber(
        number=f"{a} + {b}",
        unit="considered and not used: grade A, grade B",
        says=(
            f"Of {measure.known if measure else 0} in which an officer recorded, in time and with confidence, that "
            f"Section 136 was in mind, {used} were detained. Grade A is corroborated by a nurse; grade B is recorded "
            "at the time. The two are not added up."
        ),
        sure=f"{looked}It does not show that a detention was prevented.",
        line="",
    )


def _number(row: FigureRow | None) -> str:
    return "–" if row is None or row.value is None else f"{row.value:,}"


def _coverage(summary: Summary, months: Sequence[Summary]) -> str:
    """Which part of the period has no data: said on the first page, where it is so."""
    said = []
    if is_partial(summary) and summary.covered_from and summary.covered_to:
        said.append(f"The log covers {summary.covered_from:%-d %B %Y} to {summary.covered_to:%-d %B %Y} of it.")
    gaps = [month.period for month in months if EditionFigures(month).value("incidents") is None]
    if gaps:
        said.append(f"No data for {', '.join(gaps)}: a gap in the charts, not a zero.")
    return " ".join(said)


# --- run charts ---


class _Run(Struct, frozen=True, kw_only=True):
    """A series over the months: a count, or a share."""

    name: str
    title: str
    what: str
    figure: Callable[[EditionFigures], Measure | FigureRow | None]
    share: bool = False


RUNS: Final = (
    _Run(
        name="incidents",
        title="Incidents attended, by month",
        what="the number of incidents",
        figure=lambda f: f.measure("incidents"),
    ),
    _Run(
        name="s136",
        title="Section 136 used, by month",
        what="the use of Section 136",
        figure=lambda f: f.row("powers_used", "s136"),
    ),
    _Run(
        name="a",
        title="Considered and not used, grade A",
        what="grade A",
        figure=lambda f: f.row("considered_by_grade", "A"),
    ),
    _Run(
        name="b",
        title="Considered and not used, grade B",
        what="grade B",
        figure=lambda f: f.row("considered_by_grade", "B"),
    ),
    _Run(
        name="handover",
        title="Handed over within 60 minutes",
        what="the handover",
        figure=lambda f: f.measure("handover_within_target"),
        share=True,
    ),
    _Run(
        name="ed",
        title="First taken to an emergency department",
        what="the share taken to an emergency department",
        figure=lambda f: f.measure("ed_share"),
        share=True,
    ),
    _Run(
        name="consulted",
        title="Consulted before Section 136",
        what="consultation",
        figure=lambda f: f.measure("consultation_rate"),
        share=True,
    ),
    _Run(name="complete", title="Fields answered", what="completeness", figure=lambda f: _completeness(f), share=True),
)


def _completeness(figures: EditionFigures) -> Measure | None:
    measure = figures.measure("completeness_by_field")
    if measure is None or not measure.known + measure.missing:
        return None
    every = measure.known + measure.missing
    return Measure(
        code=measure.code,
        label=measure.label,
        kind="flow",
        known=every,
        missing=0,
        value=measure.known,
        percent=round(100 * measure.known / every, 1),
    )


def run_charts(months: Sequence[Summary]) -> list[ChartItem]:
    """The series of a report over these months, as far as any has a figure."""
    if not months:
        return []
    items = []
    for run in RUNS:
        points = [_point(run, month) for month in months]
        if all(point.value is None for point in points):
            continue
        chart = spc.p(points) if run.share else spc.xmr(points)
        said = spc.reading(chart, run.what, " %" if run.share else "")
        items.append(ChartItem(name=run.name, title=run.title, said=said, chart=chart, unit="%" if run.share else ""))
    return items


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


def _point(run: _Run, month: Summary) -> SeriesPoint:
    label = datetime.strptime(month.period, "%Y-%m").strftime("%b %y")  # noqa: DTZ007 - a name, no instant
    figure = run.figure(EditionFigures(month))
    partial = is_partial(month)
    if figure is None or figure.value in (None, UNSET):
        return SeriesPoint(label, None, None, partial)
    if not run.share:
        return SeriesPoint(label, float(figure.value or 0), None, partial)
    of = figure.known if isinstance(figure, Measure) else figure.of
    value = round(100 * float(figure.value or 0) / of, 1) if of else None
    return SeriesPoint(label, value, of, partial)


def is_partial(summary: Summary) -> bool:
    """Whether the log does not cover the whole period."""
    late_start = summary.covered_from is not None and summary.covered_from > summary.starts_at.date()
    last_day = (summary.ends_at - timedelta(days=1)).date()
    return late_start or (summary.covered_to is not None and summary.covered_to < last_day)


def _changed(runs: Sequence[ChartItem]) -> Iterator[AnyBlock]:
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


# --- Section 136 ---

FOLLOWED: Final = (
    ("admitted", "Admitted, informally or detained"),
    ("conversion", "Became section 2 or 3 within two days"),
    ("extension_rate", "Extended beyond 24 hours"),
    ("follow_up_offered", "Not admitted: follow-up offered"),
    ("s136_again", "Not admitted: Section 136 again in 28 days"),
    ("handover_within_target", "Handed over within 60 minutes, each stay"),
    ("consultation_rate", "Consulted before Section 136"),
)


def _used(figures: EditionFigures) -> Iterator[AnyBlock]:
    yield Heading(text=f"When Section 136 was used: {figures.count('powers_used', 's136')}", anchor="s136")
    tables = [
        counted(figures, "s136_by_place", "First place of safety", "Place"),
        counted(figures, "s136_by_transport", "How the person was taken", "Transport"),
        counted(figures, "ed_reasons", "Why an emergency department", "Reason"),
    ]
    yield Tables(across=2, items=tuple(table for table in tables if table))
    yield Tables(across=1, items=(_followed(figures),))


def _followed(figures: EditionFigures) -> TableBlock:
    rows: list[tuple[Cell, ...]] = []
    for code, name in FOLLOWED:
        measure = figures.measure(code)
        if measure and measure.value is not UNSET:
            of = TextCell(f"{measure.value} of {measure.known}", code)
            rows.append((TextCell(name), of, TextCell(share_said(measure))))
    half, most = (figures.row("time_to_assessment", name) for name in ("median", "p90"))
    if half and half.value is not None:
        nine = f"; 9 in 10 within {most.value:g}" if most and most.value is not None else ""
        rows.append((TextCell("Arrival to assessment, hours"), TextCell(f"{half.value:g}"), TextCell(f"median{nine}")))
    return TableBlock(caption="What followed", head=("What", "Number", "Share"), rows=tuple(rows), right=(1,))


def counted(figures: EditionFigures, code: str, caption: str, noun: str, few: int = 0) -> TableBlock | None:
    """A measure that counts answers, the most frequent first; those below `few` stand together at the foot."""
    measure = figures.measure(code)
    rows = sorted((row for row in figures.rows(code) if row.value), key=lambda row: -(row.value or 0))
    if measure is None or not rows:
        return None
    most = float(rows[0].value or 1)
    shown = [row for row in rows if (row.value or 0) >= few]
    rest = [row for row in rows if (row.value or 0) < few]
    known = f"{measure.known:,} known" + (f", {measure.missing:,} not recorded" if measure.missing else "")
    return TableBlock(
        caption=caption,
        known=known,
        head=(noun, "", "Number", "Share"),
        rows=tuple(
            (
                TextCell(sentence(row.label)),
                BarCell(float(row.value or 0), most),
                TextCell(_number(row), line_of(code, row.code, row.column)),
                TextCell("–" if row.percent is None else f"{row.percent:.0f} %"),
            )
            for row in shown
        ),
        right=(2, 3),
        rest="; ".join(f"{sentence(row.label)}: {row.value}" for row in rest),
    )


def sentence(label: str) -> str:
    """A label as a line of its own begins."""
    written_out = f"Section 136 {label.removeprefix('s136 ')}" if label.startswith("s136 ") else label
    return written_out[:1].upper() + written_out[1:]


def _considered(figures: EditionFigures) -> Iterator[AnyBlock]:
    code = "considered_attended" if figures.measure("considered_attended") else "considered_by_grade"
    measure = figures.measure(code)
    if measure is None:
        return
    yield Heading(text=f"When it was considered: {measure.known}", anchor="considered")
    yield Paragraph(
        text="Incidents attended in which an officer recorded, before anybody was consulted and with at least "
        "“probably”, that Section 136 was in mind."
        if code == "considered_attended"
        else "Incidents in which an officer recorded that Section 136 was in mind."
    )
    yield Tables(across=1, items=(_outcomes_of_intent(figures, code),))
    yield Paragraph(text=_checks(figures), small=True)
    custody = counted(figures, "custody_by_grade", "Arrest and custody in question", "Result")
    if custody:
        yield Tables(across=1, items=(custody,))


def _outcomes_of_intent(figures: EditionFigures, code: str) -> TableBlock:
    rows = [row for row in figures.rows(code) if row.value]
    most = max([float(row.value or 0) for row in rows], default=1)
    return TableBlock(
        caption="What became of it",
        head=("Result", "", "Number", "Share (95 % interval)"),
        rows=tuple(
            (
                TextCell(sentence(row.label)),
                BarCell(float(row.value or 0), most),
                TextCell(_number(row), line_of(code, row.code, row.column)),
                TextCell(share_said(row) if row.percent is not None else "–"),
            )
            for row in rows
        ),
        right=(2, 3),
    )


def _checks(figures: EditionFigures) -> str:
    said = []
    if figures.measure("window_checked"):
        parts = [
            f"grade {letter} {figures.count('window_checked', 'checked', letter)} of "
            f"{figures.count('considered_attended', letter)}"
            for letter in "AB"
        ]
        said.append(f"Checked in the 24 hours after: {', '.join(parts)}.")
        said.append("Not checked means that nobody looked, not that nothing happened.")
    agree = figures.row("second_judge", "agreement")
    if agree and agree.of:
        said.append(f"Nurse and officer agree, judged apart: {agree.value} of {agree.of}.")
    return " ".join(said) or "Grades as defined at the end."


# --- equality ---

EQUALITY: Final = (("equality_ethnicity", "Ethnic group"), ("equality_sex", "Sex"), ("equality_age", "Age"))


def _fair(figures: EditionFigures) -> Iterator[AnyBlock]:
    tables = tuple(table for code, title in EQUALITY if (table := _equality(figures, code, title)))
    if tables:
        yield Heading(text="Is it fair? Section 136 by group, 12 months", anchor="fair")
        yield Paragraph(text="The share of each group’s incidents in which Section 136 was used.")
        yield Tables(across=1, items=tables)
        yield Paragraph(text=FAIRNESS, small=True)


def _equality(figures: EditionFigures, code: str, title: str) -> TableBlock | None:
    measure = figures.measure(code)
    groups: dict[str, dict[str, FigureRow]] = {}
    for row in figures.rows(code):
        groups.setdefault(row.code, {})[row.column or ""] = row
    shown = [group for group in groups.values() if group["incidents"].value]
    if measure is None or not shown:
        return None
    used = sum(int(group["s136_used"].value or 0) for group in shown)
    known = sum(int(group["incidents"].value or 0) for group in shown)
    mean = 100 * used / known if known else None
    most = ceiling(max([group["s136_used"].high or 0 for group in shown] + [10]))
    return TableBlock(
        caption=title,
        known=f"{measure.missing:,} of {measure.missing + measure.known:,} not recorded",
        head=("Group", "Incidents", "Used", f"0 to {most} %", "Share"),
        rows=tuple(_group(code, group, used, known, most, mean) for group in shown),
        right=(1, 2, 4),
    )


def _group(
    code: str, group: Mapping[str, FigureRow], used: int, known: int, most: int, mean: float | None
) -> tuple[Cell, ...]:
    incidents, row = group["incidents"], group["s136_used"]
    x, n = int(row.value or 0), int(row.of or incidents.value or 0)
    apart = row.low is not None and is_apart(x, n, used - x, known - n)
    cell: Cell = (
        IntervalCell(row.low, row.percent, row.high, most, mean)
        if row.low is not None and row.high is not None and row.percent is not None
        else TextCell("too few")
    )
    return (
        TextCell(row.label + (" (apart)" if apart else "")),
        TextCell(_number(incidents), line_of(code, incidents.code, incidents.column)),
        TextCell(_number(row), line_of(code, row.code, row.column)),
        cell,
        TextCell("–" if row.percent is None else f"{row.percent:.0f} %"),
    )


def is_apart(x: int, n: int, others: int, of: int) -> bool:
    """Whether x of n differs from the rest, others of `of`, by more than chance gives in 1 of 500 groups."""
    if not n or not of:
        return False
    both = (x + others) / (n + of)
    error = sqrt(both * (1 - both) * (1 / n + 1 / of))
    return error > 0 and abs(x / n - others / of) > APART_AT * error


# --- where, how it ended, how good the record is ---


def _where(figures: EditionFigures, weeks: Sequence[Summary]) -> Iterator[AnyBlock]:
    authority = figures.measure("incidents_by_local_authority")
    areas = figures.rows("incidents_by_area")
    if authority is None and not areas:
        return
    missing = missing_said(figures.measure("incidents_by_area") or authority)
    yield Heading(text="Where", anchor="where")
    if areas:
        with_weeks = ", with the weeks of the period as a line" if weeks else ""
        yield Paragraph(text=f"Incidents in each reporting area{with_weeks}; {missing}.")
        yield Tiles(items=tuple(_tiles(areas, weeks)))
    tables = [
        counted(figures, "incidents_by_local_authority", "Local authority", "Authority"),
        _rates(figures),
    ]
    yield Tables(across=2, items=tuple(table for table in tables if table))


def _tiles(rows: Sequence[FigureRow], weeks: Sequence[Summary]) -> Iterator[Tile]:
    most = max([int(row.value or 0) for row in rows] + [1])
    for row in rows:
        total = int(row.value or 0)
        yield Tile(
            label=short_label("area", row.code, row.label),
            total=total,
            shade=2 if total > most * 2 / 3 else 1 if total > most / 3 else 0,
            weeks=tuple(EditionFigures(week).count("incidents_by_area", row.code) for week in weeks),
            line=line_of("incidents_by_area", row.code),
        )


def short_label(list_name: str, code: str, label: str) -> str:
    """The short label of a code; its own label where the list has none."""
    listed = codes.list(list_name)
    return getattr(listed[code], "short", None) or label if code in listed else label


def _rates(figures: EditionFigures) -> TableBlock | None:
    rows = [row for row in figures.rows("s136_per_100_000") if row.value is not None]
    if not rows:
        return None
    return TableBlock(
        caption="Section 136 per 100,000 residents",
        head=("Authority", "Rate"),
        rows=tuple((TextCell(row.label), TextCell(f"{row.value:g}")) for row in rows),
        right=(1,),
        note="Not comparable with Home Office figures where only this service’s own incidents are counted.",
    )


ENDED: Final = (
    ("Section 136 or 135", "a", ("s136_removed", "s136_kept", "s135_removed", "s135_kept")),
    (
        "Arrest or another power",
        "f",
        ("arrest_custody", "arrest_street_bail", "police_protection_s46", "returned_under_act", "ed_capacity_act"),
    ),
    ("Hospital, voluntarily", "b", ("ed_voluntary", "mh_unit_voluntary")),
    ("Left, missing or died", "e", ("left_before_assessment", "missing_after_contact", "deceased")),
    ("Nobody seen", "d", ("stood_down", "not_attended")),
)
OTHERWISE: Final = ("Community, home, no need", "c")


def _ended(figures: EditionFigures) -> Iterator[AnyBlock]:
    rows = figures.rows("outcomes")
    if not rows:
        return
    group_of = {code: (label, fill) for label, fill, members in ENDED for code in members}
    totals = {(label, fill): 0 for label, fill, _ in ENDED} | {OTHERWISE: 0}
    for row in rows:
        totals[group_of.get(row.code, OTHERWISE)] += int(row.value or 0)
    yield Heading(text="How incidents ended", anchor="ended")
    yield Stack(items=tuple(StackPart(label, value, fill) for (label, fill), value in totals.items() if value))
    tables = [counted(figures, "outcomes", "Each outcome", "Outcome", FEW), _other(figures)]
    yield Tables(across=2, items=tuple(table for table in tables if table))


OTHER: Final = (
    ("ed_avoided", "", "Emergency department planned and not needed"),
    ("follow_up", "", "Follow-up due and done"),
    ("under_18s", "under_18", "Under 18"),
    ("under_18s", "detained", "Under 18 and detained"),
    ("repeat_contact", "days_28", "Another incident within 28 days, of linked people"),
)


def _other(figures: EditionFigures) -> TableBlock | None:
    rows: list[tuple[Cell, ...]] = []
    for code, name, label in OTHER:
        measure = figures.measure(code)
        figure: Measure | FigureRow | None = figures.row(code, name) if name else measure
        if measure is None or figure is None or figure.value in (None, UNSET):
            continue
        of = measure.known if isinstance(figure, Measure) or figure.of is None else figure.of
        rows.append(
            (TextCell(label), TextCell(f"{figure.value} of {of}", line_of(code, name)), TextCell(share_said(figure)))
        )
    for row in figures.rows("hours_on_scene"):
        if row.value is not None and row.column != "median":
            half = figures.row("hours_on_scene", row.code, "median")
            middle = f"median {half.value:g} an incident" if half and half.value is not None else ""
            rows.append((TextCell(f"Hours on scene: {row.label}"), TextCell(f"{row.value:g}"), TextCell(middle)))
    return TableBlock(caption="Other", head=("What", "Number", "Share"), rows=tuple(rows), right=(1,)) if rows else None


def _record(figures: EditionFigures) -> Iterator[AnyBlock]:
    fields = counted(figures, "completeness_by_field", "Fields answered", "Field")
    checks = tuple(
        (
            TextCell(row.label),
            TextCell(_number(row) + (f" of {row.of:,}" if row.of else "")),
        )
        for row in figures.rows("data_quality")
    )
    quality = TableBlock(caption="Checks", head=("Check", "Number"), rows=checks, right=(1,)) if checks else None
    tables = tuple(table for table in (fields, quality) if table)
    if tables:
        yield Heading(text="How good the record is", anchor="record")
        yield Tables(across=2, items=tables)


def _definitions(figures: EditionFigures) -> Iterator[AnyBlock]:
    yield Heading(text="How it is counted", anchor="how")
    yield Definitions(items=TERMS)
    by_caveat: dict[str, list[str]] = {}
    for measure in figures.summary.measures:
        if measure.caveat:
            by_caveat.setdefault(measure.caveat, []).append(measure.label)
    if by_caveat:
        caveats = tuple(f"{'; '.join(labels)}: {caveat}" for caveat, labels in by_caveat.items())
        yield Lines(items=caveats, summary="What each figure cannot say")


def _edition(summary: Summary) -> Iterator[AnyBlock]:
    yield Heading(text="About this edition", anchor="changes")
    if summary.previous:
        yield Lines(items=changes_said(summary), summary=changes_summary(summary))
    else:
        yield Paragraph(
            text="The first edition: nothing to compare with. A later change would be a new, numbered edition with its "
            "differences here."
        )
    chain = (summary.chain_head or "")[:16]
    yield Paragraph(
        text=f"Position {summary.as_at_seq} in the log, chain {chain}…, rules {summary.rules}, measures "
        f"{summary.measures_version}, code lists {summary.codes_version}. The same figures can be computed again from "
        "these.",
        small=True,
    )


def changes_summary(summary: Summary) -> str:
    """How many figures an edition changed; empty for a first one."""
    count = len(summary.changes)
    figures = "figure" if count == 1 else "figures"
    return f"{count} {figures} changed since edition {summary.previous}" if summary.previous else ""


def changes_said(summary: Summary) -> tuple[str, ...]:
    """The changes of an edition against the one before it, a sentence a figure."""
    return tuple(_change_said(change) for change in summary.changes)


def _change_said(change: Difference) -> str:
    part = "" if change.part == "value" else f" ({change.part})"
    why = ", as time passed" if change.why == "time" else ""
    return f"{change.label}{part}: {_value(change.old)} became {_value(change.new)}{why}"


def _value(value: int | float | None) -> str:
    return "no data" if value is None else f"{value:g}"


def no_data(summary: Summary, zone: ZoneInfo) -> Report:
    """The report of a period whose run failed."""
    return Report(
        title=f"{summary.kind.capitalize()} summary",
        period=summary.period,
        about="Nothing is published.",
        footer=FOOTER,
        blocks=tuple(Paragraph(text=note) for note in summary.notes),
    )
