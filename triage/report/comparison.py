"""The report that lays two spans of months side by side."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from triage import codes
from triage.report.blocks import (
    AnyBlock,
    Callout,
    Charts,
    Heading,
    KeyNumber,
    KeyNumbers,
    Lines,
    Paragraph,
    Report,
    TableBlock,
    Tables,
    TextCell,
)
from triage.report.board import FOOTER
from triage.report.edition_figures import sentence
from triage.report.run_charts import legend_of, run_charts
from triage.summaries.comparison import ComparedLine, ComparedValue, Comparison, CoveredSpan
from triage.summaries.daily import GRADES, POWERS
from triage.summaries.editions import Summary

HEADLINES: Final = (
    "incidents",
    "powers_used",
    "considered_attended",
    "s136_by_place",
    "handover_within_target",
)
NOT_COMPARED: Final = "Not compared: too few are known, too many are not recorded, or a span is not covered whole."
MAY_BE_CHANCE: Final = "“No change” lies inside the interval: chance alone may do as much."
MORE_THAN_CHANCE: Final = "“No change” lies outside the interval: more than chance, which is not to say why."


def report(compared: Comparison, months: Sequence[Summary], zone: ZoneInfo) -> Report:
    """Both spans, what a reader asks for first at the head, caveats before any figure.

    `months`: the latest editions of the months from the start of the earlier span to the end of the later.
    """
    as_at = compared.as_at.astimezone(zone).strftime("%-d %B %Y, %H:%M")
    return Report(
        title="Two spans compared",
        period=f"{span_said(compared.first)}, and {span_said(compared.second)}",
        about=f"As at {as_at}, position {compared.as_at_seq} in the log, rules {compared.rules}, code lists "
        f"{compared.codes_version}.",
        footer=FOOTER,
        blocks=tuple(_blocks(compared, months)),
    )


def _blocks(compared: Comparison, months: Sequence[Summary]) -> Iterator[AnyBlock]:
    yield Callout(strong="A comparison of before and after cannot show why.", text=compared.caveats[0])
    for note in compared.notes:
        yield Callout(strong="Not alike.", text=note)
    yield Heading(text="Headlines", anchor="headlines")
    yield KeyNumbers(items=tuple(_key_numbers(compared)))
    runs = run_charts(months)[:2]
    if runs:
        yield Charts(items=tuple(runs), legend=legend_of(runs))
    yield Heading(text="What the comparison cannot show", anchor="caveats")
    yield Lines(items=tuple(compared.caveats[1:]))
    yield Heading(text="The headlines, line by line", anchor="lines")
    yield Paragraph(
        text="Shares differ in percentage points, with the 95 % interval of the difference (Newcombe’s method 10), "
        "where both spans may print a percentage; counts and rates as so many times.",
        small=True,
    )
    tables = [
        (measure, _table(compared, label, caveat, list(lines)))
        for (measure, label, caveat), lines in groupby(
            compared.lines, lambda line: (line.measure, line.label, line.caveat)
        )
    ]
    yield Tables(across=1, items=tuple(table for measure, table in tables if measure in HEADLINES))
    others = tuple(table for measure, table in tables if measure not in HEADLINES)
    if others:
        yield Heading(text="Every other measure", anchor="measures")
        yield Tables(across=1, items=others, summary=f"{len(others)} measures")


def span_said(span: CoveredSpan) -> str:
    """Oct 2025 to Mar 2026."""
    last = span.ends - timedelta(days=1)
    if (span.starts.year, span.starts.month) == (last.year, last.month):
        return f"{span.starts:%b %Y}"
    return f"{span.starts:%b %Y} to {last:%b %Y}"


def _key_numbers(compared: Comparison) -> Iterator[KeyNumber]:
    """The lines that the first page of a board report has too; grades A and B are never added up."""
    station = codes.list("place_of_safety")["police_station"].label
    wanted = (
        ("incidents", "", "incidents attended"),
        ("powers_used", POWERS["s136"], "uses of Section 136"),
        ("considered_attended", GRADES["A"], "considered and not used, grade A"),
        ("considered_attended", GRADES["B"], "considered and not used, grade B"),
        ("s136_by_place", station, "first taken to a police station"),
        ("handover_within_target", "", "handed over within 60 minutes"),
    )
    for measure, row, unit in wanted:
        line = next((line for line in compared.lines if line.measure == measure and row in ("", line.row)), None)
        if line:
            yield KeyNumber(
                number=f"{_number(line.first)} → {_number(line.second)}",
                unit=unit + _of(line),
                says=_says(line),
                sure=_sure(line),
            )


def _number(value: ComparedValue) -> str:
    if value.value is None:
        return "–"
    return f"{value.value:,}" if isinstance(value.value, int) else f"{value.value:g}"


def _of(line: ComparedLine) -> str:
    first, second = line.first, line.second
    if first.percent is None or second.percent is None or first.of is None or second.of is None:
        return ""
    return f", of {first.of:,} and {second.of:,}"


def _says(line: ComparedLine) -> str:
    shares = (
        f"{line.first.percent:.0f} % and {line.second.percent:.0f} %"
        if line.first.percent is not None and line.second.percent is not None
        else ""
    )
    if line.difference is None:
        return f"{shares}." if shares else "No difference is printed."
    difference = _difference(line).replace(" (", " (95 % interval ", 1)
    return f"{shares}: {difference}." if shares else f"{difference}."


def _sure(line: ComparedLine) -> str:
    if line.difference is None or line.low is None:
        return NOT_COMPARED
    unchanged = 1 if line.unit == "ratio" else 0
    holds_no_change = line.low <= unchanged and (line.high is None or line.high >= unchanged)
    return MAY_BE_CHANCE if holds_no_change else MORE_THAN_CHANCE


def _table(compared: Comparison, label: str, caveat: str, lines: Sequence[ComparedLine]) -> TableBlock:
    some = [line for line in lines if line.first.value or line.second.value] or lines
    none = [_row(line) for line in lines if line not in some]
    return TableBlock(
        caption=label,
        head=("Line", span_said(compared.first), span_said(compared.second), "Difference (95 % interval)"),
        rows=tuple(
            (
                TextCell(_row(line)),
                TextCell(_said(line.first)),
                TextCell(_said(line.second)),
                TextCell(_difference(line)),
            )
            for line in some
        ),
        rest=f"None in either span: {'; '.join(none)}" if none else "",
        note=caveat,
    )


def _row(line: ComparedLine) -> str:
    name = f"{line.row}, {line.column.replace('_', ' ')}" if line.column else line.row
    return sentence(name)


def _said(value: ComparedValue) -> str:
    if value.value is None:
        return "no data"
    of = f" of {value.of:,}" if value.of and value.of != value.value else ""
    return f"{_number(value)}{of}" + (f" ({value.percent:.0f} %)" if value.percent is not None else "")


def _difference(line: ComparedLine) -> str:
    """ "−2.2 points (−5.4 to +1)"; "1.00 times (0.89 to 1.09)"."""
    if line.difference is None:
        return "–"
    if line.unit == "ratio":
        upper = "no upper limit" if line.high is None else f"{line.high:.2f}"
        return f"{line.difference:.2f} times ({line.low:.2f} to {upper})"
    points = " points" if line.unit == "percentage_points" else ""
    interval = (
        f" ({_signed(line.low)} to {_signed(line.high)})" if line.low is not None and line.high is not None else ""
    )
    return f"{_signed(line.difference)}{points}{interval}"


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"
