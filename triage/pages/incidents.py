"""What the pages say of incidents, from views that hold only what their reader may see."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct

from triage.log.effective import out_of_force
from triage.log.entries import StoredEntry
from triage.log.view import IncidentView
from triage.pages import words
from triage.store.log.review_lists import LikelyPair, Unlinked

Terms = tuple[tuple[str, str], ...]
SOON: Final = timedelta(hours=3)
"""With less than this left, a clock is shown as urgent."""
AGES: Final = (72, 24, 12)
"""Hours over which an open outcome is counted, as in the daily summary."""

_NOT_CONTENT: Final = frozenset(
    {
        "id",
        "incident_id",
        "kind",
        "seq",
        "received_at",
        "author",
        "profession",
        "role",
        "device",
        "clock_skew_ms",
        "blind",
        "released_by",
        "amendments",
        "notices",
        "link",
        "codes_version",
        "form_version",
        "captured_at",
    }
)


_CODED: Final = (
    "contact_mode",
    "referral_source",
    "sex",
    "ethnicity",
    "legal_status",
    "immediate_danger",
    "force_type",
)


class Clock(Struct, frozen=True):
    """The 24-hour clock of a detention, read when the page was made."""

    text: str
    urgent: bool
    more: str = ""


class Card(Struct, frozen=True, kw_only=True):
    """An incident in a list."""

    id: UUID
    heading: str
    terms: Terms
    flags: tuple[str, ...]
    clock: Clock | None


class Section(Struct, frozen=True):
    """Incidents that need the same thing done; `count` of them, of which the newest may be all that is shown."""

    code: str
    title: str
    what_to_do: str
    cards: tuple[Card, ...]
    count: int


class Side(Struct, frozen=True):
    """What one entry says where records disagree."""

    who: str
    at: str
    said: str


class Disagreement(Struct, frozen=True):
    """A field on which the entries of an incident differ."""

    field: str
    sides: tuple[Side, ...]


class Conflict(Struct, frozen=True):
    """An incident whose records disagree, the sides next to each other."""

    card: Card
    disagreements: tuple[Disagreement, ...]


class Suggestion(Struct, frozen=True):
    """Two incidents that may be one: both sides, and for each line whether they agree."""

    one: Card
    other: Card
    lines: tuple[tuple[str, str, str, bool], ...]
    entry_id: UUID


class Told(Struct, frozen=True, kw_only=True):
    """An entry in the history of an incident."""

    id: str
    title: str
    who: str
    captured: str
    received: str
    terms: Terms
    changes: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    late: bool


def card(view: IncidentView, zone: ZoneInfo, now: datetime) -> Card:
    """An incident in a list."""
    return Card(
        id=view.id,
        heading=f"{words.code('area', view.area)}, {words.at(view.occurred_at, zone)}",
        terms=tuple(_summary(view)),
        flags=tuple(words.flag(one) for one in view.flags if one not in ("clock_running", "late")),
        clock=clock(view, zone, now),
    )


def _summary(view: IncidentView) -> Iterable[tuple[str, str]]:
    yield "Status", words.STATUSES[view.status]
    if view.log_ref:
        yield "Log reference", view.log_ref
    if view.car:
        yield "Car", view.car
    yield "Age", _age(view)
    yield "Place", _place(view)
    if view.outcome:
        yield "Outcome", words.code("disposal", view.outcome.disposal)
    yield "Written by", _writers(view)


def _place(view: IncidentView) -> str:
    return words.code("location_type", view.location_type) if view.location_type else words.UNSAID


def _writers(view: IncidentView) -> str:
    return ", ".join(sorted({words.PROFESSIONS[one.profession] for one in view.contributions})) or "Nobody yet"


def _age(view: IncidentView) -> str:
    if view.age is not None:
        return str(view.age)
    return words.code("age_band", view.age_band) if view.age_band else words.UNSAID


def is_held(view: IncidentView) -> bool:
    """Whether a detention runs, as far as is recorded."""
    return view.detention is not None and view.detention.ended_at is None and view.status != "withdrawn"


def clock(view: IncidentView, zone: ZoneInfo, now: datetime) -> Clock | None:
    """How long a running detention may still last (section 136A, 136B Mental Health Act 1983); None without one."""
    held = view.detention
    if held is None or not is_held(view):
        return None
    if held.expires_at is None:
        since = words.lasting(now - held.began_at)
        return Clock(f"Clock unknown: no arrival recorded. {since} since the detention began.", True)
    left = held.expires_at - now
    until = words.until(held.expires_at, zone)
    text = (
        f"{words.lasting(left)} left, until {until}"
        if left > timedelta(0)
        else f"Expired {words.lasting(left)} ago, at {until}"
    )
    other = held.expires_if_entered_counts
    more = (
        f"If entry counts instead of arrival: until {words.until(other, zone)}."
        if other and other != held.expires_at
        else ""
    )
    return Clock(text, left < SOON, more)


def needs(views: Sequence[IncidentView], zone: ZoneInfo, now: datetime) -> list[Section]:
    """Everything that needs somebody to act, the most pressing first."""
    found = []
    for code, title, what_to_do, applies in _NEEDS:
        chosen = [view for view in views if applies(view)]
        if code in ("open_detentions", "under_18"):
            chosen.sort(key=_expiry)
        cards = tuple(card(view, zone, now) for view in chosen)
        found.append(Section(code, title, what_to_do, cards, len(cards)))
    return found


def unlinked(alone: Unlinked, of_nobody: Unlinked, zone: ZoneInfo, now: datetime) -> list[Section]:
    """What nobody has linked yet: entries to their incident, and incidents to the person."""
    return [
        Section(code, title, what_to_do, tuple(card(view, zone, now) for view in found.views), found.total)
        for code, title, what_to_do, found in (
            (
                "unlinked_entries",
                "Unlinked entries",
                "No contact was recorded, or an entry names another that has not arrived. See whether they belong to "
                "another incident: likely ones are in the queue.",
                alone,
            ),
            (
                "unlinked",
                "No person linked",
                "Link the person from a phone where it is known who it was. Somebody unknown stays unlinked.",
                of_nobody,
            ),
        )
    ]


def _expiry(view: IncidentView) -> tuple[bool, datetime]:
    """Unknown clocks first, then those that run out first."""
    assert view.detention
    expires = view.detention.expires_at
    return expires is not None, expires or view.detention.began_at


def _flagged(*flags: str) -> Callable[[IncidentView], bool]:
    return lambda view: not set(flags).isdisjoint(view.flags)


_NEEDS: Final[tuple[tuple[str, str, str, Callable[[IncidentView], bool]], ...]] = (
    (
        "open_detentions",
        "Open detentions",
        "Record the end, or have the extension recorded, before the clock runs out.",
        is_held,
    ),
    (
        "under_18",
        "Under 18 in detention",
        "A police station is never a place of safety for anybody under 18.",
        lambda view: view.under_18 and is_held(view),
    ),
    (
        "police_station",
        "Police station used",
        "Check the place, the three tests and the authorising inspector.",
        _flagged("under_18_police_station", "station_not_authorised"),
    ),
    (
        "power_location",
        "Power used where the place rules it out",
        "Correct the place if it is wrong. What happened stays recorded.",
        _flagged("power_location_conflict"),
    ),
    (
        "conflicts",
        "Records disagree",
        "Compare the two sides in the queue and have the wrong one amended.",
        lambda view: any(flag.startswith("conflict:") for flag in view.flags),
    ),
    ("duplicates", "Likely duplicates", "Link them or keep them apart in the queue.", _flagged("possible_duplicate")),
    ("overdue", "Outcome overdue", "Find out what was decided. See the chase list.", _flagged("outcome_overdue")),
)


def waiting(view: IncidentView, now: datetime) -> str:
    """How long an outcome has been open, in the steps of the daily summary."""
    hours = (now - view.occurred_at) / timedelta(hours=1)
    step = next((age for age in AGES if hours > age), None)
    return f"Over {step} hours" if step else "12 hours or less"


def suggestions(
    pairs: Iterable[LikelyPair], zone: ZoneInfo, now: datetime, new_id: Callable[[], UUID]
) -> list[Suggestion]:
    """Likely duplicates with both sides, each with the id of the entry that a decision will be."""
    return [
        Suggestion(card(one, zone, now), card(other, zone, now), tuple(_compared(one, other, zone)), new_id())
        for one, other in pairs
    ]


def _compared(one: IncidentView, other: IncidentView, zone: ZoneInfo) -> Iterable[tuple[str, str, str, bool]]:
    for (term, a), (_, b) in zip(_likeness(one, zone), _likeness(other, zone), strict=True):
        yield term, a, b, a == b


def _likeness(view: IncidentView, zone: ZoneInfo) -> Iterable[tuple[str, str]]:
    yield "Occurred", words.at(view.occurred_at, zone)
    yield "Area", words.code("area", view.area)
    yield "Log reference", view.log_ref or words.UNSAID
    yield "Car", view.car or words.UNSAID
    yield "Place", _place(view)
    yield "Age", _age(view)
    yield "Sex", words.code("sex", view.sex) if view.sex else words.UNSAID
    yield "Outcome", words.code("disposal", view.outcome.disposal) if view.outcome else words.UNSAID
    yield "Written by", _writers(view)


def disagreements(view: IncidentView, entries: Sequence[StoredEntry], zone: ZoneInfo) -> tuple[Disagreement, ...]:
    """What each entry in force says of the fields on which this incident's records disagree."""
    contents = _in_force(entries)
    found = []
    for flag in view.flags:
        if flag.startswith("conflict:"):
            name = flag.removeprefix("conflict:")
            found.append(Disagreement(words.flag(flag), tuple(_sides(name, contents, zone))))
    return tuple(found)


