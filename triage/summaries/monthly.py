"""The monthly measures: how incidents ended, and what became of people who were detained or referred."""

from collections import Counter
from datetime import timedelta

from triage import codes
from triage.summaries.daily import GRADES
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import Figure, FigureRow, mix, proportion, quantile, row, shares, split
from triage.summaries.registry import Scope, measure

CONVERTED_WITHIN = timedelta(days=2)
"""How soon after the end of s136 a section 2 or 3 counts as following from it."""
FOLLOWED_UP_WITHIN = timedelta(days=28)


@measure(
    "incidents_by_local_authority",
    "Incidents by local authority",
    "monthly quarterly yearly",
    formula="Incidents of each local authority that an area belongs to, and out of county.",
    denominator="Incidents with a known area.",
)
def incidents_by_local_authority(scope: Scope) -> Figure:
    labels = {one.code: one.label for one in codes.list("local_authority")} | {"out_of_county": "Out of county"}
    return shares((authority_of(fact) for fact in scope.members), labels)


def authority_of(fact: IncidentFact) -> str | None:
    """The local authority of an incident; `out_of_county` where the area belongs to none, None where it is unknown."""
    if codes.is_missing("area", fact.area):
        return None
    return codes.list("area")[fact.area].local_authority or "out_of_county"


def first_place(fact: IncidentFact) -> str | None:
    """The first place of safety; None where there was none, or it is not known."""
    return next((stay.place for stay in fact.stays if stay.place), None)


@measure(
    "s136_by_place",
    "Section 136 by first place of safety",
    "monthly quarterly yearly",
    formula="Uses of s136 by the first place of safety.",
    denominator="Uses of s136 with a known place.",
)
def s136_by_place(scope: Scope) -> Figure:
    return mix(map(first_place, scope.used_s136), "place_of_safety", all_rows=True)


@measure(
    "s136_by_transport",
    "Section 136 by transport",
    "monthly quarterly yearly",
    formula="Uses of s136 by how the person was taken.",
    denominator="Uses of s136 with known transport.",
)
def s136_by_transport(scope: Scope) -> Figure:
    return mix((fact.transport for fact in scope.used_s136), "transport", all_rows=True)


@measure(
    "ed_share",
    "Section 136 taken first to an emergency department",
    "monthly quarterly yearly",
    formula="Uses of s136 whose first place of safety was an emergency department.",
    denominator="Uses of s136 with a known place.",
)
def ed_share(scope: Scope) -> Figure:
    known, missing = split(map(first_place, scope.used_s136), lambda place: place is not None)
    return proportion(known.count("emergency_department"), len(known), missing)


@measure(
    "ed_reasons",
    "Why an emergency department",
    "monthly quarterly",
    formula="Stays in an emergency department as a place of safety, by the reason recorded.",
    denominator="Such stays with a reason.",
)
def ed_reasons(scope: Scope) -> Figure:
    stays = [stay for fact in scope.members for stay in fact.stays if stay.place == "emergency_department"]
    return mix((stay.reason for stay in stays), "place_reason")


@measure(
    "ed_avoided",
    "Emergency department considered and not needed",
    "monthly quarterly yearly",
    formula="Incidents where an emergency department was planned, the paramedic found no need, and none followed "
    "in 24 h.",
    denominator="Incidents in question whose 24 hours are over; missing: in question and pending.",
    caveat="Only what is on record: an attendance elsewhere is not seen unless somebody looked.",
)
def ed_avoided(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.ed_avoided is not None]
    known, missing = split(asked, lambda fact: fact.ed_pending_until is None or fact.ed_pending_until <= scope.as_at)
    return proportion(sum(fact.ed_avoided is True for fact in known), len(known), missing)


@measure(
    "custody_by_grade",
    "Custody considered, by grade",
    "monthly quarterly yearly",
    formula="Incidents with an intent to arrest, or a person under arrest, by the result of DIV-1 at the as-at time.",
    denominator="Incidents in which custody was in question.",
    caveat="Alleged serious offences are counted in a row of their own. A hospital instead of a police cell is "
    "not custody "
    "diversion.",
)
def custody_by_grade(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.custody.reason not in ("none", "corrected")]
    labels = {code: label.replace("s136", "custody") for code, label in GRADES.items() if code != "R_admitted"}
    figure = shares((fact.custody.at(scope.as_at) or fact.custody.reason for fact in asked), labels)
    serious = row(
        "alleged_serious", "of these: alleged serious", sum(f.offence == "alleged_serious" for f in asked), len(asked)
    )
    assert isinstance(figure.rows, tuple)
    return Figure(rows=(*figure.rows, serious), known=figure.known, missing=figure.missing)


@measure(
    "referrals",
    "Referrals made and kept",
    "monthly quarterly yearly",
    formula="Incidents with a referral to each service, and with a follow-up event `kept` for it.",
    denominator="Incidents with a contact; `kept` of those referred.",
    caveat="Kept is known only where somebody recorded it: the row is a lower bound.",
)
def referrals(scope: Scope) -> Figure:
    made = Counter(code for fact in scope.members for code in fact.referrals)
    kept = Counter(code for fact in scope.members for code in kept_by(fact))
    labels = {**_labels("police_referral"), **_labels("health_referral")}
    rows: list[FigureRow] = []
    for code, label in labels.items():
        if made[code]:
            rows += [
                FigureRow(
                    code=code, column="made", label=label, value=made[code], of=len(scope.members), text=str(made[code])
                ),
                row(code, label, kept[code], made[code], column="kept"),
            ]
    known = sum(bool(fact.referrals) for fact in scope.members)
    return Figure(rows=tuple(rows), known=known, missing=len(scope.members) - known)


