"""Codes, flags, times and durations in plain words."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from triage import codes
from triage.log import effective
from triage.log.entries import Entry
from triage.pages.local_time import LocalTime

FLAGS: Final = {
    "under_18": "Under 18, or treated as under 18",
    "under_18_police_station": "Under 18 held at a police station",
    "station_not_authorised": "Police station used without authority on record",
    "power_location_conflict": "Power used where the place rules it out",
    "power_not_held": "Section 136 decided by somebody who does not hold the power",
    "mca_by_police": "Mental Capacity Act relied on by police without a physical need",
    "place_disputed": "Place where the power is disputed",
    "invalid_extension": "Extension that does not move the expiry",
    "possible_duplicate": "May be the same as another incident",
    "clock_skew": "A phone's clock was wrong",
    "intent_withdrawn": "Intent withdrawn",
    "target_not_held": "An entry names another that has not arrived",
    "test": "Training",
}
KINDS: Final = {
    "officer": "Police contact",
    "nurse": "Nurse contact",
    "paramedic": "Paramedic contact",
    "intent": "What the officer intended",
    "outcome": "Outcome",
    "detention": "Detention event",
    "follow_up": "Follow-up",
    "amendment": "Amendment",
    "withdrawal": "Withdrawal",
    "same_incident": "Said to be the same incident",
    "not_same_incident": "Said to be different incidents",
    "person_link": "Person linked",
    "person_unlink": "Person unlinked",
    "erasure": "Erasure",
}
GRADES: Final = {
    "A": "corroborated",
    "B": "recorded at the time",
    "C": "claimed only",
    "X": "disputed, or not available in law",
    "R": "reversed within 24 hours",
    "U": "cannot be said",
    "P": "pending, the 24 hours are not over",
}
REASONS: Final = {
    "none": "was not in mind",
    "corrected": "the intent was corrected to something else",
    "used": "was used",
    "substituted": "another compulsion was used instead",
    "not_safe": "was considered and not used; then the person left, went missing or died",
    "not_seen": "was considered; nobody was seen",
}
WINDOWS: Final = {
    "checked": "Somebody looked: nothing worse is known in the 24 hours after.",
    "not_checked": "Nobody has looked yet whether anything happened in the 24 hours after.",
    "not_traceable": "What happened in the 24 hours after could not be traced.",
}
BECAUSE: Final = {
    "intent": "an officer recorded what was in mind",
    "arrested": "the person had been arrested",
    "first_disposal": "this was the first decision",
    "s136": "Section 136 was used",
    "s135": "Section 135 was used",
    "used": "the power was used",
    "contemporaneous": "the intent was recorded before anybody was consulted and before the decision",
    "not_contemporaneous": "the intent was recorded only after consultation, advice or the decision",
    "judged_blind": "a nurse who had not been shown the officer’s intent also judged that Section 136 was justified",
    "law": "the law does not allow the power in this place",
    "test": "the officer answered no to one of the three legal tests",
    "test_missing": "one of the three legal tests was not answered",
    "judge": "a nurse who assessed the person judged that Section 136 was not justified",
    "confidence_1": "the officer called it only possible",
    "confidence_missing": "how sure the officer was is not recorded",
    "control_room": "the intent was the control room’s, not the officer’s own",
    "referring_officer": "the intent was a referring officer’s, with a collar number and a time in the log",
    "unconfirmed": "the intent was a referring officer’s, without a collar number and a time in the log",
    "recorded_at_the_time": "body-worn video or the radio log shows it at the time",
    "no_disposal": "no outcome is recorded yet",
    "no_decided_at": "when the outcome was decided is not recorded",
    "place_missing": "the place is not recorded",
    "place_unresolved": "whether the power reaches this place cannot be said",
    "corrected": "the intent was corrected to something else",
    "intent_withdrawn": "the intent was withdrawn",
    "received_late": "an entry reached the service more than 72 hours after it was made",
    "late_input": "part of what the grade rests on was given or changed after the decision",
    "evidence_withdrawn": "evidence on record was later taken back",
    "conflict:disposal": "the records disagree on what was decided",
    "no_offence": "the officer recorded that there was no offence",
    "offence_missing": "whether there was an offence is not recorded",
    "necessity_missing": "why an arrest would have been necessary is not recorded",
    "later_arrest": "an arrest followed within 24 hours",
    "arrest_custody": "the person was taken to custody within 24 hours",
    "custody": "a detention ended in custody within 24 hours",
    "serious_harm": "serious harm followed within 24 hours",
    "died": "the person died within 24 hours",
    "s2": "Section 2 followed within 24 hours",
    "s3": "Section 3 followed within 24 hours",
    "s4": "Section 4 followed within 24 hours",
    "s5": "Section 5 followed within 24 hours",
    "s2_s3_s4": "Section 2, 3 or 4 followed within 24 hours",
    "mha_detention": "a detention under the Mental Health Act followed within 24 hours",
}
"""Why a grade is what it is, by the code of the rule: each continues a sentence that begins with “Because”."""
FOR_EVERY_GRADE: Final = frozenset(("intent", "first_disposal"))
"""Reasons that hold for every grade, and so tell nothing of this one."""
ROLES: Final = {"sergeant": "Sergeant", "clinical_lead": "Clinical lead"}
UNSAID: Final = "Not recorded"

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.+")
_LISTS: Final = {
    "power": ("intent_power", "detention_power"),
    "source": ("intent_source",),
    "sources": ("window_source",),
    "role": ("consulted_role",),
    "event": ("detention_event", "follow_up_event"),
    "ground": ("extension_ground",),
    "result": ("detention_result",),
    "section": ("later_section",),
    "referrals": ("police_referral", "health_referral"),
    "by": ("decided_by",),
    "force_code": ("police_force",),
}
"""Fields whose list has another name."""
_AS_TYPED: Final = ("note", "log_ref", "car", "referrer", "sent", "id", "incident_id", "other_incident_id")
_DEEPEST: Final = 4
"""Refused content may be nested without end; entries are not nested deeper than this."""
_NAMED: Final = frozenset(codes.names())


def code(field: str, value: str | None) -> str:
    """A code of this field in words; one that no list knows is shown as it is, without underscores."""
    if value is None:
        return UNSAID
    for name in _LISTS.get(field, (field,)):
        if name in _NAMED and value in codes.list(name):
            return codes.list(name)[value].label
    return sentence(value)


def short(field: str, value: str) -> str:
    """A code's short label, for a row or a tile."""
    return codes.short(field, value) or sentence(value)