def _in_force(entries: Sequence[StoredEntry]) -> list[tuple[StoredEntry, dict[str, Any]]]:
    """What stands, each entry as last amended."""
    out = out_of_force(entries)
    stands = {one.id: (one, msgspec.to_builtins(one.entry)) for one in entries if one.id not in out}
    for one in sorted(entries, key=lambda held: held.seq):
        amends = getattr(one.entry, "amends", None)
        if one.id not in out and amends in stands:
            stands[amends] = (stands[amends][0], msgspec.to_builtins(one.entry)["entry"])
    return [pair for pair in stands.values() if not hasattr(pair[0].entry, "amends")]


def _sides(name: str, contents: Iterable[tuple[StoredEntry, dict[str, Any]]], zone: ZoneInfo) -> Iterable[Side]:
    fields = {"age": ("age", "age_band"), "age_band": ("age", "age_band"), "intent": ("intent",)}.get(name, (name,))
    for held, content in contents:
        said = {field: content[field] for field in fields if content.get(field) is not None}
        if "intent" in said:
            said = {"power": said["intent"].get("power")}
        if said:
            text = "; ".join(value for _, value in words.lines(said, zone))
            yield Side(words.PROFESSIONS[held.profession], words.at(held.entry.captured_at, zone), text)


def facts(view: IncidentView, zone: ZoneInfo) -> Terms:
    """Everything the reader may know of an incident, as term and description."""
    return tuple(_facts(view, zone))


