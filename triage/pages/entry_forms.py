"""The forms behind what Today asks for. Each becomes one entry in the writer's name.

Only what the role may know is asked: a sergeant sees of a detention's result that it ended, or custody.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.correction_forms import amend, person_unlink, withdraw
from triage.pages.fields import YES_NO, Field, Options, of_list, when
from triage.pages.form import REASON, EntryForm, FormQuery
from triage.pages.loaded_incident import LoadedIncident
from triage.problems import NOT_FOUND, Refused

AHEAD_TOLERATED: Final = timedelta(minutes=2)
S136_DISPOSALS: Final = ("s136_removed", "s136_kept")
RESULTS: Final[Mapping[str, Options]] = {
    "sergeant": (("unknown", "It ended"), ("custody", "To custody")),
    "clinical_lead": (
        ("discharged_follow_up", "Discharged with follow-up"),
        ("discharged_no_follow_up", "Discharged, no follow-up"),
        ("no_mental_disorder", "No mental disorder found"),
        ("admitted_informal", "Admitted informally"),
        ("detained_s2", "Section 2"),
        ("detained_s3", "Section 3"),
        ("detained_s4", "Section 4"),
        ("lapsed", "The time ran out"),
        ("released_before_place_of_safety", "Released before a place of safety"),
        ("custody", "To custody"),
        ("not_retaken", "Left and not found again"),
        ("died", "Died"),
        ("unknown", "It ended, how is not known"),
    ),
}


def form_for(what: str, incident: LoadedIncident, asked: FormQuery) -> EntryForm:
    """The form at an address. `asked`: `other`, `entry`, of the query or the form. Raises Refused (404)."""
    build = FORMS.get(what)
    if build is None:
        raise Refused(NOT_FOUND)
    return build(incident, asked)


def _power(view: IncidentView) -> dict[str, Any]:
    return {"power": view.detention.power} if view.detention else {}


def _odd_times(incident: LoadedIncident, *names: str) -> Callable[[dict[str, Any]], dict[str, str]]:
    began = incident.view.detention.began_at if incident.view.detention else incident.view.occurred_at
    what = "the detention began" if incident.view.detention else "the incident"

    def odd(values: dict[str, Any]) -> dict[str, str]:
        oddities = {}
        for name in names:
            at = values.get(name)
            if isinstance(at, datetime) and at > incident.local.now + AHEAD_TOLERATED:
                oddities[name] = "This time is in the future. Correct it, or send it again if it is right."
            elif isinstance(at, datetime) and at < began.replace(second=0, microsecond=0):
                oddities[name] = f"This is before {what}. Correct it, or send it again if it is right."
        return oddities

    return odd


def _end(incident: LoadedIncident, _: FormQuery) -> EntryForm:
    return EntryForm(
        title="Record the end of a detention",
        button="Record the end",
        done="The end is recorded.",
        fields=(
            Field(name="result", kind="radios", question="How did it end?", options=RESULTS[incident.reader.role]),
            when(),
        ),
        body=lambda values: {"kind": "detention", "event": "ended", **_power(incident.view), **values},
        odd=_odd_times(incident, "at"),
    )


def _extend(incident: LoadedIncident, _: FormQuery) -> EntryForm:
    day = incident.local.today
    stay = incident.view.detention.places[-1] if incident.view.detention and incident.view.detention.places else None
    station = (
        (
            Field(
                name="superintendent_approved", kind="radios", question="Did a superintendent approve?", options=YES_NO
            ),
        )
        if stay and stay.place_of_safety == "police_station"
        else ()
    )
    return EntryForm(
        title="Record an extension",
        button="Record the extension",
        done="The extension is recorded.",
        before="Only the responsible doctor, for the person’s condition and before the 24 hours end, moves the clock. "
        "Anything else is recorded and flagged.",
        fields=(
            Field(name="minutes", kind="duration", question="For how long?", hint="Up to 12 hours."),
            of_list("ground", REASON, "extension_ground", on=day),
            of_list("authorised_by", "Who authorised it?", "authorised_by", on=day),
            *station,
            when(question="When was it authorised?"),
        ),
        body=lambda values: {"kind": "detention", "event": "extended", **_power(incident.view), **values},
        odd=_odd_times(incident, "at"),
    )


def _arrival(incident: LoadedIncident, _: FormQuery) -> EntryForm:
    day = incident.local.today
    return EntryForm(
        title="Record the arrival",
        button="Record the arrival",
        done="The arrival is recorded.",
        before="The 24 hours run from the arrival at the first place of safety.",
        fields=(of_list("place_of_safety", "Where?", "place_of_safety", on=day), when()),
        body=lambda values: {"kind": "detention", "event": "arrived_site", **_power(incident.view), **values},
        odd=_odd_times(incident, "at"),
    )


def _outcome(incident: LoadedIncident, _: FormQuery) -> EntryForm:
    day = incident.local.day_of(incident.view.occurred_at)
    may_use = incident.reader.side == "police"

    def odd(values: dict[str, Any]) -> dict[str, str]:
        oddities = _odd_times(incident, "decided_at")(values)
        if values.get("disposal") in S136_DISPOSALS and values.get("decided_by") not in (None, "officer"):
            oddities["decided_by"] = (
                "Only a constable holds the power of Section 136. Correct it, or send it again: it is then recorded "
                "and flagged."
            )
        return oddities

    return EntryForm(
        title="Record the outcome",
        button="Record the outcome",
        done="The outcome is recorded.",
        fields=(
            of_list(
                "disposal",
                "What was decided?",
                "disposal",
                on=day,
                only=lambda code: may_use or code not in S136_DISPOSALS,
            ),
            of_list("decided_by", "Who decided?", "decided_by", on=day),
            when("decided_at", "When was it decided?"),
            of_list("transport", "How was the person taken?", "transport", on=day, required=False),
        ),
        body=lambda values: {"kind": "outcome", **values},
        odd=odd,
    )


LINK_REASONS: Final[Options] = (
    ("same_log_and_person", "Same log and same person"),
    ("same_person_and_time", "Same person, same time"),
    ("sent_twice", "Sent twice"),
    ("other", "Something else"),
)
APART_REASONS: Final[Options] = (
    ("different_people", "Two people"),
    ("different_times", "Two times"),
    ("linked_in_error", "Linked in error"),
    ("other", "Something else"),
)


def _link(_: LoadedIncident, asked: FormQuery) -> EntryForm:
    other = asked.get("other", "")
    reference = Field(
        name="log_ref",
        kind="text",
        question="The other’s log reference",
        hint="Case, blanks and dashes do not matter.",
    )
    reason = Field(name="reason", kind="radios", question="Why are they one?", options=LINK_REASONS)
    return EntryForm(
        title="Link to another incident",
        button="Say they are one",
        done="Linked: they are one incident now.",
        before="The two become one incident, counted once. It can be undone." if other else "",
        fields=(reason,) if other else (reference, reason),
        body=partial(_statement, "same_incident", other),
        hidden=_given(other),
    )


def _apart(incident: LoadedIncident, asked: FormQuery) -> EntryForm:
    other = asked.get("other", "")
    linked = tuple(
        (str(linked_id), f"The incident that began as {str(linked_id)[-6:]}") for linked_id in incident.view.linked_ids
    )
    if not other and not linked:
        raise Refused(NOT_FOUND)
    which = Field(name="other", kind="radios", question="Which one?", options=linked)
    reason = Field(name="reason", kind="radios", question="Why are they two?", options=APART_REASONS)
    return EntryForm(
        title="Keep two incidents apart",
        button="Keep them apart",
        done="Kept apart: they are two incidents.",
        fields=(reason,) if other else (which, reason),
        body=partial(_statement, "not_same_incident", other),
        hidden=_given(other),
    )


def _statement(kind: str, other: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "other_incident_id": other or values["other"], "reason": values["reason"]}


def _given(other: str) -> dict[str, str]:
    return {"other": other} if other else {}


def _follow_up(incident: LoadedIncident, _: FormQuery) -> EntryForm:
    day = incident.local.today
    sources = tuple((source, words.code("sources", source)) for source in ("trust_record", "police_s136_list", "ed"))
    return EntryForm(
        title="Record a follow-up",
        button="Record the follow-up",
        done="The follow-up is recorded.",
        fields=(
            of_list("event", "What happened?", "follow_up_event", on=day),
            when(),
            Field(
                name="sources",
                kind="boxes",
                question="If the 24 hours were checked: in which records?",
                options=sources,
                required=False,
            ),
            of_list("section", "If detained later: under which section?", "later_section", on=day, required=False),
            *(
                (of_list("referral", "Of which referral?", "referral", on=day, required=False),)
                if incident.reader.side == "health"
                else ()
            ),
        ),
        body=lambda values: {"kind": "follow_up", **values},
        odd=_odd_times(incident, "at"),
    )


FORMS: Final[Mapping[str, Callable[[LoadedIncident, FormQuery], EntryForm]]] = {
    "end": _end,
    "extend": _extend,
    "arrival": _arrival,
    "outcome": _outcome,
    "link": _link,
    "apart": _apart,
    "follow-up": _follow_up,
    "withdraw": withdraw,
    "amend": amend,
    "person-unlink": person_unlink,
}
"""The forms that become one entry, by the last part of their address."""