def kind(entry: Entry) -> str:
    """The kind of an entry in words."""
    name = effective.kind(entry)
    return KINDS.get(name) or sentence(name)


def flag(name: str) -> str:
    """A flag in words."""
    return FLAGS.get(name) or sentence(name)


def sentence(name: str) -> str:
    """A name made of words."""
    return name.replace("_", " ").capitalize()


def because(codes_: Iterable[str]) -> list[str]:
    """The reasons of a grade as clauses, each once, those that hold for every grade only where there is no other."""
    reasons = list(dict.fromkeys(codes_))
    telling = [code for code in reasons if code not in FOR_EVERY_GRADE] or reasons[:1]
    return list(dict.fromkeys(BECAUSE.get(code, code.replace("_", " ")) for code in telling))


def lasting(span: timedelta) -> str:
    """A duration, short: 45 min, 3 h 05 min, 9 days."""
    minutes = int(abs(span).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 72:
        return f"{hours // 24} days"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def lines(
    content: dict[str, Any], local: LocalTime, leave_out: frozenset[str] = frozenset(), depth: int = 0
) -> Iterator[tuple[str, str]]:
    """The fields of an entry as term and description, those of its parts after their part's name."""
    for name, value in content.items():
        if name in leave_out or value is None:
            continue
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from (
                (f"{sentence(name)}: {term.lower()}", said) for term, said in lines(value, local, depth=depth + 1)
            )
        else:
            yield sentence(name), _said(name, value, local, depth)


def _said(field: str, value: Any, local: LocalTime, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    match value:
        case bool():
            return "Yes" if value else "No"
        case str() if _TIME.fullmatch(value):
            return _time(value, local)
        case str():
            return value if field in _AS_TYPED else code(field, value)
        case list():
            return "; ".join(_said(field, part, local, depth + 1) for part in value) or "None"
        case dict():
            return "; ".join(f"{term}: {said}" for term, said in lines(value, local, depth=depth + 1))
        case _:
            return str(value)


def is_time(text: str) -> bool:
    """Whether a text has the form of a time with a date."""
    return bool(_TIME.fullmatch(text))


def _time(text: str, local: LocalTime) -> str:
    try:
        return local.at(msgspec.convert(text, datetime))
    except (msgspec.ValidationError, OverflowError, ValueError):
        return text
