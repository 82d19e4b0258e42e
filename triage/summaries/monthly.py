"""The monthly measures: how incidents ended, and what became of people who were detained or referred."""

from datetime import timedelta

from triage import codes
from triage.summaries.daily import GRADES
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import Figure, FigureRow, mix, proportion, quantile, row, share_of, shares, split
from triage.summaries.registry import HANDOVER_TARGET_MINUTES, Scope, measure

CONVERTED_WITHIN = timedelta(days=2)
"""How soon after the end of s136 a section 2 or 3 counts as following from it."""
FOLLOWED_UP_WITHIN = timedelta(days=28)


@measure(
    "incidents_by_local_authority",
    "Incidents by local authority",
    "monthly quarterly yearly",
    formula="Incidents of each local authority that an area belongs to, and out of county.",
    denominator="Incidents with a known area.",
    fields="area",
)
def incidents_by_local_authority(scope: Scope) -> Figure:
    labels = {code.code: code.label for code in codes.list("local_authority")} | {"out_of_county": "Out of county"}
    return shares(scope.members, authority_of, labels)


def authority_of(fact: IncidentFact) -> str | None:
    """The local authority of an incident; `out_of_county` where the area belongs to none, None where it is unknown."""
    if codes.is_missing("area", fact.area):
        return None
    area = codes.list("area").get(fact.area)
    return (area.local_authority or "out_of_county") if area else None


def first_place(fact: IncidentFact) -> str | None:
    """The first place of safety; None where there was none, or it is not known, whatever is known of later ones."""
    return fact.stays[0].place if fact.stays else None


@measure(
    "s136_by_place",
    "Section 136 by first place of safety",
    "monthly quarterly yearly",
    formula="Uses of s136 by the first place of safety.",
    denominator="Uses of s136 with a known place.",
    fields="detention",
)
def s136_by_place(scope: Scope) -> Figure:
    return mix(scope.used_s136, first_place, "place_of_safety", all_rows=True)


@measure(
    "s136_by_transport",
    "Section 136 by transport",
    "monthly quarterly yearly",
    formula="Uses of s136 by how the person was taken.",
    denominator="Uses of s136 with known transport.",
    fields="detention transport",
)
def s136_by_transport(scope: Scope) -> Figure:
    return mix(scope.used_s136, lambda fact: fact.transport, "transport", all_rows=True)


@measure(
    "ed_share",
    "Section 136 taken first to an emergency department",
    "monthly quarterly yearly",
    formula="Uses of s136 whose first place of safety was an emergency department.",
    denominator="Uses of s136 with a known place.",
    fields="detention",
)
def ed_share(scope: Scope) -> Figure:
    return share_of(
        scope.used_s136,
        lambda fact: first_place(fact) is not None,
        lambda fact: first_place(fact) == "emergency_department",
    )


@measure(
    "ed_reasons",
    "Why an emergency department",
    "monthly quarterly yearly",
    formula="Stays in an emergency department as a place of safety, by the reason recorded.",
    denominator="Such stays with a reason.",
)
def ed_reasons(scope: Scope) -> Figure:
    stays = [stay for fact in scope.members for stay in fact.stays if stay.place == "emergency_department"]
    return mix(stays, lambda stay: stay.reason, "place_reason")


@measure(
    "ed_avoided",
    "Emergency department considered and not needed",
    "monthly quarterly yearly",
    formula="Incidents where an emergency department was planned, the paramedic found no need, and none followed "
    "in 24 h.",
    denominator="Incidents in question whose 24 hours are over; missing: in question and pending.",
    caveat="Only what is on record: an attendance elsewhere is not seen unless somebody looked.",
    fields="intents initial_plan physical_need outcome",
)
def ed_avoided(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.ed_avoided is not None]
    return share_of(
        asked,
        lambda fact: fact.ed_pending_until is None or fact.ed_pending_until <= scope.as_at,
        lambda fact: bool(fact.ed_avoided),
    )


@measure(
    "custody_by_grade",
    "Custody considered, by grade",
    "monthly quarterly yearly",
    formula="Incidents with an intent to arrest, or a person under arrest, by the result of DIV-1 at the as-at time.",
    denominator="Incidents in which custody was in question.",
    caveat="Alleged serious offences are counted in a row of their own. A hospital instead of a police cell is "
    "not custody "
    "diversion.",
    fields="intents offence diversion",
)
def custody_by_grade(scope: Scope) -> Figure:
    asked = [fact for fact in scope.members if fact.custody.reason not in ("none", "corrected")]
    labels = {code: label.replace("s136", "custody") for code, label in GRADES.items() if code != "R_admitted"}
    figure = shares(asked, lambda fact: fact.custody.at(scope.as_at) or fact.custody.reason, labels)
    known, missing = split(asked, lambda fact: fact.offence is not None)
    alleged = [fact for fact in known if fact.offence == "alleged_serious"]
    serious = row("alleged_serious", "of these: alleged serious", alleged, len(known), missing)
    assert isinstance(figure.rows, tuple)
    return Figure(rows=(*figure.rows, serious), known=figure.known, missing=figure.missing)