def _facts(view: IncidentView, zone: ZoneInfo) -> Iterable[tuple[str, str]]:
    yield from _summary(view)
    yield "Arrived", words.at(view.arrived_at, zone)
    yield "Left", words.at(view.left_at, zone)
    for name in _CODED:
        value = getattr(view, name)
        yield words.sentence(name), words.code(name, value) if value else words.UNSAID
    for name in ("offence", "physical_need", "conveyed", "known_to_services", "crisis_plan", "safety_plan"):
        value = getattr(view, name)
        if value is not UNSET:
            yield words.sentence(name), words.code(name, value) if value else words.UNSAID
    for one in view.presenting or ():
        yield "Presenting", words.code("presenting", one)
    for advice in view.advice:
        yield "Advice", f"{words.code('advice', advice.advice)}, {words.at(advice.at, zone)}"
    if view.intents is not UNSET:
        for intent in view.intents:
            yield "Intended", f"{words.code('power', intent.power)}, formed {words.at(intent.formed_at, zone)}"
    if view.outcome and view.outcome.first.disposal != view.outcome.disposal:
        yield "First outcome", words.code("disposal", view.outcome.first.disposal)
    if view.detention:
        yield from _detention(view, zone)
    if view.repeat_contact is not UNSET and view.repeat_contact.contacts_28_days is not UNSET:
        yield "Contacts with this person in 28 days", str(view.repeat_contact.contacts_28_days)
    for follow_up in view.follow_ups:
        yield "Follow-up", f"{words.code('event', follow_up.event)}, {words.at(follow_up.at, zone)}"
    if view.diversion is not UNSET:
        graded = view.diversion
        yield "Section 136 considered, by rule " + graded.s136.rule, _grade(graded.s136.grade, graded.s136.reason)
        yield "Custody considered, by rule " + graded.custody.rule, _grade(graded.custody.grade, graded.custody.reason)


def _detention(view: IncidentView, zone: ZoneInfo) -> Iterable[tuple[str, str]]:
    held = view.detention
    assert held
    yield "Detained under", words.code("power", held.power) if held.power else words.UNSAID
    yield "Detention began", words.at(held.began_at, zone)
    yield "Arrived at the site", words.at(held.arrived_at, zone)
    yield "Entered", words.at(held.entered_at, zone)
    yield "Expires, counted from the earlier of arrival and entry", words.at(held.expires_at, zone)
    yield "Expires if entry counts", words.at(held.expires_if_entered_counts, zone)
    for place in held.places:
        where = words.code("place_of_safety", place.place_of_safety) if place.place_of_safety else words.UNSAID
        yield "Place of safety", where
    yield "Detention ended", words.at(held.ended_at, zone)
    if held.result is not UNSET and held.result:
        yield "Result", words.code("result", held.result)


def _grade(grade: str | None, reason: str | None) -> str:
    return f"Grade {grade}" if grade else words.sentence(reason or "none")


def told(entry: dict[str, Any], names: dict[UUID, str], zone: ZoneInfo) -> Told:
    """An entry of the history, from the list that the reader may read."""
    captured, received = (msgspec.convert(entry[name], datetime) for name in ("captured_at", "received_at"))
    who = names.get(UUID(entry["author"])) or words.ROLES.get(entry["role"]) or words.PROFESSIONS[entry["profession"]]
    return Told(
        id=entry["id"],
        title=words.KINDS.get(entry["kind"]) or words.sentence(entry["kind"]),
        who=f"{who} ({words.PROFESSIONS[entry['profession']].lower()})",
        captured=words.at(captured, zone),
        received=words.at(received, zone),
        terms=tuple(words.lines(entry, zone, _NOT_CONTENT)),
        changes=tuple(("Amended" if one["how"] == "amends" else "Withdrawn", one["id"]) for one in entry["amendments"]),
        notices=tuple(words.sentence(one["code"]) for one in entry["notices"]),
        late=received - captured > timedelta(hours=1),
    )
