"""Questions that nobody foresaw, as requests for information ask them: exact counts by whatever was asked.

Small numbers in several dimensions name people, so the answer is headed as what it is. What may be published is
answered from the protected tables instead (`triage.exports.published_answers`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage import codes
from triage.log.resolve import ethnic_group
from triage.summaries.csv_files import CsvValue, write
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import quantile
from triage.summaries.home_office import place_of_safety

NOT_FOR_PUBLICATION: Final = (
    "NOT FOR PUBLICATION: exact small numbers, by which people can be recognised. For the force's own use; what may "
    "leave is answered by --publishable."
)
UNKNOWN: Final = "unknown"

Counted = Literal["incidents", "s136", "s135"]
COUNTED: Final[Mapping[Counted, Callable[[IncidentFact], object]]] = {
    "incidents": lambda fact: True,
    "s136": lambda fact: fact.s136_at,
    "s135": lambda fact: fact.s135_at,
}
"""The things counted: all incidents, or those in which a power was used."""

_INTOXICATED: Final = {"intoxication_alcohol": "drink", "intoxication_drug": "drugs"}


class Question(Struct, frozen=True):
    """A question: the things counted, by which variables, and whether the hours of detention are asked for as well."""

    of: Counted
    by: tuple[str, ...]
    hours: bool = False


def _drink_or_drugs(fact: IncidentFact, zone: ZoneInfo) -> str | None:
    """As what the contacts saw first; None where no contact says what it saw."""
    if not fact.presenting:
        return None
    return " and ".join(_INTOXICATED[code] for code in _INTOXICATED if code in fact.presenting) or "neither"


def _shown(name: str, field: str) -> Callable[[IncidentFact, ZoneInfo], str | None]:
    def value(fact: IncidentFact, zone: ZoneInfo) -> str | None:
        code: str | None = getattr(fact, field)
        return None if codes.is_missing(name, code) else code

    return value


VARIABLES: Final[Mapping[str, Callable[[IncidentFact, ZoneInfo], str | None]]] = {
    "month": lambda fact, zone: f"{fact.at.astimezone(zone):%Y-%m}",
    "area": _shown("area", "area"),
    "age": _shown("age_band", "age_band"),
    "sex": _shown("sex", "sex"),
    "ethnic_group": lambda fact, zone: ethnic_group(fact.ethnicity),
    "disposal": _shown("disposal", "first"),
    "place_of_safety": lambda fact, zone: place_of_safety(fact),
    "transport": _shown("transport", "transport"),
    "drink_or_drugs": _drink_or_drugs,
    "restraint": lambda fact, zone: fact.force_type,
}
"""By what may be asked."""


def answer(question: Question, facts: Iterable[IncidentFact], zone: ZoneInfo) -> bytes:
    """Exact counts as CSV, headed as not for publication. Hours are from the start of the clock to its end."""
    groups: dict[tuple[str, ...], list[IncidentFact]] = defaultdict(list)
    for fact in facts:
        if COUNTED[question.of](fact):
            groups[tuple(VARIABLES[name](fact, zone) or UNKNOWN for name in question.by)].append(fact)
    headings = (*question.by, question.of, *(_HOURS if question.hours else ()))
    rows: list[Sequence[CsvValue]] = []
    for values, members in sorted(groups.items()):
        rows.append((*values, len(members), *(_hours(members) if question.hours else ())))
    return write((NOT_FOR_PUBLICATION,), [headings, *rows])


_HOURS: Final = ("hours_known", "hours_median", "hours_longest")


def _hours(facts: Iterable[IncidentFact]) -> tuple[CsvValue, ...]:
    minutes = [taken for fact in facts if (taken := fact.minutes_detained) is not None]
    hours = [taken / 60 for taken in minutes]
    return len(hours), quantile(hours, 0.5), round(max(hours), 1) if hours else None
