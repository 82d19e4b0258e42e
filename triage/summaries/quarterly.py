"""The quarterly and yearly measures, for overview and scrutiny."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from triage import codes
from triage.log.resolve import ethnic_group
from triage.summaries.daily import WINDOWS, by_grade, completeness_by_field, row_of_entries
from triage.summaries.facts import IncidentFact, Profile
from triage.summaries.figures import Figure, FigureRow, count_row, labels_of, quantile, row, share_of, split
from triage.summaries.monthly import not_admitted
from triage.summaries.needs_action import conflicts_in
from triage.summaries.registry import POOLED_MONTHS, Scope, measure

SCRUTINY = "quarterly yearly"
SERVICES = {"police": "Police", "nurse": "Mental health trust", "paramedic": "Ambulance service"}
"""The professions by the organisation whose time they spend."""
ATTENDED = ("attended",)
REMOTE = ("telephone", "video")
GROUPS = {name: name for name in ("White", "Mixed", "Asian", "Black", "Other")}
HARMED = frozenset(("s136", "s135", "s2", "s3", "s4", "s5", "s2_s3_s4", "mha_detention", "serious_harm", "died"))
"""The events that end survival after s136 was considered and not used."""


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
        fields="intents diversion contact_mode repeat_contact",
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
    fields="intents diversion repeat_contact",
)
def window_checked(scope: Scope) -> Figure:
    graded = {grade: _of_grade(scope, grade) for grade in ("A", "B")}
    rows = [
        row(
            code,
            f"Grade {grade}: {label}",
            [fact for fact in facts if (fact.s136.window or "not_checked") == code],
            len(facts),
            column=grade,
        )
        for grade, facts in graded.items()
        for code, label in WINDOWS.items()
    ]
    return Figure(rows=tuple(rows), known=sum(map(len, graded.values())), missing=0)


def _of_grade(scope: Scope, *grades: str) -> list[IncidentFact]:
    return [fact for fact in scope.in_question if fact.s136.at(scope.as_at) in grades]


@measure(
    "intent_received",
    "Grades A and B whose intent was received soon",
    "monthly quarterly yearly",
    formula="Incidents of grade A or B whose intent the service received within 1 hour, and within 24 hours, of its "
    "capture.",
    denominator="Incidents of grade A or B among those in question.",
    caveat="What comes later may have been written later. Phones without signal send late as well.",
    fields="intents diversion repeat_contact",
)
def intent_received(scope: Scope) -> Figure:
    rows: list[FigureRow] = []
    for grade in ("A", "B"):
        graded = _of_grade(scope, grade)
        for hours in (1, 24):
            soon = [fact for fact in graded if fact.intent_took is not None and fact.intent_took <= 60 * hours]
            label = f"Grade {grade}: intent received within {hours} hour{'s' if hours > 1 else ''}"
            rows.append(row(f"within_{hours}_h", label, soon, len(graded), column=grade))
    return Figure(rows=tuple(rows), known=len(_of_grade(scope, "A", "B")), missing=0)


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
    fields="intents diversion repeat_contact",
)
def survival(scope: Scope) -> Figure:
    graded = [fact for fact in _of_grade(scope, "A", "B") if fact.decided_at]
    rows: list[FigureRow] = []
    known = missing = 0
    for days in (7, 28, 90):
        old, young = split(graded, lambda fact, d=days: _age(scope, fact) >= timedelta(days=d))  # type: ignore[misc]
        linked, unlinked = split(old, lambda fact: bool(fact.people))
        well = [fact for fact in linked if not _worsened(scope, fact, timedelta(days=days))]
        rows += [row(f"days_{days}", f"{days} days", well, len(linked), unlinked), _not_yet_known(days, young)]
        known, missing = len(linked), unlinked
    return Figure(rows=tuple(rows), known=known, missing=missing)


def _not_yet_known(days: int, young: int) -> FigureRow:
    return count_row(f"days_{days}", f"{days} days: not yet known", young, column="not_yet_known")


def _age(scope: Scope, fact: IncidentFact) -> timedelta:
    assert fact.decided_at
    return scope.as_at - fact.decided_at


def _worsened(scope: Scope, fact: IncidentFact, within: timedelta) -> bool:
    start = fact.decided_at
    assert start
    events = [*fact.events, *(event for other in scope.others_of(fact) for event in other.events)]
    return any(event.code in HARMED and start < event.at <= start + within for event in events)


@measure(
    "s136_again",
    "Another section 136 within 28 days of one without admission",
    SCRUTINY,
    formula="Uses of s136 that did not end in an admission, followed by another use for the same person within "
    "28 days.",
    denominator="Uses of s136 that old that ended, not in an admission, and whose person is linked; missing: "
    "nobody linked.",
    caveat="Only what this service logged.",
    fields="detention.result repeat_contact",
)
def s136_again(scope: Scope) -> Figure:
    within = timedelta(days=28)
    old = [fact for fact in not_admitted(scope) if fact.s136_at and scope.as_at - fact.s136_at >= within]
    return share_of(old, lambda fact: bool(fact.people), lambda fact: _again(scope, fact))


def _again(scope: Scope, fact: IncidentFact) -> bool:
    start = fact.s136_at
    assert start
    until = start + timedelta(days=28)
    uses = [other.s136_at for other in scope.others_of(fact)]
    uses += [event.at for event in fact.events if event.code == "s136" and event.at > start]
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
        rows += [row(f"days_{days}", f"{days} days", again, len(linked), unlinked), _not_yet_known(days, young)]
        known, missing = len(linked), unlinked
    return Figure(rows=tuple(rows), known=known, missing=missing)


@measure(
    "under_18s",
    "Under 18",
    SCRUTINY,
    formula="Incidents of people treated as under 18, those detained, and those for whom a police station was used.",
    denominator="Incidents with a known age, or treated as under 18 because somebody thought so.",
    fields="age_band detention legal_status outcome",
)
def under_18s(scope: Scope) -> Figure:
    known, missing = split(scope.members, lambda fact: fact.under_18 or not codes.is_missing("age_band", fact.age_band))
    children = [fact for fact in known if fact.under_18]
    detained = [fact for fact in children if fact.s136_at or fact.s135_at]
    stations = [fact for fact in children if "under_18_police_station" in fact.flags]
    rows = (
        row("under_18", "Under 18", children, len(known), missing),
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
        denominator=f"Incidents of the group, group known, in the {POOLED_MONTHS} months that end with the period, "
        "because a quarter is too small; in a comparison those of the span alone.",
        caveat="Differences between groups may come from who is met, where and when; they are a reason to look, not a "
        "finding.",
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
        return Figure(rows=tuple(rows), known=known, missing=missing, text=_pooled_days(scope))


def _pooled_days(scope: Scope) -> str:
    """Which days an equality table counts."""
    if scope.pooled_since is None:
        return ""
    last = scope.ends_at.astimezone(scope.zone) - timedelta(days=1)
    return f"Incidents of {scope.pooled_since.astimezone(scope.zone):%-d %B %Y} to {last:%-d %B %Y}"


def _known(name: str, value: str | None) -> str | None:
    return None if codes.is_missing(name, value) else value


_equality("equality_ethnicity", "By ethnic group", lambda profile: ethnic_group(profile.ethnicity), lambda: GROUPS)
_equality("equality_sex", "By sex", lambda profile: _known("sex", profile.sex), lambda: labels_of("sex"))
_equality(
    "equality_age",
    "By age band",
    lambda profile: _known("age_band", profile.age_band),
    lambda: labels_of("age_band"),
)


@measure(
    "hours_on_scene",
    "Hours on scene by service",
    SCRUTINY,
    formula="Hours from arrival to leaving, for each contact: sum and median by service.",
    denominator="Contacts with both times.",
)
def hours_on_scene(scope: Scope) -> Figure:
    contacts = [contact for fact in scope.members for contact in fact.on_scene]
    rows: list[FigureRow] = []
    for code, label in SERVICES.items():
        minutes = [contact.minutes for contact in contacts if contact.profession == code]
        hours = [taken / 60 for taken in minutes if taken is not None]
        row_of = partial(FigureRow, code=code, label=label, of=len(hours), missing=len(minutes) - len(hours))
        rows += [
            row_of(column="sum", value=round(sum(hours), 1)),
            row_of(column="median", value=quantile(hours, 0.5)),
        ]
    known = sum(contact.minutes is not None for contact in contacts)
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
    fields="flags diversion intents",
)
def data_quality(scope: Scope) -> Figure:
    fields, late = completeness_by_field(scope), row_of_entries(scope.members)
    conflicts = [fact for fact in scope.members if conflicts_in(fact.flags)]
    duplicates = [recent.fact for recent in scope.recent if recent.duplicate]
    assert isinstance(late.value, int)
    rows = (
        row("completeness", "Fields answered", fields.known, fields.known + fields.missing),
        row("late", "Late entries", late.value, late.known),
        row("conflicts", "Incidents with conflicting records", conflicts, len(scope.members)),
        count_row("restatements", "Editions that replaced another", scope.restated),
        count_row("duplicates", "Likely duplicates, last 28 days", duplicates),
    )
    return Figure(rows=rows, known=fields.known, missing=fields.missing)
