"""The quarterly and yearly measures, for overview and scrutiny."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from triage import codes
from triage.codes import Population
from triage.summaries.daily import WINDOWS, asked_of, by_grade, row_of_entries
from triage.summaries.facts import IncidentFact, Profile
from triage.summaries.figures import Figure, FigureRow, proportion, quantile, row, split
from triage.summaries.monthly import admitted, authority_of
from triage.summaries.registry import HANDOVER_TARGET_MINUTES, POOLED_MONTHS, Scope, measure

SCRUTINY = "quarterly yearly"
ATTENDED = ("attended",)
REMOTE = ("telephone", "video")
GROUPS = {name: name for name in ("White", "Mixed", "Asian", "Black", "Other")}
HARMED = frozenset(("s136", "s135", "s2", "s3", "s4", "s5", "s2_s3_s4", "mha_detention", "serious_harm", "died"))
"""What ends survival after s136 was considered and not used."""


FORCE_LINE = "s136_per_100_000/force"
"""The line that rests on a total that somebody entered."""
_RATE_LABEL = "Section 136 per 100,000 people"
_RATE_DENOMINATOR = (
    "The population set by the owner, with its source and year; out of county and unknown areas are left out."
)


@measure(
    "s136_per_100_000",
    _RATE_LABEL,
    SCRUTINY,
    formula="Uses of s136 by local authority, divided by its population, times 100,000; for the length of the period.",
    denominator=_RATE_DENOMINATOR,
    caveat="MHST-attended only: the force's total is not known here, so it is a rate of this service only.",
    until=1,
)
def s136_attended_per_100_000(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: authority_of(fact) is not None)
    newest = _newest(scope)
    rows = []
    for authority in codes.list("local_authority"):
        people = newest.get(authority.code)
        uses = sum(authority_of(fact) == authority.code for fact in known)
        rate = round(100_000 * uses / people.persons, 1) if people else None
        basis = f"{uses} of {people.persons} people ({people.year}, {people.source})" if people else "no population set"
        rows.append(
            FigureRow(
                code=authority.code,
                label=authority.label,
                value=rate,
                of=people.persons if people else None,
                text=f"{basis}{_unconfirmed(people)}; MHST-attended only",
            )
        )
    return Figure(rows=tuple(rows), known=len(known), missing=missing)


@measure(
    "s136_per_100_000",
    _RATE_LABEL,
    SCRUTINY,
    formula="Uses of s136 by local authority, and of the whole force as its owner entered them, divided by the "
    "population, times 100,000; for the length of the period.",
    denominator=_RATE_DENOMINATOR,
    caveat="By local authority MHST-attended only: a rate of this service. The force's total comes from elsewhere, "
    "with its source; where none was entered there is no rate of the force.",
    since=2,
)
def s136_per_100_000(scope: Scope) -> Figure:
    attended = s136_attended_per_100_000(scope)
    assert isinstance(attended.rows, tuple)
    return Figure(rows=(*attended.rows, _of_force(scope)), known=attended.known, missing=attended.missing)


def _of_force(scope: Scope) -> FigureRow:
    total, newest = scope.force_total, _newest(scope)
    persons = sum(one.persons for one in newest.values())
    if total is None:
        return FigureRow(
            code="force", label="Whole force", value=None, text="force total not entered: MHST-attended only"
        )
    if not newest.keys() >= {authority.code for authority in codes.list("local_authority")}:
        return FigureRow(
            code="force", label="Whole force", value=None, text="no population set for all local authorities"
        )
    source = f"{total.s136} of {persons} people; force total from {total.source}, version {total.version}"
    check = next((_unconfirmed(one) for one in newest.values() if one.check), "")
    rate = round(100_000 * total.s136 / persons, 1)
    return FigureRow(code="force", label="Whole force", value=rate, of=persons, text=source + check)


def _newest(scope: Scope) -> dict[str, Population]:
    return {one.local_authority: one for one in sorted(scope.populations, key=lambda one: one.year)}


def _unconfirmed(people: Population | None) -> str:
    return "; not confirmed in a primary source" if people and people.check else ""


def _in_question(code: str, label: str) -> Callable[[Callable[[Scope], Figure]], Callable[[Scope], Figure]]:
    return measure(
        code,
        label,
        SCRUTINY,
        formula="Incidents by the result of DIV-1 at the as-at time; grades A and B apart.",
        denominator="Incidents with a contemporaneous s136 intent of confidence 2 or more, used or not; one for "
        "each linked "
        "person in 24 hours.",
        caveat="s136 considered and not used is not a detention prevented; what would have happened cannot be "
        "observed.",
    )


@_in_question("considered_attended", "Section 136 considered, person attended")
def considered_attended(scope: Scope) -> Figure:
    return by_grade(scope, [fact for fact in scope.in_question if fact.contact_mode in ATTENDED])


@_in_question("considered_remote", "Section 136 considered, by telephone or video")
def considered_remote(scope: Scope) -> Figure:
    return by_grade(scope, [fact for fact in scope.in_question if fact.contact_mode in REMOTE])


@_in_question("considered_mode_unknown", "Section 136 considered, contact mode not recorded")
def considered_mode_unknown(scope: Scope) -> Figure:
    return by_grade(scope, [fact for fact in scope.in_question if fact.contact_mode not in (*ATTENDED, *REMOTE)])


@measure(
    "window_checked",
    "Grades A and B whose 24 hours were checked",
    SCRUTINY,
    formula="Incidents of grade A or B for which somebody looked whether anything happened in the 24 hours after.",
    denominator="Incidents of grade A or B among those in question.",
    caveat="Not checked means that nobody looked, not that nothing happened.",
)
def window_checked(scope: Scope) -> Figure:
    rows: list[FigureRow] = []
    total = 0
    for grade in ("A", "B"):
        graded = [fact for fact in scope.in_question if fact.s136.at(scope.as_at) == grade]
        total += len(graded)
        for code, label in WINDOWS.items():
            n = sum((fact.s136.window or "not_checked") == code for fact in graded)
            rows.append(row(code, f"Grade {grade}: {label}", n, len(graded), column=grade))
    return Figure(rows=tuple(rows), known=total, missing=0)


@measure(
    "survival",
    "Nothing worse recorded 7, 28 and 90 days after section 136 was considered and not used",
    SCRUTINY,
    formula="Incidents of grade A or B without s136, s135, another section, serious harm or death of the person "
    "within so "
    "many days of the first disposal.",
    denominator="Incidents of grade A or B that old whose person is linked; missing: nobody linked; younger ones "
    "are not "
    "yet known.",
    caveat="What happened elsewhere is seen only if recorded here.",
)
def survival(scope: Scope) -> Figure:
    graded = [fact for fact in scope.in_question if fact.s136.at(scope.as_at) in ("A", "B") and fact.decided_at]
    rows: list[FigureRow] = []
    known = missing = 0
    for days in (7, 28, 90):
        old, young = split(graded, lambda fact, d=days: _age(scope, fact) >= timedelta(days=d))  # type: ignore[misc]
        linked, unlinked = split(old, lambda fact: bool(fact.people))
        well = sum(not _worsened(scope, fact, timedelta(days=days)) for fact in linked)
        line = row(f"days_{days}", f"{days} days", well, len(linked), unlinked)
        young_row = FigureRow(
            code=f"days_{days}",
            label=f"{days} days: not yet known",
            column="not_yet_known",
            value=young,
            text=str(young),
        )
        rows += [line, young_row]
        known, missing = len(linked), unlinked
    return Figure(rows=tuple(rows), known=known, missing=missing)


def _age(scope: Scope, fact: IncidentFact) -> timedelta:
    assert fact.decided_at
    return scope.as_at - fact.decided_at


def _worsened(scope: Scope, fact: IncidentFact, within: timedelta) -> bool:
    start = fact.decided_at
    assert start
    events = [*fact.events, *(later for other in scope.others_of(fact) for later in other.events)]
    return any(later.code in HARMED and start < later.at <= start + within for later in events)


@measure(
    "s136_again",
    "Another section 136 within 28 days of one without admission",
    SCRUTINY,
    formula="Uses of s136 that did not end in an admission, followed by another use for the same person within "
    "28 days.",
    denominator="Uses of s136 that old that ended, not in an admission, and whose person is linked; missing: "
    "nobody linked.",
    caveat="Only what this service logged.",
)
def s136_again(scope: Scope) -> Figure:
    within = timedelta(days=28)
    ended = [fact for fact in scope.used_s136 if not fact.running and not admitted(fact)]
    old = [fact for fact in ended if fact.s136_at and scope.as_at - fact.s136_at >= within]
    linked, unlinked = split(old, lambda fact: bool(fact.people))
    return proportion(sum(_again(scope, fact) for fact in linked), len(linked), unlinked)


def _again(scope: Scope, fact: IncidentFact) -> bool:
    start = fact.s136_at
    assert start
    until = start + timedelta(days=28)
    uses = [other.s136_at for other in scope.others_of(fact)]
    uses += [later.at for later in fact.events if later.code == "s136" and later.at > start]
    return any(at and start < at <= until for at in uses)


@measure(
    "repeat_contact",
    "Repeat contact within 28 and 90 days",
    SCRUTINY,
    formula="Incidents followed by another of the same person within so many days.",
    denominator="Incidents that old whose person is linked; missing: nobody linked; younger ones are not yet known.",
    caveat="Contact may be care that worked. Never a reason for a sanction.",
)
def repeat_contact(scope: Scope) -> Figure:
    rows: list[FigureRow] = []
    known = missing = 0
    for days in (28, 90):
        within = timedelta(days=days)
        old = [fact for fact in scope.members if scope.as_at - fact.at >= within]
        linked, unlinked = split(old, lambda fact: bool(fact.people))
        again = sum(any(fact.at < o.at <= fact.at + within for o in scope.others_of(fact)) for fact in linked)
        young = len(scope.members) - len(old)
        rows += [
            row(f"days_{days}", f"{days} days", again, len(linked), unlinked),
            FigureRow(
                code=f"days_{days}",
                label=f"{days} days: not yet known",
                column="not_yet_known",
                value=young,
                text=str(young),
            ),
        ]
        known, missing = len(linked), unlinked
    return Figure(rows=tuple(rows), known=known, missing=missing)


@measure(
    "under_18s",
    "Under 18",
    SCRUTINY,
    formula="Incidents of people treated as under 18, those detained, and those for whom a police station was used.",
    denominator="Incidents with a known age, or treated as under 18 because somebody thought so.",
)
def under_18s(scope: Scope) -> Figure:
    known, missing = split(scope.members, lambda fact: fact.under_18 or not codes.is_missing("age_band", fact.age_band))
    children = [fact for fact in known if fact.under_18]
    detained = sum(bool(fact.s136_at or fact.s135_at) for fact in children)
    stations = sum("under_18_police_station" in fact.flags for fact in children)
    rows = (
        row("under_18", "Under 18", len(children), len(known), missing),
        row("detained", "of these: detained under s136 or s135", detained, len(children)),
        row("police_station", "of these: police station used", stations, len(children)),
    )
    return Figure(rows=rows, known=len(known), missing=missing)


def _equality(
    code: str, label: str, group_of: Callable[[Profile], str | None], labels: Callable[[], Mapping[str, str]]
) -> None:
    """Enter a table of how often s136 was used, and considered and not used, for each group of 12 months."""

    @measure(
        code,
        label,
        SCRUTINY,
        formula="For each group: incidents, uses of s136, and s136 considered and not used with grade A or B.",
        denominator=f"Incidents of the group in the {POOLED_MONTHS} months that end with the period, group known.",
        caveat="Pooled over 12 months because a quarter is too small. Differences between groups may come from "
        "who is met, "
        "where and when; they are a reason to look, not a finding.",
    )
    def table(scope: Scope) -> Figure:
        incidents: Counter[str | None] = Counter()
        used: Counter[str | None] = Counter()
        avoided: Counter[str | None] = Counter()
        for profile, n in scope.pooled.items():
            group = group_of(profile)
            incidents[group] += n
            used[group] += n * profile.used_s136
            avoided[group] += n * (profile.grade in ("A", "B"))
        missing = incidents.pop(None, 0)
        known = incidents.total()
        rows: list[FigureRow] = []
        for group, name in labels().items():
            here = incidents[group]
            rows += [
                row(group, name, here, known, missing, column="incidents"),
                row(group, name, used[group], here, column="s136_used"),
                row(group, name, avoided[group], here, column="considered_not_used_a_or_b"),
            ]
        return Figure(rows=tuple(rows), known=known, missing=missing)


def ethnic_group(profile: Profile) -> str | None:
    """The published ethnic group; None where not known."""
    if codes.is_missing("ethnicity", profile.ethnicity):
        return None
    return codes.list("ethnicity")[profile.ethnicity or ""].group


def _known(name: str, value: str | None) -> str | None:
    return None if codes.is_missing(name, value) else value


def _labels(name: str) -> dict[str, str]:
    return {one.code: one.label for one in codes.list(name) if not one.missing}


_equality("equality_ethnicity", "By ethnic group, 12 months", ethnic_group, lambda: GROUPS)
_equality("equality_sex", "By sex, 12 months", lambda one: _known("sex", one.sex), lambda: _labels("sex"))
_equality(
    "equality_age",
    "By age band, 12 months",
    lambda one: _known("age_band", one.age_band),
    lambda: _labels("age_band"),
)


@measure(
    "handover_within_target",
    f"Handover within {HANDOVER_TARGET_MINUTES} minutes",
    SCRUTINY,
    formula=f"Stays handed over within {HANDOVER_TARGET_MINUTES} minutes of arrival at the site.",
    denominator="Stays at a place of safety with both times.",
)
def handover_within_target(scope: Scope) -> Figure:
    stays = [stay.handover_minutes for fact in scope.members for stay in fact.stays]
    minutes = [one for one in stays if one is not None]
    within = sum(one <= HANDOVER_TARGET_MINUTES for one in minutes)
    return proportion(within, len(minutes), len(stays) - len(minutes))


@measure(
    "hours_on_scene",
    "Hours on scene by service",
    SCRUTINY,
    formula="Hours from arrival to leaving, for each contact: sum and median by service.",
    denominator="Contacts with both times.",
)
def hours_on_scene(scope: Scope) -> Figure:
    times: dict[str, list[float]] = {"police": [], "nurse": [], "paramedic": []}
    contacts = [contact for fact in scope.members for contact in fact.on_scene]
    for contact in contacts:
        if contact.minutes is not None:
            times[contact.profession].append(contact.minutes / 60)
    rows: list[FigureRow] = []
    for code, label in (("police", "Police"), ("nurse", "Mental health trust"), ("paramedic", "Ambulance service")):
        hours = times[code]
        rows += [
            FigureRow(code=code, column="sum", label=label, value=round(sum(hours), 1), of=len(hours)),
            FigureRow(code=code, column="median", label=label, value=quantile(hours, 0.5), of=len(hours)),
        ]
    known = sum(map(len, times.values()))
    return Figure(rows=tuple(rows), known=known, missing=len(contacts) - known)


@measure(
    "data_quality",
    "Data quality",
    SCRUTINY,
    formula="Fields answered, late entries, editions that replaced another, incidents with a conflict, and with "
    "a likely "
    "duplicate not yet settled.",
    denominator="Fields asked, entries, and incidents of the period.",
    kind="snapshot",
)
def data_quality(scope: Scope) -> Figure:
    asked = sum(len(asked_of(fact)) for fact in scope.members)
    answered = sum(len(set(asked_of(fact)) & set(fact.answered)) for fact in scope.members)
    conflicts = sum(any(flag.startswith("conflict:") for flag in fact.flags) for fact in scope.members)
    late = row_of_entries(scope.members)
    duplicates = sum(around.duplicate for around in scope.recent)
    assert isinstance(late.value, int)
    rows = (
        row("completeness", "Fields answered", answered, asked),
        row("late", "Late entries", late.value, late.known),
        row("conflicts", "Incidents with conflicting records", conflicts, len(scope.members)),
        FigureRow(
            code="restatements", label="Editions that replaced another", value=scope.restated, text=str(scope.restated)
        ),
        FigureRow(code="duplicates", label="Likely duplicates, last 28 days", value=duplicates, text=str(duplicates)),
    )
    return Figure(rows=rows, known=answered, missing=asked - answered)
