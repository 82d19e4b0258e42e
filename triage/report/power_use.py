"""The parts of a board report on Section 136: used, and considered."""

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET

from triage.report.blocks import AnyBlock, Cell, Heading, Paragraph, TableBlock, TextCell
from triage.report.edition_figures import EditionFigures, bars, counted, share_said, tables

FOLLOWED: Final = (
    ("admitted", "Admitted, informally or detained"),
    ("conversion", "Became section 2 or 3 within two days"),
    ("extension_rate", "Extended beyond 24 hours"),
    ("follow_up_offered", "Not admitted: follow-up offered"),
    ("s136_again", "Not admitted: Section 136 again in 28 days"),
    ("handover_within_target", "Handed over within 60 minutes, each stay"),
    ("consultation_rate", "Consulted before Section 136"),
)


def power_used(figures: EditionFigures) -> Iterator[AnyBlock]:
    """The outcomes of the uses of Section 136."""
    yield Heading(text=f"When Section 136 was used: {figures.count('powers_used', 's136')}", anchor="s136")
    yield tables(
        2,
        counted(figures, "s136_by_place", "First place of safety", "Place"),
        counted(figures, "s136_by_transport", "How the person was taken", "Transport"),
        counted(figures, "ed_reasons", "Why an emergency department", "Reason"),
    )
    yield tables(1, _followed(figures))


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


def power_considered(figures: EditionFigures) -> Iterator[AnyBlock]:
    """The outcomes of the incidents in which an officer had Section 136 in mind."""
    code = figures.considered
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
    yield tables(1, _outcomes_of_intent(figures, code))
    yield Paragraph(text=_checks(figures), small=True)
    custody = counted(figures, "custody_by_grade", "Arrest and custody in question", "Result")
    if custody:
        yield tables(1, custody)


def _outcomes_of_intent(figures: EditionFigures, code: str) -> TableBlock:
    rows = [row for row in figures.rows(code) if row.value]
    return TableBlock(
        caption="What became of it",
        head=("Result", "", "Number", "Share (95 % interval)"),
        rows=tuple(bars(code, rows, lambda row: share_said(row) if row.percent is not None else "–")),
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
