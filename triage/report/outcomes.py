"""The parts of a board report on where incidents were, how they ended, and how good the record is."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import UNSET

from triage.report.blocks import (
    AnyBlock,
    Cell,
    Heading,
    Paragraph,
    Stack,
    StackPart,
    TableBlock,
    TextCell,
    Tile,
    Tiles,
)
from triage.report.edition_figures import (
    EditionFigures,
    counted,
    missing_said,
    number_said,
    share_said,
    short_label,
    tables,
)
from triage.summaries.editions import Summary
from triage.summaries.figures import FigureRow, Measure, line_name

FEW: Final = 6
"""Rows with fewer stand together in one line at the foot of the table."""


def where(figures: EditionFigures, weeks: Sequence[Summary]) -> Iterator[AnyBlock]:
    """Incidents by reporting area and local authority."""
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
    yield tables(2, counted(figures, "incidents_by_local_authority", "Local authority", "Authority"), _rates(figures))


def _tiles(rows: Sequence[FigureRow], weeks: Sequence[Summary]) -> Iterator[Tile]:
    most = max([int(row.value or 0) for row in rows] + [1])
    for row in rows:
        total = int(row.value or 0)
        yield Tile(
            label=short_label("area", row.code, row.label),
            total=total,
            shade=2 if total > most * 2 / 3 else 1 if total > most / 3 else 0,
            weeks=tuple(EditionFigures(week).count("incidents_by_area", row.code) for week in weeks),
            line=line_name("incidents_by_area", row.name),
        )


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


def how_they_ended(figures: EditionFigures) -> Iterator[AnyBlock]:
    """The outcomes, as parts of a whole and one by one."""
    rows = figures.rows("outcomes")
    if not rows:
        return
    group_of = {code: (label, fill) for label, fill, members in ENDED for code in members}
    totals = {(label, fill): 0 for label, fill, _ in ENDED} | {OTHERWISE: 0}
    for row in rows:
        totals[group_of.get(row.code, OTHERWISE)] += int(row.value or 0)
    yield Heading(text="How incidents ended", anchor="ended")
    yield Stack(items=tuple(StackPart(label, value, fill) for (label, fill), value in totals.items() if value))
    yield tables(2, counted(figures, "outcomes", "Each outcome", "Outcome", FEW), _other(figures))


OTHER: Final = (
    ("ed_avoided", "Emergency department planned and not needed"),
    ("follow_up", "Follow-up due and done"),
    ("under_18s/under_18", "Under 18"),
    ("under_18s/detained", "Under 18 and detained"),
    ("repeat_contact/days_28", "Another incident within 28 days, of linked people"),
)


def _other(figures: EditionFigures) -> TableBlock | None:
    rows: list[tuple[Cell, ...]] = []
    for line, label in OTHER:
        measure, figure = figures.measure(line.partition("/")[0]), figures.figure(line)
        if measure is None or figure is None or figure.value in (None, UNSET):
            continue
        of = measure.known if isinstance(figure, Measure) or figure.of is None else figure.of
        rows.append((TextCell(label), TextCell(f"{figure.value} of {of}", line), TextCell(share_said(figure))))
    for row in figures.rows("hours_on_scene"):
        if row.value is not None and row.column != "median":
            half = figures.row("hours_on_scene", row.code, "median")
            middle = f"median {half.value:g} an incident" if half and half.value is not None else ""
            rows.append((TextCell(f"Hours on scene: {row.label}"), TextCell(f"{row.value:g}"), TextCell(middle)))
    return TableBlock(caption="Other", head=("What", "Number", "Share"), rows=tuple(rows), right=(1,)) if rows else None


def record_quality(figures: EditionFigures) -> Iterator[AnyBlock]:
    """How many fields are answered, and what checks found."""
    fields = counted(figures, "completeness_by_field", "Fields answered", "Field")
    checks = tuple(
        (TextCell(row.label), TextCell(number_said(row) + (f" of {row.of:,}" if row.of else "")))
        for row in figures.rows("data_quality")
    )
    quality = TableBlock(caption="Checks", head=("Check", "Number"), rows=checks, right=(1,)) if checks else None
    if fields or quality:
        yield Heading(text="How good the record is", anchor="record")
        yield tables(2, fields, quality)
