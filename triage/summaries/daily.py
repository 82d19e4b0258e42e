"""The daily measures, for the sergeant and the clinical lead: what happened, and what needs action now."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from triage.access.actors import PROFESSIONS
from triage.log.flags import LATE
from triage.summaries.facts import ASKED, GradeResult, IncidentFact, RecentIncident, Stay
from triage.summaries.figures import (
    Figure,
    FigureRow,
    count,
    count_row,
    labels_of,
    mix,
    proportion,
    quantile,
    row,
    shares,
)
from triage.summaries.needs_action import ACTIONS, actions
from triage.summaries.registry import HANDOVER_TARGET_MINUTES, Scope, measure

ALL = "daily weekly monthly quarterly yearly"

GRADES = {
    "A": "s136 considered and not used, grade A (corroborated)",
    "B": "s136 considered and not used, grade B (contemporaneous)",
    "C": "claimed only (C)",
    "X": "disputed or unavailable (X)",
    "R": "reversed within 24 hours (R)",
    "R_admitted": "admitted within 24 hours after a voluntary route (R, printed apart)",
    "U": "undetermined (U)",
    "P": "pending, 24 hours not over (P)",
    "used": "s136 used",
    "substituted": "another compulsion used instead",
    "not_safe": "considered, not used, then left, missing or died",
    "not_seen": "stood down or not attended",
}
"""The fixed wording of every result. Nothing is ever said to have been prevented."""

WINDOWS = {"checked": "checked", "not_traceable": "not traceable", "not_checked": "not checked"}

POWERS = {
    "s136": "Section 136",
    "s135": "Section 135",
    "arrest": "Arrest",
    "police_protection": "Police protection, section 46 Children Act 1989",
    "capacity_act": "Mental Capacity Act",
    "returned": "Returned under the Act",
    "none": "No power",
}
_POWER_OF = {
    "s136_removed": "s136",
    "s136_kept": "s136",
    "s135_removed": "s135",
    "s135_kept": "s135",
    "arrest_custody": "arrest",
    "arrest_street_bail": "arrest",
    "police_protection_s46": "police_protection",
    "ed_capacity_act": "capacity_act",
    "returned_under_act": "returned",
}


@measure(
    "incidents",
    "Incidents",
    ALL,
    formula="Incidents that occurred in the period.",
    denominator="None: a count. Incidents, never entries.",
    caveat="Only what this service logged; not every mental health incident of the force.",
)
def incidents(scope: Scope) -> Figure:
    return count(scope.members)


@measure(
    "incidents_by_area",
    "Incidents by area",
    "daily weekly quarterly yearly",
    formula="Incidents of each area.",
    denominator="Incidents with a known area.",
    caveat="Small numbers by area identify people: for the team only.",
    fields="area",
)
def incidents_by_area(scope: Scope) -> Figure:
    return mix(scope.members, lambda fact: fact.area, "area")


@measure(
    "incidents_by_car",
    "Incidents by car",
    "daily weekly",
    formula="Incidents of each car, the last one recorded.",
    denominator="Incidents with a car on record.",
    fields="car",
)
def incidents_by_car(scope: Scope) -> Figure:
    cars = sorted({fact.car for fact in scope.members if fact.car})
    return shares(scope.members, lambda fact: fact.car, {car: car for car in cars})


@measure(
    "outcomes",
    "Outcomes",
    ALL,
    formula="Incidents by the latest disposal.",
    denominator="Incidents with an outcome.",
    fields="outcome",
)
def outcomes(scope: Scope) -> Figure:
    return mix(scope.members, lambda fact: fact.latest, "disposal")


@measure(
    "powers_used",
    "Powers used",
    ALL,
    formula="Incidents in which a power was used, by any outcome, detention event or legal status in force; each power "
    "counts once an incident.",
    denominator="Incidents with an outcome or a detention.",
    caveat="A person may be held under two powers in one incident: rows may add up to more than the total.",
    fields="outcome detention legal_status",
)
def powers_used(scope: Scope) -> Figure:
    known = [fact for fact in scope.members if fact.disposals or powers_of(fact)]
    missing = len(scope.members) - len(known)
    rows = [
        row(code, label, [fact for fact in known if code in (powers_of(fact) or {"none"})], len(known), missing)
        for code, label in POWERS.items()
    ]
    return Figure(rows=tuple(rows), known=len(known), missing=missing)


def powers_of(fact: IncidentFact) -> set[str]:
    """The powers used in an incident."""
    powers = {_POWER_OF[code] for code in fact.disposals if code in _POWER_OF}
    if fact.s136_at:
        powers.add("s136")
    if fact.s135_at:
        powers.add("s135")
    return powers


@measure(
    "considered_by_grade",
    "Section 136 considered, by grade",
    "daily weekly monthly",
    formula="Incidents with a s136 intent by the result of rule set DIV-1 at the as-at time.",
    denominator="Incidents with a s136 intent on record, used or not.",
    caveat="Grades say how good the evidence is. They do not say that a detention was prevented.",
    fields="intents diversion",
)
def considered_by_grade(scope: Scope) -> Figure:
    return by_grade(scope, scope.considered)


def by_grade(scope: Scope, facts: Iterable[IncidentFact]) -> Figure:
    """Incidents by grade at the as-at time; A and B apart."""
    return shares(facts, lambda fact: result_of(fact.s136, scope.as_at), GRADES)


def result_of(graded: GradeResult, now: datetime) -> str | None:
    """The line a grading is printed in: its grade, or the name of a null one; admissions apart from other reversals."""
    grade = graded.at(now)
    return "R_admitted" if grade == "R" and graded.reason == "admitted" else grade or graded.reason


@measure(
    "action_needed",
    "Needs action now",
    "daily",
    kind="snapshot",
    formula="Incidents of the 28 days before the as-at time that still need somebody to act.",
    denominator="None: counts as things stood when published.",
    fields="intents detention flags repeat_contact",
)
def action_needed(scope: Scope) -> Figure:
    needed = [(recent.fact, actions_of(recent)) for recent in scope.recent]
    rows = [
        count_row(code, label, [fact for fact, needs in needed if code in needs]) for code, label in ACTIONS.items()
    ]
    return Figure(rows=tuple(rows), known=len(scope.recent), missing=0)


def actions_of(recent: RecentIncident) -> frozenset[str]:
    """The actions that an incident still needs."""
    fact = recent.fact
    return actions(fact.flags, counts=fact.counts, linked=bool(fact.people), duplicate=recent.duplicate)


@measure(
    "hours_left",
    "Open detentions: hours left",
    "daily",
    kind="snapshot",
    formula="Hours from the as-at time to the expiry of each open detention; below zero where it has passed.",
    denominator="Open detentions with a known arrival; the others have no expiry.",
    caveat="From the earlier of arrival at the site and entry, which practitioners dispute.",
)
def hours_left(scope: Scope) -> Figure:
    running = [recent.fact for recent in scope.recent if recent.fact.running]
    left = sorted(
        round((fact.expires_at - scope.as_at) / timedelta(hours=1), 1)
        for fact in running
        if fact.expires_at is not None
    )
    rows = tuple(
        FigureRow(code=f"detention_{n}", label=f"Detention {n}", value=hours, text=f"{hours:g} hours left")
        for n, hours in enumerate(left, 1)
    )
    return Figure(rows=rows, known=len(left), missing=len(running) - len(left))


@measure(
    "open_outcomes",
    "Open outcomes by age",
    "daily",
    kind="snapshot",
    formula="Incidents without an outcome that occurred more than 12, 24 and 72 hours before the as-at time.",
    denominator="Incidents of the 28 days before without an outcome. The rows include one another.",
    fields="outcome",
)
def open_outcomes(scope: Scope) -> Figure:
    without = [recent.fact for recent in scope.recent if not recent.fact.disposals]
    rows = []
    for hours in (12, 24, 72):
        old = [fact for fact in without if scope.as_at - fact.at > timedelta(hours=hours)]
        rows.append(row(f"over_{hours}_h", f"Over {hours} hours", old, len(without)))
    return Figure(rows=tuple(rows), known=len(without), missing=0)


@measure(
    "handover_minutes",
    "Handover by place of safety",
    "daily",
    formula="Minutes from arrival at the site to the end of the handover, for each stay: median, maximum, and "
    "stays over "
    f"{HANDOVER_TARGET_MINUTES} minutes.",
    denominator="Stays at a place of safety with both times.",
)
def handover_minutes(scope: Scope) -> Figure:
    stays = [stay for fact in scope.members for stay in fact.stays]
    by_place = {code: [stay for stay in stays if (stay.place or "unknown") == code] for code in _places()}
    rows = [line for code, label in _places().items() for line in _handover_rows(code, label, by_place[code])]
    known = sum(stay.handover_minutes is not None for stay in stays)
    return Figure(rows=tuple(rows), known=known, missing=len(stays) - known)


def _handover_rows(code: str, label: str, stays: Sequence[Stay]) -> list[FigureRow]:
    if not stays:
        return []
    minutes = [stay.handover_minutes for stay in stays if stay.handover_minutes is not None]
    missing = len(stays) - len(minutes)
    over = sum(taken > HANDOVER_TARGET_MINUTES for taken in minutes)
    median, longest = quantile(minutes, 0.5), max(minutes, default=None)
    return [
        FigureRow(code=code, column="median", label=label, value=median, of=len(minutes), missing=missing),
        FigureRow(code=code, column="maximum", label=label, value=longest, of=len(minutes), missing=missing),
        row(code, label, over, len(minutes), missing, column="over_target"),
    ]


def _places() -> dict[str, str]:
    return labels_of("place_of_safety") | {"unknown": "Place not recorded"}


@measure(
    "late_data",
    "Late entries",
    "daily weekly",
    kind="snapshot",
    formula=f"Entries of the period's incidents received more than {LATE // timedelta(minutes=1)} minutes after "
    "capture.",
    denominator="Entries of the period's incidents, as the log stood when published.",
)
def late_data(scope: Scope) -> Figure:
    return row_of_entries(scope.members)


def row_of_entries(facts: Iterable[IncidentFact]) -> Figure:
    """Late entries among all entries of these incidents."""
    counts = [(fact.late_entries, fact.entries) for fact in facts]
    return proportion(sum(late for late, _ in counts), sum(entries for _, entries in counts), 0)


@measure(
    "completeness",
    "Completeness by profession",
    "daily weekly",
    formula="Fields answered of those every contact is asked for, in the incidents where the profession wrote a "
    "contact.",
    denominator=f"{len(ASKED)} fields for each incident and profession with a contact.",
    caveat="An incident needs each field once, whoever filled it in; see completeness by field.",
)
def completeness(scope: Scope) -> Figure:
    answered: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for fact in scope.members:
        for profession, n in fact.by_profession:
            answered[profession] += n
            asked[profession] += len(ASKED)
    rows = tuple(row(code, label, answered[code], asked[code]) for code, label in PROFESSIONS.items())
    return Figure(rows=rows, known=answered.total(), missing=asked.total() - answered.total())


@measure(
    "completeness_by_field",
    "Completeness by field",
    ALL,
    formula="Incidents in which anybody answered the field.",
    denominator="Incidents, once each; stand-downs and calls not attended only for time, area and source.",
)
def completeness_by_field(scope: Scope) -> Figure:
    rows = []
    for name in ASKED:
        asked = [fact for fact in scope.members if name in asked_of(fact)]
        answered = sum(name in fact.answered for fact in asked)
        rows.append(row(name, name.replace("_", " ").capitalize(), answered, len(asked)))
    asked_in_all = sum(len(asked_of(fact)) for fact in scope.members)
    known = sum(len(set(asked_of(fact)) & set(fact.answered)) for fact in scope.members)
    return Figure(rows=tuple(rows), known=known, missing=asked_in_all - known)


def asked_of(fact: IncidentFact) -> tuple[str, ...]:
    """The fields asked for: a stand-down needs time, area and source only."""
    return ("occurred_at", "area", "referral_source") if fact.first in ("stood_down", "not_attended") else ASKED
