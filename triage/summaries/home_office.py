"""The annual return on detentions under the Mental Health Act, as the Home Office's data requirement asks for it.

Counts of uses of s136 and s135 in a financial year: by power with age group, sex, self-defined ethnicity, place of
safety, transport, and the reason for a police vehicle, each with "not known". For the force's own use: it holds exact
small numbers and only what this service logged.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from triage import codes
from triage.summaries.csv_files import Cell, write
from triage.summaries.facts import IncidentFact
from triage.summaries.monthly import first_place
from triage.times import Period, parse_period

HEADINGS = ("financial_year", "power", "breakdown", "code", "category", "detentions")
NOT_KNOWN = ("not_known", "Not known")
POWERS = {"s136": "Section 136", "s135": "Section 135"}
AGE_GROUPS = {
    "under_11": "Under 11",
    "11_15": "11 to 15",
    "16_17": "16 to 17",
    "18_plus": "18 and over",
}

_YEAR = re.compile(r"(\d{4})-(\d{2})")


def parse_year(text: str) -> Period:
    """`2025-26`, a financial year from April. Raises ValueError for another form, or years that do not follow."""
    found = _YEAR.fullmatch(text)
    if not found or (int(found[1]) + 1) % 100 != int(found[2]):
        raise ValueError(f"{text!r} is no financial year, such as 2025-26")
    return parse_period("yearly", found[1])


def annual_return(year: str, facts: Sequence[IncidentFact], triage_car: str = "other") -> bytes:
    """The return as CSV. `triage_car` is the transport code that a triage car is counted as, which the owner decides.

    A person held under both powers in one incident counts under each.
    """
    rows: list[Sequence[Cell]] = []
    for power, name in POWERS.items():
        held = [fact for fact in facts if (fact.s136_at if power == "s136" else fact.s135_at)]
        rows.append((year, name, "total", "total", "All detentions", len(held)))
        rows += [(year, name, *row) for row in _breakdowns(held, triage_car)]
    return write(HEADINGS, rows)


def _breakdowns(held: Sequence[IncidentFact], triage_car: str) -> Iterator[tuple[str, str, str, int]]:
    def transport(fact: IncidentFact) -> str | None:
        return triage_car if fact.transport == "triage_car" else fact.transport

    def reason(fact: IncidentFact) -> str | None:
        return fact.vehicle_reason

    yield from _counted("age_group", held, age_group, AGE_GROUPS)
    yield from _counted("sex", held, lambda fact: fact.sex, _labels("sex"))
    yield from _counted("self_defined_ethnicity", held, lambda fact: fact.ethnicity, _labels("ethnicity"))
    yield from _counted("place_of_safety", held, first_place, _labels("place_of_safety"))
    transports = {code: label for code, label in _labels("transport").items() if code != "triage_car"}
    yield from _counted("transport", held, transport, transports)
    by_police = [fact for fact in held if transport(fact) == "police_vehicle"]
    yield from _counted("police_vehicle_reason", by_police, reason, _labels("police_vehicle_reason"))


def age_group(fact: IncidentFact) -> str | None:
    """The return's age group; None where not known."""
    if codes.is_missing("age_band", fact.age_band):
        return None
    return fact.age_band if fact.age_band in AGE_GROUPS else "18_plus"


def _counted(
    breakdown: str, held: Sequence[IncidentFact], value: Callable[[IncidentFact], str | None], labels: dict[str, str]
) -> Iterator[tuple[str, str, str, int]]:
    """One line a category, in full, and what is not known; the lines add up to the detentions."""
    found = Counter(value(fact) for fact in held)
    for code, label in labels.items():
        yield breakdown, code, label, found.pop(code, 0)
    yield breakdown, *NOT_KNOWN, found.total()


def _labels(name: str) -> dict[str, str]:
    return {one.code: one.label for one in codes.list(name) if not one.missing and one.replaced_by is None}
