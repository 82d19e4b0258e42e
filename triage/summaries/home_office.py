"""The annual return on detentions under the Mental Health Act, as the Home Office publishes it (Police Powers and
Procedures, detentions under section 135 and 136).

Counts of uses of s136 and s135 in a financial year: by power with age group, sex, self-defined ethnicity, place of
safety and the reason for a police station, transport and the reason for a police vehicle, whether an ambulance was
requested first, and whether the person had been arrested for a substantive offence. What was not asked or not recorded
is "unknown". For the force's own use: it holds exact small numbers and only what this service logged.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from triage import codes
from triage.summaries.csv_files import CsvValue, write
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import labels_of
from triage.summaries.monthly import first_place
from triage.times import Period, parse_period

HEADINGS = ("financial_year", "power", "breakdown", "code", "category", "detentions")
UNKNOWN = ("unknown", "Unknown")
POWERS = {"s136": "Section 136", "s135": "Section 135"}
AGE_GROUPS = {
    "under_11": "Under 11",
    "11_15": "11 to 15",
    "16_17": "16 to 17",
    "18_plus": "18 and over",
}
PLACES = {
    "health_based": "Health-based place of safety",
    "emergency_department": "Emergency department",
    "police_station": "Police station",
    "private_home": "Private home",
    "other": "Other",
}
"""The places of the return; a care home is one of the others."""
ANSWERS = {"yes": "Yes", "no": "No"}

_YEAR = re.compile(r"(\d{4})-(\d{2})")


def parse_year(text: str) -> Period:
    """`2025-26`, a financial year from April. Raises ValueError for another form, or years that do not follow."""
    match = _YEAR.fullmatch(text)
    if not match or (int(match[1]) + 1) % 100 != int(match[2]):
        raise ValueError(f"{text!r} is no financial year, such as 2025-26")
    return parse_period("yearly", match[1])


def annual_return(year: str, facts: Sequence[IncidentFact], triage_car: str = "other") -> bytes:
    """The return as CSV. `triage_car` is the transport code that a triage car is counted as, which the owner decides.

    A person held under both powers in one incident counts under each.
    """
    rows: list[Sequence[CsvValue]] = []
    for power, name in POWERS.items():
        detained = [fact for fact in facts if (fact.s136_at if power == "s136" else fact.s135_at)]
        rows.append((year, name, "total", "total", "All detentions", len(detained)))
        rows += [(year, name, *row) for row in _breakdowns(detained, triage_car)]
    return write(HEADINGS, rows)


def _breakdowns(detained: Sequence[IncidentFact], triage_car: str) -> Iterator[tuple[str, str, str, int]]:
    def transport(fact: IncidentFact) -> str | None:
        return triage_car if fact.transport == "triage_car" else fact.transport

    yield from _counted("age_group", detained, age_group, AGE_GROUPS)
    yield from _counted("sex", detained, lambda fact: fact.sex, labels_of("sex"))
    yield from _counted("self_defined_ethnicity", detained, lambda fact: fact.ethnicity, labels_of("ethnicity"))
    yield from _counted("place_of_safety", detained, place_of_safety, PLACES)
    at_station = [fact for fact in detained if first_place(fact) == "police_station"]
    place_reasons = labels_of("place_reason")
    yield from _counted("police_station_reason", at_station, lambda fact: fact.stays[0].reason, place_reasons)
    transports = {code: label for code, label in labels_of("transport").items() if code != "triage_car"}
    yield from _counted("transport", detained, transport, transports)
    by_police = [fact for fact in detained if transport(fact) == "police_vehicle"]
    reasons = labels_of("police_vehicle_reason")
    yield from _counted("police_vehicle_reason", by_police, lambda fact: fact.vehicle_reason, reasons)
    yield from _counted("ambulance_requested", by_police, lambda fact: _answer(fact.ambulance_requested), ANSWERS)
    yield from _counted("arrested_for_substantive_offence", detained, lambda fact: _answer(fact.arrested), ANSWERS)


def age_group(fact: IncidentFact) -> str | None:
    """The return's age group; None where not known."""
    if codes.is_missing("age_band", fact.age_band):
        return None
    return fact.age_band if fact.age_band in AGE_GROUPS else "18_plus"


def place_of_safety(fact: IncidentFact) -> str | None:
    """The return's place of safety, the first one; None where not known."""
    place = first_place(fact)
    return place if place is None or place in PLACES else "other"


def _answer(answer: bool | None) -> str | None:
    return None if answer is None else "yes" if answer else "no"


def _counted(
    breakdown: str,
    detained: Sequence[IncidentFact],
    value: Callable[[IncidentFact], str | None],
    labels: Mapping[str, str],
) -> Iterator[tuple[str, str, str, int]]:
    """One line a category, in full, and what is not known; the lines add up to the detentions."""
    counts = Counter(value(fact) for fact in detained)
    for code, label in labels.items():
        yield breakdown, code, label, counts.pop(code, 0)
    yield breakdown, *UNKNOWN, counts.total()
