"""The weekly measures, for the team and the nurse lead."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from triage import codes
from triage.summaries.daily import PROFESSIONS
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import FEWEST_FOR_AN_INTERVAL, Figure, FigureRow, kappa, mix, proportion, row, split
from triage.summaries.registry import Scope, measure

HOURS_IN_A_BAND = 4
OFTEN = timedelta(days=28)


@measure(
    "volume_by_hour_and_area",
    "Incidents by hour and area",
    "weekly",
    formula="Incidents by four-hour band of local time and by area.",
    denominator="Incidents with a known area.",
    caveat="Hour and area together single out people: for the team only.",
)
def volume_by_hour_and_area(scope: Scope) -> Figure:
    areas = codes.list("area")
    known, missing = split(scope.members, lambda fact: not codes.is_missing("area", fact.area))
    found = Counter((_band(scope, fact), fact.area) for fact in known)
    rows = tuple(
        FigureRow(code=band, label=areas[area].label, column=area, value=n, of=len(known), text=str(n))
        for (band, area), n in sorted(found.items())
    )
    return Figure(rows=rows, known=len(known), missing=missing)


def _band(scope: Scope, fact: IncidentFact) -> str:
    start = fact.at.astimezone(scope.zone).hour // HOURS_IN_A_BAND * HOURS_IN_A_BAND
    return f"{start:02}-{start + HOURS_IN_A_BAND:02}"


@measure(
    "ambulance_not_available",
    "Why police drove",
    "weekly monthly",
    formula="Uses of s136 or s135 with a police vehicle, by the reason given.",
    denominator="Uses with a police vehicle and a reason.",
)
def ambulance_not_available(scope: Scope) -> Figure:
    return mix(
        (fact.vehicle_reason for fact in scope.members if fact.transport == "police_vehicle"), "police_vehicle_reason"
    )


@measure(
    "consultation_rate",
    "Consulted before section 136",
    "weekly monthly quarterly yearly",
    formula="Incidents in which a consultation is on record.",
    denominator="Incidents where s136 was used or considered and police wrote whether they consulted.",
    caveat="Consultation is required where practicable (section 136(1C)); not consulting may have been right.",
)
def consultation_rate(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.considered or fact.used_s136]
    known, missing = split(asked, lambda fact: fact.consulted is not None)
    return proportion(sum(fact.consulted is True for fact in known), len(known), missing)


@measure(
    "seen_often",
    "People seen 2 and 5 or more times in 28 days",
    "weekly",
    formula="People linked to at least 2, and at least 5, incidents in the 28 days that end with the week.",
    denominator="People linked to an incident of the week. Missing: incidents of the week with nobody linked.",
    caveat="Supports care. Never a reason for a sanction, and never a label on a person.",
)
def seen_often(scope: Scope) -> Figure:
    people = {person for fact in scope.members for person in fact.people}
    times = [_times(scope, person) for person in people]
    unlinked = sum(not fact.people for fact in scope.members)
    rows = tuple(
        FigureRow(code=f"seen_{n}", label=f"{n} or more times", value=sum(t >= n for t in times), of=len(people))
        for n in (2, 5)
    )
    return Figure(rows=rows, known=len(people), missing=unlinked)


def _times(scope: Scope, person: UUID) -> int:
    since = scope.ends_at - OFTEN
    return sum(since <= fact.at < scope.ends_at for fact in scope.of_person.get(person, ()))


@measure(
    "chase_list",
    "Outcomes to chase",
    "weekly",
    kind="snapshot",
    formula="Overdue incidents without an outcome, by the professions that wrote a contact.",
    denominator="Overdue incidents of the 28 days before the as-at time. An incident may be owed by two professions.",
)
def chase_list(scope: Scope) -> Figure:
    overdue = [
        around.fact for around in scope.recent if around.fact.overdue_at and around.fact.overdue_at <= scope.as_at
    ]
    owing = Counter(profession for fact in overdue for profession in fact.owing)
    rows = tuple(row(code, label, owing[code], len(overdue)) for code, label in PROFESSIONS.items())
    return Figure(rows=rows, known=len(overdue), missing=0)


@measure(
    "second_judge",
    "Officer and nurse agree on section 136",
    "weekly monthly quarterly yearly",
    formula="Judgements in which the officer's intent (s136, at least probably, or not) and the nurse's answer agree; "
    f"Cohen's kappa when {FEWEST_FOR_AN_INTERVAL} or more are known.",
    denominator="Answers yes or no of nurses who saw or spoke to the person, were not told, and were shown no intent.",
    caveat="Agreement is not truth: both saw the same scene. Kappa depends on how common yes is.",
)
def second_judge(scope: Scope) -> Figure:
    asked = [fact for fact in scope.considered if fact.contemporaneous]
    pairs = [pair for fact in scope.members for pair in fact.judgements]
    missing = sum(not fact.judgements for fact in asked)
    agreed = row("agreement", "Agreement", sum(a == b for a, b in pairs), len(pairs), missing)
    value = kappa(pairs) if len(pairs) >= FEWEST_FOR_AN_INTERVAL else None
    text = f"kappa {value:g}" if value is not None else f"fewer than {FEWEST_FOR_AN_INTERVAL}, or no variation"
    return Figure(
        rows=(agreed, FigureRow(code="kappa", label="Cohen's kappa", value=value, of=len(pairs), text=text)),
        known=len(pairs),
        missing=missing,
    )
