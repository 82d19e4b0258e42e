"""The board report: words and figures that exist once, for the page and for a PDF of the same bytes each time."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from triage.report import board, comparison, equality, pdf, sheets
from triage.report.blocks import (
    AnyBlock,
    Callout,
    Charts,
    Definitions,
    Heading,
    IntervalCell,
    KeyNumbers,
    Lines,
    Paragraph,
    Report,
    Stack,
    TableBlock,
    Tables,
    TextCell,
    Tiles,
)
from triage.summaries.comparison import ComparedLine, ComparedValue, Comparison, CoveredSpan
from triage.summaries.editions import Difference, Summary
from triage.summaries.figures import FigureRow, Measure, row
from triage.times import PeriodKind

LONDON = ZoneInfo("Europe/London")
START = datetime(2026, 7, 1, 5, tzinfo=UTC)


def measure(code: str, *rows: FigureRow, known: int = 100, missing: int = 4, value: int | None = None) -> Measure:
    counted = msgspec.UNSET if rows else value
    return Measure(
        code=code, label=code, kind="flow", known=known, missing=missing, value=counted, rows=rows or msgspec.UNSET
    )


def summary(kind: PeriodKind, period: str, *measures: Measure, starts: datetime = START, days: int = 92) -> Summary:
    return Summary(
        kind=kind,
        form="internal",
        period=period,
        starts_at=starts,
        ends_at=starts + timedelta(days=days),
        covered_from=starts.date(),
        covered_to=(starts + timedelta(days=days - 1)).date(),
        due_at=starts,
        edition=2,
        published_at=starts + timedelta(days=days + 1),
        late=False,
        as_at_seq=77,
        as_at=starts + timedelta(days=days + 1),
        chain_head="ab" * 32,
        measures=measures,
        previous=1,
        changes=(Difference(line="incidents", label="Incidents", part="value", old=355, new=356, why="entries"),),
    )


def months() -> list[Summary]:
    drawn = []
    for n in range(14):
        starts = START - timedelta(days=31 * (14 - n))
        drawn.append(
            summary(
                "monthly",
                f"{2025 + (n + 6) // 12}-{(n + 6) % 12 + 1:02}",
                measure("incidents", value=110 + n % 5),
                measure("powers_used", row("s136", "Section 136", 11 + n % 3, 100)),
                starts=starts,
                days=31,
            )
        )
    return drawn


QUARTER = summary(
    "quarterly",
    "2026-Q2",
    measure("incidents", value=356),
    measure("powers_used", row("s136", "Section 136", 38, 349)),
    measure("considered_attended", row("A", "grade A", 9, 82), row("B", "grade B", 7, 82), row("used", "used", 25, 82)),
    measure(
        "s136_by_place", row("health_based", "Health-based", 20, 38), row("police_station", "Police station", 6, 38)
    ),
    measure(
        "outcomes",
        row("s136_removed", "Section 136", 38, 349),
        row("signposted", "Signposted", 200, 349),
        row("deceased", "Deceased", 2, 349),
    ),
    measure(
        "equality_age",
        row("11_15", "11 to 15", 38, 1000, column="incidents"),
        row("11_15", "11 to 15", 14, 38, column="s136_used"),
        row("18_34", "18 to 34", 517, 1000, column="incidents"),
        row("18_34", "18 to 34", 53, 517, column="s136_used"),
        row("65_plus", "65 and over", 4, 1000, column="incidents"),
        row("65_plus", "65 and over", 1, 4, column="s136_used"),
    ),
    measure("incidents_by_area", row("luton_north", "Luton: north", 33, 320), row("bedford", "Bedford", 62, 320)),
)
REPORT = board.report(QUARTER, months(), [], LONDON)


def text_of(block: AnyBlock) -> Iterator[str]:
    match block:
        case Heading() | Paragraph():
            yield block.text
        case Callout():
            yield from (block.strong, block.text)
        case KeyNumbers():
            for item in block.items:
                yield from (item.number, item.unit, item.says, item.sure)
        case Charts():
            yield from (said for chart in block.items for said in (chart.title, chart.said))
        case Tables():
            for table in block.items:
                yield from (table.caption, table.known, *table.head, table.rest, table.note)
                yield from (cell.text for row in table.rows for cell in row if isinstance(cell, TextCell))
        case Tiles():
            for tile in block.items:
                yield from (tile.label, str(tile.total))
        case Stack():
            yield from (f"{item.label}: {item.value}" for item in block.items)
        case Definitions():
            yield from (part for item in block.items for part in item)
        case Lines():
            yield from block.items


def words_of(report: Report) -> str:
    return " ".join(text for block in report.blocks for text in text_of(block))


def kinds(report: Report) -> list[str]:
    return [str(block.__struct_config__.tag) for block in report.blocks]


def test_the_first_page_is_five_numbers_with_how_sure_and_two_charts() -> None:
    first = REPORT.blocks[: kinds(REPORT).index("paragraph")]
    numbers = next(block for block in first if isinstance(block, KeyNumbers))
    charts = next(block for block in first if isinstance(block, Charts))
    assert (len(numbers.items), len(charts.items)) == (5, 2)
    assert all(item.sure for item in numbers.items)
    assert "cannot show" in words_of(Report(title="", period="", about="", footer="", blocks=first))


def test_grades_a_and_b_are_never_added_up() -> None:
    said = words_of(REPORT)
    assert "9 + 7" in said and "not added up" in said and "16 of 82" not in said and "prevented”" in said


def test_what_changed_comes_last() -> None:
    headings = [block.text for block in REPORT.blocks if isinstance(block, Heading)]
    assert headings[-1] == "About this edition"
    assert "Incidents: 355 became 356" in words_of(REPORT)


def test_rows_under_six_stand_in_one_line_at_the_foot() -> None:
    [table] = [t for b in REPORT.blocks if isinstance(b, Tables) for t in b.items if t.caption == "Each outcome"]
    assert len(table.rows) == 2 and table.rest == "Deceased: 2"


def test_a_group_is_called_apart_only_where_chance_gives_as_much_in_1_of_500() -> None:
    assert equality.is_apart(14, 38, 53, 517) and not equality.is_apart(6, 38, 53, 517)
    assert not equality.is_apart(1, 0, 5, 10) and not equality.is_apart(0, 10, 0, 90)
    assert "11 to 15 (apart)" in words_of(REPORT)
    [table] = [t for b in REPORT.blocks if isinstance(b, Tables) for t in b.items if t.caption == "Age"]
    assert isinstance(table.rows[0][3], IntervalCell) and table.rows[2][3] == TextCell("too few")


def test_a_month_without_data_is_a_gap_and_said_on_the_first_page() -> None:
    broken = months()
    broken[3] = msgspec.structs.replace(broken[3], measures=())
    report = board.report(QUARTER, broken, [], LONDON)
    callout = report.blocks[0]
    assert isinstance(callout, Callout) and f"No data for {broken[3].period}" in callout.text
    chart = next(block for block in report.blocks if isinstance(block, Charts)).items[0].chart
    assert chart.points[3].point.value is None


def test_a_month_that_the_log_does_not_cover_whole_is_hollow() -> None:
    begun = months()
    begun[0] = msgspec.structs.replace(begun[0], covered_from=(begun[0].starts_at + timedelta(days=10)).date())
    chart = next(b for b in board.report(QUARTER, begun, [], LONDON).blocks if isinstance(b, Charts)).items[0].chart
    assert chart.points[0].point.partial and not chart.points[1].point.partial


def test_a_week_that_the_log_does_not_cover_whole_is_hollow_too() -> None:
    starts = [START + timedelta(weeks=n) for n in range(3)]
    weeks = [summary("weekly", f"2026-W{27 + n}", starts=start, days=7) for n, start in enumerate(starts)]
    weeks[0] = msgspec.structs.replace(weeks[0], covered_from=(starts[0] + timedelta(days=2)).date())
    chart = sheets.week(weeks[-1], weeks, LONDON).runs[0].chart
    assert [judged.point.partial for judged in chart.points] == [True, False, False]


class TestPdf:
    """The tagged PDF of a report."""

    def test_the_same_report_gives_the_same_bytes(self) -> None:
        first, again = (hashlib.sha256(pdf.make(REPORT)).hexdigest() for _ in range(2))
        assert first == again

    def test_it_says_that_it_is_tagged_and_follows_pdf_ua_1(self) -> None:
        made = pdf.make(REPORT)
        assert made.startswith(b"%PDF-") and b"/MarkInfo" in made and b"/StructTreeRoot" in made and b"pdfuaid" in made

    def test_a_picture_without_alternative_text_is_refused_by_the_standard(self) -> None:
        template = pdf.TEMPLATE.read_text()
        assert "alt: c.title" in template

    def test_a_table_in_which_nothing_is_known_is_printed_with_its_head_alone(self) -> None:
        empty = TableBlock(caption="How incidents ended", head=("Outcome", "n", "Share"), rows=())
        report = msgspec.structs.replace(
            REPORT, blocks=(Heading(text="Outcomes", anchor="outcomes"), Tables(across=2, items=(empty, empty)))
        )
        assert pdf.make(report)

    def test_a_comparison_is_a_report_too(self) -> None:
        value = ComparedValue(value=3, of=10, percent=30.0, low=None, high=None, text="3 of 10")
        fields = {"measure": "incidents", "label": "Incidents", "row": "Incidents", "column": None, "caveat": ""}
        line = ComparedLine(first=value, second=value, difference=None, low=None, high=None, unit=None, **fields)  # type: ignore[arg-type]
        day = START.date()
        span = CoveredSpan("2026-03", day, day + timedelta(days=31), day, day + timedelta(days=30))
        compared = Comparison(
            first=span, second=span, as_at_seq=1, as_at=START, rules="DIV-1", codes_version=2, lines=(line,)
        )
        report = comparison.report(compared, (), LONDON)
        assert isinstance(report.blocks[0], Callout) and "3 of 10" in words_of(report)
        assert pdf.make(report)
