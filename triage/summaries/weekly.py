"""The weekly measures, for the team and the nurse lead."""

from datetime import timedelta
from uuid import UUID

from triage import codes
from triage.access.actors import PROFESSIONS
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import (
    FEWEST_FOR_AN_INTERVAL,
    Figure,
    FigureRow,
    count_row,
    kappa,
    mix,
    row,
    share_of,
    split,
)
from triage.summaries.needs_action import is_overdue
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
    fields="area",
)
def volume_by_hour_and_area(scope: Scope) -> Figure:
    areas = codes.list("area")
    known, missing = split(scope.members, lambda fact: fact.area in areas.codes and fact.area not in areas.missing)
    cells: dict[tuple[str, str], list[IncidentFact]] = {}
    for fact in known:
        cells.setdefault((_band(scope, fact), fact.area), []).append(fact)
    rows = tuple(
        count_row(band, areas[area].label, facts, column=area, of=len(known))
        for (band, area), facts in sorted(cells.items())
    )
    return Figure(rows=rows, known=len(known), missing=missing)


def _band(scope: Scope, fact: IncidentFact) -> str:
    """`04 to 08`: a spreadsheet takes `04-08` for the fourth of August."""
    start = fact.at.astimezone(scope.zone).hour // HOURS_IN_A_BAND * HOURS_IN_A_BAND
    return f"{start:02} to {start + HOURS_IN_A_BAND:02}"


@measure(
    "ambulance_not_available",
    "Why police drove",
    "weekly monthly",
    formula="Uses of s136 or s135 with a police vehicle, by the reason given.",
    denominator="Uses with a police vehicle and a reason.",
    fields="transport detention",
)
def ambulance_not_available(scope: Scope) -> Figure:
    by_police = [fact for fact in scope.members if fact.transport == "police_vehicle"]
    return mix(by_police, lambda fact: fact.vehicle_reason, "police_vehicle_reason")


@measure(
    "consultation_rate",
    "Consulted before section 136",
    "weekly monthly quarterly yearly",
    formula="Incidents in which a consultation is on record that was not after s136 was used.",
    denominator="Incidents where s136 was used or considered and police wrote whether they consulted.",
    caveat="Consultation is required where practicable (section 136(1C)); not consulting may have been right.",
    fields="intents consulted not_consulted_reason",
)
def consultation_rate(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.considered or fact.used_s136]
    return share_of(asked, lambda fact: fact.consulted is not None, lambda fact: bool(fact.consulted))


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
        count_row(f"seen_{n}", f"{n} or more times", sum(count >= n for count in times), of=len(people)) for n in (2, 5)
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
    fields="outcome",
)
def chase_list(scope: Scope) -> Figure:
    overdue = [recent.fact for recent in scope.recent if is_overdue(recent.fact.overdue_at, scope.as_at)]
    rows = [
        row(code, label, [fact for fact in overdue if code in fact.owing], len(overdue))
        for code, label in PROFESSIONS.items()
    ]
    return Figure(rows=tuple(rows), known=len(overdue), missing=0)


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