def _labels(name: str) -> dict[str, str]:
    return {one.code: one.label for one in codes.list(name) if one.code != "none"}


def kept_by(fact: IncidentFact) -> set[str]:
    """The referrals that were kept; a `kept` that names none counts for the only one made."""
    kept = {one.referral for one in fact.follow_ups if one.event == "kept"}
    if None in kept and len(fact.referrals) == 1:
        kept |= set(fact.referrals)
    return {code for code in fact.referrals if code in kept}


@measure(
    "follow_up",
    "Follow-up due and done",
    "monthly quarterly yearly",
    formula="Incidents with a follow-up that was kept, or a person seen again, within 28 days.",
    denominator="Incidents with a follow-up due, and something recorded of it.",
)
def follow_up(scope: Scope) -> Figure:
    due = [fact for fact in scope.members if fact.follow_up_due]
    known, missing = split(due, lambda fact: bool(fact.follow_ups))
    return proportion(sum(map(_followed_up, known)), len(known), missing)


def _followed_up(fact: IncidentFact) -> bool:
    return any(
        one.event in ("kept", "seen_again") and one.at <= fact.at + FOLLOWED_UP_WITHIN for one in fact.follow_ups
    )


@measure(
    "follow_up_offered",
    "Follow-up offered to people not admitted",
    "monthly quarterly yearly",
    formula="Uses of s136 that did not end in an admission, with a follow-up offered or a discharge with follow-up.",
    denominator="Uses of s136 that ended, not in an admission, with a known result.",
)
def follow_up_offered(scope: Scope) -> Figure:
    ended = [fact for fact in scope.used_s136 if not fact.running and not admitted(fact)]
    known, missing = split(ended, lambda fact: not codes.is_missing("detention_result", fact.result))
    offered = [fact for fact in known if fact.result == "discharged_follow_up" or _was_offered(fact)]
    return proportion(len(offered), len(known), missing)


def _was_offered(fact: IncidentFact) -> bool:
    return any(one.event in ("offered", "accepted", "kept", "missed") for one in fact.follow_ups)


ADMITTED = frozenset(("admitted_informal", "detained_s2", "detained_s3", "detained_s4"))


def admitted(fact: IncidentFact) -> bool:
    """Whether a detention ended in an admission, of whatever kind."""
    return fact.result in ADMITTED


@measure(
    "admitted",
    "Section 136 followed by admission",
    "monthly quarterly yearly",
    formula="Uses of s136 that ended in an admission, informal or under a section.",
    denominator="Uses of s136 that ended with a known result.",
)
def admissions(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: not codes.is_missing("detention_result", fact.result))
    return proportion(sum(map(admitted, known)), len(known), missing)


@measure(
    "conversion",
    "Section 136 converted to section 2 or 3",
    "monthly quarterly yearly",
    formula="Uses of s136 followed by s2 or s3 at its end or within two days of it.",
    denominator="Uses of s136 that ended with a known result.",
)
def conversion(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: not codes.is_missing("detention_result", fact.result))
    return proportion(sum(map(_converted, known)), len(known), missing)


def _converted(fact: IncidentFact) -> bool:
    if fact.result in ("detained_s2", "detained_s3"):
        return True
    ended = fact.ended_at
    return ended is not None and any(
        later.code in ("s2", "s3") and ended <= later.at <= ended + CONVERTED_WITHIN
        for later in (*fact.events, *fact.others)
    )


@measure(
    "extension_rate",
    "Section 136 extended",
    "monthly quarterly yearly",
    formula="Uses of s136 with an extension that moved the expiry (section 136B).",
    denominator="Uses of s136 with a known arrival.",
)
def extension_rate(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: fact.arrived_at is not None)
    return proportion(sum(fact.extended_minutes > 0 for fact in known), len(known), missing)


@measure(
    "time_to_assessment",
    "Hours from arrival to assessment",
    "monthly quarterly yearly",
    formula="Hours from arrival at the first place of safety to the first examination by a doctor or interview by an "
    "AMHP: median and 90th percentile.",
    denominator="Uses of s136 with both times.",
)
def time_to_assessment(scope: Scope) -> Figure:
    known, missing = split(scope.used_s136, lambda fact: fact.arrived_at is not None and fact.assessed_at is not None)
    hours = [(f.assessed_at - f.arrived_at) / timedelta(hours=1) for f in known if f.arrived_at and f.assessed_at]
    rows = (
        FigureRow(code="median", label="Median", value=quantile(hours, 0.5), of=len(hours)),
        FigureRow(code="p90", label="90th percentile", value=quantile(hours, 0.9), of=len(hours)),
    )
    return Figure(rows=rows, known=len(known), missing=missing)
