"""No text of a CSV file that the service hands out is read by a spreadsheet as a date, a number or a formula.

The files of releases are in `tests/exports/test_published_files.py`, the audit's in `tests/trust/test_audit.py`.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from facts import LATER, TEN, WHOLE, considered, fact, person, scope, used
from support.spreadsheet import taken_for_something_else

from triage import codes
from triage.log.diversion import RULE
from triage.summaries import comparison, csv_files, editions
from triage.summaries.comparison import Comparison
from triage.summaries.editions import Difference, Summary
from triage.summaries.facts import IncidentFact, Stay
from triage.summaries.home_office import annual_return
from triage.summaries.questions import COUNTED, VARIABLES, Question, answer
from triage.summaries.registry import REGISTRY, definitions
from triage.summaries.schedule import KINDS
from triage.times import LONDON, PeriodKind

CODED = {
    "area": "area",
    "age_band": "age_band",
    "sex": "sex",
    "ethnicity": "ethnicity",
    "first": "disposal",
    "transport": "transport",
    "result": "detention_result",
    "force_type": "force_type",
    "referral_source": "referral_source",
}
"""The list of each field of a fact."""


def facts() -> Iterator[IncidentFact]:
    """Incidents of every code and every hour, in which s136 was used or only considered."""
    numbers = iter(range(1, 10_000))
    changed: dict[str, Any]
    for made in (used, considered):
        for field in sorted(CODED.keys() & set(IncidentFact.__struct_fields__)):
            for code in codes.list(CODED[field]):
                changed = {field: code.code, "people": (person(1),)}
                yield made(next(numbers), **changed)
        for place in codes.list("place_of_safety"):
            yield made(next(numbers), stays=(Stay(place.code, "suite_full", 30),))
        for hours in range(24):
            yield made(next(numbers), at=TEN - timedelta(hours=hours), flags=("outcome_overdue", "conflict:area"))
    for presenting in codes.list("presenting"):
        yield fact(next(numbers), presenting=(presenting.code,))


FACTS = tuple(facts())


def misread(cells: Iterable[str]) -> set[str]:
    return {cell for cell in cells if taken_for_something_else(cell)}


def texts(file: bytes, *names: str) -> Iterator[str]:
    """The cells of these columns, and the names of all columns."""
    lines = csv.DictReader(io.StringIO(file.decode()))
    for line in lines:
        yield from (line[name] for name in names)
    assert lines.fieldnames and lines.line_num > 10
    yield from lines.fieldnames


def summary(kind: PeriodKind) -> Summary:
    given = scope(*FACTS, kind=kind)
    return Summary(
        kind=kind,
        form="internal",
        period="2026-Q3",
        starts_at=given.starts_at,
        ends_at=given.ends_at,
        covered_from=WHOLE.covered_from,
        covered_to=WHOLE.covered_to,
        due_at=LATER,
        edition=2,
        published_at=LATER,
        late=True,
        as_at_seq=1,
        as_at=LATER,
        chain_head="ab" * 32,
        notes=editions.notes(given, late=True),
        measures=editions.compute_measures(given),
        changes=tuple(
            Difference(line=code, label=REGISTRY[code].label, old=1, new=2, why="entries", kinds=("outcome",))
            for code in REGISTRY
        ),
    )


def test_no_code_and_no_label_of_a_list_is_misread() -> None:
    rows = [row for name in codes.names() for row in codes.list(name)]
    assert len(rows) > 200
    assert misread(chain(codes.names(), *((row.code, row.label, row.short) for row in rows))) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_of_any_measure_is_misread(kind: PeriodKind) -> None:
    published = summary(kind)
    assert {measure.code for measure in published.measures} == {definition.code for definition in definitions(kind)}
    columns = ("measure", "label", "kind", "row", "row_label", "column", "caveat")
    assert misread(texts(csv_files.of_summary(published), *columns)) == set()
    printed = misread(texts(csv_files.of_summary(published), "text"))
    assert all(map(str.isdecimal, printed))  # a figure in words may be that number alone


def test_no_text_of_a_comparison_is_misread() -> None:
    first, second = (comparison.parse_span(f"{year}-01..{year}-12") for year in (2024, 2025))
    given = scope(*FACTS)
    compared = Comparison(
        first=comparison.covered_span(first, WHOLE),
        second=comparison.covered_span(second, WHOLE),
        as_at_seq=1,
        as_at=LATER,
        rules=RULE,
        codes_version=codes.version,
        lines=comparison.compare(given, given, days=(60, 60)),
        notes=comparison.notes(first, second, (WHOLE, WHOLE)),
    )
    columns = ("measure", "label", "row", "column", "difference_unit", "caveat")
    assert misread(texts(csv_files.of_comparison(compared), *columns)) == set()


def test_no_text_of_the_annual_return_is_misread() -> None:
    columns = ("financial_year", "power", "breakdown", "code", "category")
    assert misread(texts(annual_return("2026-27", FACTS), *columns)) == set()


@pytest.mark.parametrize("of", COUNTED)
@pytest.mark.parametrize("variable", sorted(VARIABLES.keys() - {"month"}))
def test_no_text_of_an_answer_is_misread(of: str, variable: str) -> None:
    file = answer(Question(of, (variable,), hours=True), FACTS, LONDON)  # type: ignore[arg-type]
    lines = list(csv.reader(io.StringIO(file.decode())))
    assert misread(chain(lines[0], lines[1], (line[0] for line in lines[2:]))) == set()
