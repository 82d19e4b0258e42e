"""The board report of a month, quarter or year in its internal form, from published editions alone."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triage.report.blocks import (
    AnyBlock,
    Definitions,
    Heading,
    KeyNumbers,
    Lines,
    Paragraph,
    Report,
    Tables,
    TextCell,
    Tiles,
)
from triage.report.edition_figures import EditionFigures, changes_said, changes_summary, period_said
from triage.report.equality import by_group
from triage.report.first_page import first_page
from triage.report.outcomes import how_they_ended, record_quality, where
from triage.report.power_use import power_considered, power_used
from triage.report.run_charts import changes_over_months, run_charts
from triage.summaries.editions import Summary

FOOTER: Final = "Street Triage Log. Contains small numbers: for the team and its scrutiny only."
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


def report(summary: Summary, months: Sequence[Summary], weeks: Sequence[Summary], zone: ZoneInfo) -> Report:
    """The report of an edition. `months`: the latest editions of up to 24 months that end with the period, oldest
    first; `weeks`: those of the weeks inside it."""
    figures = EditionFigures(summary)
    runs = run_charts(months)
    parts: list[Iterable[AnyBlock]] = [
        first_page(figures, runs, months),
        changes_over_months(runs),
        power_used(figures),
        power_considered(figures),
        by_group(figures),
        where(figures, weeks),
        how_they_ended(figures),
        record_quality(figures),
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


def _about(summary: Summary, zone: ZoneInfo) -> str:
    published = summary.published_at.astimezone(zone).strftime("%-d %B %Y") if summary.published_at else "not yet"
    as_at = summary.as_at.astimezone(zone).strftime("%-d %B %Y, %H:%M") if summary.as_at else "–"
    notes = " ".join(summary.notes)
    said = f"Edition {summary.edition}, published {published}. As at {as_at}. Internal form: exact figures."
    return f"{said} {notes}".strip()


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


def no_data(summary: Summary) -> Report:
    """The report of a period whose run failed."""
    return Report(
        title=f"{summary.kind.capitalize()} summary",
        period=summary.period,
        about="Nothing is published.",
        footer=FOOTER,
        blocks=tuple(Paragraph(text=note) for note in summary.notes),
    )
