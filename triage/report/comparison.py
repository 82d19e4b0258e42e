"""The report that lays two spans of months side by side."""

from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from triage.report.blocks import Callout, Heading, Lines, Paragraph, Report, TableBlock, Tables, TextCell
from triage.report.board import FOOTER
from triage.summaries.comparison import ComparedLine, ComparedValue, Comparison

HEADLINES: Final = (
    "incidents",
    "powers_used",
    "considered_attended",
    "s136_by_place",
    "handover_within_target",
)


def report(compared: Comparison, zone: ZoneInfo) -> Report:
    """Both spans, the measures that a reader asks for first at the head, caveats before any figure."""
    groups = [
        (key, list(lines))
        for key, lines in groupby(compared.lines, lambda line: (line.measure, line.label, line.caveat))
    ]
    first = [group for group in groups if group[0][0] in HEADLINES]
    others = [group for group in groups if group[0][0] not in HEADLINES]
    as_at = compared.as_at.astimezone(zone).strftime("%-d %B %Y, %H:%M")
    return Report(
        title="Two spans compared",
        period=f"{compared.first.name} and {compared.second.name}",
        about=f"As at {as_at}, position {compared.as_at_seq} in the log, rules {compared.rules}, code lists "
        f"{compared.codes_version}.",
        footer=FOOTER,
        blocks=(
            Callout(strong="A comparison of before and after cannot show why.", text=compared.caveats[0]),
            *(Callout(strong="Not alike.", text=note) for note in compared.notes),
            Heading(text="Headlines", anchor="headlines"),
            Tables(across=1, items=tuple(_table(compared, *key, lines) for key, lines in first)),
            Heading(text="What the comparison cannot show", anchor="caveats"),
            Lines(items=tuple(compared.caveats)),
            Heading(text="Every other measure", anchor="measures", page=True),
            Paragraph(
                text="Percentage points with the 95 % interval of the difference (Newcombe’s method 10), where both "
                "spans may print a percentage.",
                small=True,
            ),
            Tables(
                across=1,
                items=tuple(_table(compared, *key, lines) for key, lines in others),
                summary=f"{len(others)} measures",
            ),
        ),
    )


def _table(compared: Comparison, code: str, label: str, caveat: str, lines: list[ComparedLine]) -> TableBlock:
    return TableBlock(
        caption=label,
        head=("Line", compared.first.name, compared.second.name, "Difference"),
        rows=tuple(
            (
                TextCell(f"{line.row}, {line.column.replace('_', ' ')}" if line.column else line.row),
                TextCell(_said(line.first)),
                TextCell(_said(line.second)),
                TextCell(line.difference_text if line.difference is not None else "–"),
            )
            for line in lines
        ),
        note=caveat,
    )


def _said(value: ComparedValue) -> str:
    if value.value is None:
        return "no data"
    number = f"{value.value:,}" if isinstance(value.value, int) else f"{value.value:g}"
    of = f" of {value.of:,}" if value.of and value.of != value.value else ""
    return f"{number}{of}" + (f" ({value.percent:.0f} %)" if value.percent is not None else "")
