"""The first page of a board report: five numbers, each with how sure it is, and two run charts."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import UNSET

from triage.report.blocks import AnyBlock, Callout, ChartItem, Charts, Heading, KeyNumber, KeyNumbers
from triage.report.edition_figures import EditionFigures, missing_said, number_said, share_said
from triage.report.run_charts import is_partial, legend_of
from triage.summaries.editions import Summary

CANNOT: Final = (
    "Nobody can observe a detention that did not happen. We print how often an officer had Section 136 in mind, what "
    "the evidence for it was, and what happened next; we do not print “detentions prevented”. The figures are of "
    "incidents this service attended."
)


def first_page(figures: EditionFigures, runs: Sequence[ChartItem], months: Sequence[Summary]) -> Iterator[AnyBlock]:
    """The page for a reader who turns no other."""
    coverage = _coverage(figures.summary, months)
    if coverage:
        yield Callout(strong="Not all of the period is covered.", text=coverage)
    yield Heading(text=f"The {figures.summary.kind.removesuffix('ly')} in five numbers", anchor="five")
    yield KeyNumbers(items=tuple(_five(figures, runs)))
    if runs:
        yield Charts(items=tuple(runs[:2]), legend=legend_of(runs))
    yield Callout(strong="What this report cannot show.", text=CANNOT)


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
        number=number_said(used),
        unit=f"uses of Section 136, of {used.of:,}" if used and used.of is not None else "uses of Section 136",
        says=f"{share_said(used).capitalize()} of incidents whose outcome is known.",
        sure=f"{missing_said(figures.measure('powers_used')).capitalize()}.",
        line="powers_used/s136",
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
        line="s136_by_place/police_station",
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
    code = figures.considered
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
    )


def _coverage(summary: Summary, months: Sequence[Summary]) -> str:
    """Which part of the period has no data: said on the first page, where it is so."""
    said = []
    if is_partial(summary) and summary.covered_from and summary.covered_to:
        said.append(f"The log covers {summary.covered_from:%-d %B %Y} to {summary.covered_to:%-d %B %Y} of it.")
    gaps = [month.period for month in months if EditionFigures(month).value("incidents") is None]
    if gaps:
        said.append(f"No data for {', '.join(gaps)}: a gap in the charts, not a zero.")
    return " ".join(said)