@measure(
    "referrals",
    "Referrals made and kept",
    "monthly quarterly yearly",
    formula="Incidents with a referral to each service, and with a follow-up event `kept` for it.",
    denominator="Incidents of which a contact says which referrals were made, if only none; `kept` of those referred.",
    caveat="Kept is known only where somebody recorded it: the row is a lower bound.",
)
def referrals(scope: Scope) -> Figure:
    known, missing = split(scope.members, lambda fact: fact.referrals_asked)
    rows: list[FigureRow] = []
    for code, label in {**_labels("police_referral"), **_labels("health_referral")}.items():
        made = sum(code in fact.referrals for fact in known)
        kept = sum(code in kept_by(fact) for fact in known)
        if made:
            rows += [
                row(code, label, made, len(known), missing, column="made"),
                row(code, label, kept, made, column="kept"),
            ]
    return Figure(rows=tuple(rows), known=len(known), missing=missing)


def _labels(name: str) -> dict[str, str]:
    return {code.code: code.label for code in codes.list(name) if code.code != "none"}


def kept_by(fact: IncidentFact) -> set[str]:
    """The referrals that were kept; a `kept` that names none counts for the only one made."""
    kept = {later.referral for later in fact.follow_ups if later.event == "kept"}
    if None in kept and len(fact.referrals) == 1:
        kept |= set(fact.referrals)
    return {code for code in fact.referrals if code in kept}


@measure(
    "follow_up",
    "Follow-up due and done",
    "monthly quarterly yearly",
    formula="Incidents with a follow-up that was kept, or a person seen again, within 28 days.",
    denominator="Incidents with a follow-up due, and something recorded of it.",
    fields="follow_up_due follow_ups",
)
def follow_up(scope: Scope) -> Figure:
    due = [fact for fact in scope.members if fact.follow_up_due]
    return share_of(due, lambda fact: bool(fact.follow_ups), _followed_up)


def _followed_up(fact: IncidentFact) -> bool:
    return any(
        later.event in ("kept", "seen_again") and later.at <= fact.at + FOLLOWED_UP_WITHIN for later in fact.follow_ups
    )


@measure(
    "follow_up_offered",
    "Follow-up offered to people not admitted",
    "monthly quarterly yearly",
    formula="Uses of s136 that did not end in an admission, with a follow-up offered or a discharge with follow-up.",
    denominator="Uses of s136 that ended, not in an admission, with a known result.",
    fields="detention.result follow_ups",
)
def follow_up_offered(scope: Scope) -> Figure:
    return share_of(not_admitted(scope), _has_result, _was_offered)


def not_admitted(scope: Scope) -> list[IncidentFact]:
    """The uses of s136 that ended, and not in an admission."""
    return [fact for fact in scope.used_s136 if not fact.running and not admitted(fact)]


def _has_result(fact: IncidentFact) -> bool:
    return not codes.is_missing("detention_result", fact.result)


def _was_offered(fact: IncidentFact) -> bool:
    offers = ("offered", "accepted", "kept", "missed")
    return fact.result == "discharged_follow_up" or any(later.event in offers for later in fact.follow_ups)


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
    fields="detention.result",
)
def admissions(scope: Scope) -> Figure:
    return share_of(scope.used_s136, _has_result, admitted)


@measure(
    "conversion",
    "Section 136 converted to section 2 or 3",
    "monthly quarterly yearly",
    formula="Uses of s136 followed by s2 or s3 at its end or within two days of it.",
    denominator="Uses of s136 that ended with a known result, or were followed by s2 or s3 in time.",
    fields="detention.result follow_ups",
)
def conversion(scope: Scope) -> Figure:
    return share_of(scope.used_s136, lambda fact: _converted(fact) or _has_result(fact), _converted)


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
    denominator="Uses of s136 whose clock has a known start: an arrival, or the decision to keep somebody at a place.",
    fields="detention",
)
def extension_rate(scope: Scope) -> Figure:
    return share_of(
        scope.used_s136, lambda fact: fact.clock_started_at is not None, lambda fact: fact.extended_minutes > 0
    )


@measure(
    "time_to_assessment",
    "Hours from the start of the clock to assessment",
    "monthly quarterly yearly",
    formula="Hours from the start of the 24 hours (arrival at the first place of safety, or the decision to keep) to "
    "the first examination by a doctor or interview by an AMHP: median and 90th percentile.",
    denominator="Uses of s136 with both times.",
)
def time_to_assessment(scope: Scope) -> Figure:
    times = [(fact.clock_started_at, fact.assessed_at) for fact in scope.used_s136]
    hours = [(assessed - started) / timedelta(hours=1) for started, assessed in times if started and assessed]
    missing = len(times) - len(hours)
    rows = tuple(
        FigureRow(code=code, label=label, value=quantile(hours, q), of=len(hours), missing=missing)
        for code, label, q in (("median", "Median", 0.5), ("p90", "90th percentile", 0.9))
    )
    return Figure(rows=rows, known=len(hours), missing=missing)


@measure(
    "handover_within_target",
    f"Handover within {HANDOVER_TARGET_MINUTES} minutes",
    "monthly quarterly yearly",
    formula=f"Stays handed over within {HANDOVER_TARGET_MINUTES} minutes of arrival at the site.",
    denominator="Stays at a place of safety with both times.",
)
def handover_within_target(scope: Scope) -> Figure:
    stays = [stay.handover_minutes for fact in scope.members for stay in fact.stays]
    minutes = [taken for taken in stays if taken is not None]
    within = sum(taken <= HANDOVER_TARGET_MINUTES for taken in minutes)
    return proportion(within, len(minutes), len(stays) - len(minutes))
