"""Arbitrary logs of one incident, for properties: any staff, any fields, changes of anything, held or not."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from support.story import ANOTHER, INCIDENT, STAFF, TESTS, Story
from triage import codes

MINUTES = st.integers(0, 40) | st.integers(0, 3 * 24 * 60)
"""Many things happen in the first minutes, where the rules' limits lie."""


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def some_code(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([row.code for row in codes.list(name)])


def code(name: str) -> st.SearchStrategy[str | None]:
    return maybe(some_code(name))


COMMON: dict[str, st.SearchStrategy[Any]] = {
    "occurred_at": maybe(MINUTES),
    "arrived_at": maybe(st.integers(0, 10)),
    "area": code("area"),
    "location_type": code("location_type"),
    "someone_lives_there": maybe(st.booleans()),
    "age": maybe(st.integers(8, 70)),
    "age_verified": maybe(st.booleans()),
    "could_be_under_18": maybe(st.booleans()),
    "sex": code("sex"),
    "ethnicity": code("ethnicity"),
    "disability": code("disability"),
    "presenting": maybe(st.lists(some_code("presenting"), max_size=2)),
    "legal_status": st.just("free_to_leave") | code("legal_status"),
}

INTENT = st.fixed_dictionaries(
    {"power": st.just("s136") | some_code("intent_power")},
    optional={
        "confidence": st.integers(1, 3),
        "formed_at": MINUTES,
        "source": code("intent_source"),
        "referrer": st.just("*"),
        "log_time": MINUTES,
        "tests": st.just(TESTS) | st.fixed_dictionaries({name: maybe(st.booleans()) for name in TESTS}),
        "location_type": code("location_type"),
        "evidence": code("evidence"),
    },
)

HIDDEN_FROM_BLIND: dict[str, st.SearchStrategy[Any]] = {
    "intent": maybe(INTENT),
    "consulted": maybe(st.fixed_dictionaries({"role": code("consulted_role"), "at": maybe(MINUTES)})),
    "not_consulted_reason": code("not_consulted_reason"),
    "offence": code("offence"),
    "arrest_necessity": maybe(st.lists(some_code("arrest_necessity"), max_size=2)),
}
"""What an officer's contact holds that nobody may know who is still to judge."""

KINDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "officer": COMMON | HIDDEN_FROM_BLIND | {"force_type": code("force_type"), "note": maybe(st.just("*"))},
    "nurse": COMMON
    | {
        "assessment": code("assessment"),
        "advice": code("advice"),
        "advice_given_at": maybe(MINUTES),
        "s136_justified": code("s136_justified"),
        "told_intent": maybe(st.booleans()),
    },
    "paramedic": COMMON
    | {
        "physical_need": code("physical_need"),
        "initial_plan": code("initial_plan"),
        "conveyed": code("conveyed"),
    },
    "intent": {"intent": INTENT},
    "outcome": {
        "disposal": st.just("community_follow_up") | some_code("disposal"),
        "decided_at": maybe(MINUTES),
        "decided_by": code("decided_by"),
        "location_type": code("location_type"),
    },
    "detention": {
        "event": some_code("detention_event"),
        "at": MINUTES,
        "power": code("detention_power"),
        "place_of_safety": code("place_of_safety"),
        "minutes": maybe(st.integers(1, 720)),
        "ground": st.just("condition") | code("extension_ground"),
        "authorised_by": st.just("responsible_doctor") | code("authorised_by"),
        "result": code("detention_result"),
    },
    "follow_up": {"event": some_code("follow_up_event"), "at": MINUTES, "section": code("later_section")},
}


@st.composite
def content(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """The content of an entry of this kind."""
    return {name: value for name, field in KINDS[kind].items() if (value := draw(field)) is not None}


@st.composite
def stories(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), diverted: bool | None = None) -> Story:
    """A log of one incident: contents, then changes of them and of each other, in any order of capture."""
    story = Story()
    authors = st.sampled_from(list(STAFF))
    diverted = draw(st.booleans()) if diverted is None else diverted
    if diverted:
        _divert(draw, story)
    for _ in range(draw(st.integers(0, 2) if diverted else st.integers(1, 8))):
        kind = draw(st.sampled_from(kinds))
        story.tell(
            kind,
            draw(MINUTES),
            by=draw(maybe(authors)),
            skew_ms=draw(st.sampled_from((None, 0, 119_000, 3_600_000))),
            blind=draw(st.booleans()),
            test=draw(st.integers(0, 15)) == 0,
            **draw(content(kind)),
        )
    for _ in range(draw(st.integers(0, 2) if diverted else st.integers(0, 5))):
        _change(draw, story)
    if draw(st.booleans()):
        story.tell("same_incident", 50, incident_id=ANOTHER, other_incident_id=INCIDENT, reason="same_log")
    return story


def _divert(draw: st.DrawFn, story: Story) -> None:
    """A power considered where it may be used, and something else done: the last lines of the rules apply."""
    power = draw(st.sampled_from(("s136", "arrest_offence", "emergency_department")))
    story.intent(draw(st.integers(0, 10)), power=power, confidence=draw(st.integers(1, 3)))
    story.officer(50, location_type="street_or_park", offence="alleged_minor", arrest_necessity=["identity"])
    if draw(st.booleans()):
        story.nurse(55, assessment="phone", s136_justified="yes", told_intent=False, blind=draw(st.booleans()))
    if draw(st.booleans()):
        story.paramedic(56, initial_plan="ed", physical_need="treat_on_scene")
    story.outcome(draw(st.sampled_from(("community_follow_up", "carer_or_home", "mh_unit_voluntary"))), 40, captured=45)


def _change(draw: st.DrawFn, story: Story) -> None:
    target = draw(st.sampled_from(story.stored))
    name = draw(st.sampled_from((target.id, UUID(int=target.id.int + 1))))
    by = draw(st.just(target.author) | st.sampled_from(list(STAFF)))
    kind = str(target.entry.__struct_config__.tag)
    if kind in KINDS and draw(st.booleans()):
        entry = {"kind": kind, **draw(content(kind))}
        story.tell("amendment", draw(MINUTES), by=by, amends=name, reason="wrong_code", entry=entry)
    else:
        story.tell("withdrawal", draw(MINUTES), by=by, withdraws=name, reason="entered_in_error")
