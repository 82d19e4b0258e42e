"""Rates of a population: Section 136 by local authority, and of the whole force where its owner entered a total."""

from collections.abc import Iterable

from triage import codes
from triage.codes import Code, Population
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import Figure, FigureRow, rate_row, split
from triage.summaries.monthly import authority_of
from triage.summaries.registry import Scope, measure

FORCE_LINE = "s136_per_100_000/force"
"""The line that rests on a total that somebody entered."""
PARTLY_COVERED = "the log covers only part of the period"


@measure(
    "s136_per_100_000",
    "Section 136 per 100,000 people",
    "quarterly yearly",
    formula="Uses of s136 by local authority, and of the whole force as its owner entered them, divided by the "
    "population, times 100,000; for the length of the period, with Byar's 95 % interval.",
    denominator="The population set by the owner for the year in which the period starts, else for the nearest year "
    "before, with its source and year; out of county and unknown areas are left out.",
    caveat="By local authority MHST-attended only: a rate of this service. The force's total comes from elsewhere, "
    "with its source; where none was entered there is no rate of the force. No rate of a period that the log covers "
    "only in part.",
    fields="area detention legal_status outcome",
)
def s136_per_100_000(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: authority_of(fact) is not None)
    rows = [_of_authority(scope, authority, known) for authority in codes.list("local_authority")]
    return Figure(rows=(*rows, _of_force(scope)), known=len(known), missing=missing)


def _of_authority(scope: Scope, authority: Code, known: Iterable[IncidentFact]) -> FigureRow:
    uses = [fact for fact in known if authority_of(fact) == authority.code]
    people = _population(scope, authority.code)
    if people is None:
        return _no_rate(authority.code, authority.label, f"{len(uses)} uses; no population set; MHST-attended only")
    basis = f"{len(uses)} of {people.persons} people ({people.year}, {people.source}){_unconfirmed(people)}"
    if not scope.covered.whole:
        return _no_rate(authority.code, authority.label, f"{basis}; no rate: {PARTLY_COVERED}")
    return rate_row(authority.code, authority.label, uses, people.persons, f"{basis}; MHST-attended only")


def _of_force(scope: Scope) -> FigureRow:
    total = scope.force_total
    people = [_population(scope, authority.code) for authority in codes.list("local_authority")]
    known = [population for population in people if population]
    if total is None:
        return _no_rate("force", "Whole force", "force total not entered: MHST-attended only")
    if len(known) < len(people):
        return _no_rate("force", "Whole force", "no population set for all local authorities")
    persons = sum(population.persons for population in known)
    check = next(filter(None, map(_unconfirmed, known)), "")
    basis = f"{total.s136} of {persons} people; force total from {total.source}, version {total.version}{check}"
    return rate_row("force", "Whole force", total.s136, persons, basis)


def _no_rate(code: str, label: str, why: str) -> FigureRow:
    return FigureRow(code=code, label=label, value=None, text=why)


def _population(scope: Scope, authority: str) -> Population | None:
    """The people of the year in which the period starts, else of the nearest before it, else of the first after it."""
    of_authority = [people for people in scope.populations if people.local_authority == authority]
    of_authority.sort(key=lambda people: people.year)
    before = [people for people in of_authority if people.year <= scope.first_day.year]
    return before[-1] if before else next(iter(of_authority), None)


def _unconfirmed(people: Population) -> str:
    return "; not confirmed in a primary source" if people.check else ""
