"""What is odd but possible: told to the author of an entry when it is stored, and never a reason to refuse it.

A fact must be recordable even when it was unlawful. The list is closed (`NOTICES`). A notice rests on the entry itself
and on what the incident's other entries say as far as the author may see them, so that no notice tells what is hidden.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from triage import codes
from triage.log import detention, effective, resolve, timeline
from triage.log.canonical import coded_fields
from triage.log.detention import Clock
from triage.log.effective import SKEW_TOLERATED_MS, SortedEntries
from triage.log.entries import Amendment, AnyEntry, Detention, StoredEntry, Withdrawal
from triage.log.flags import TERMS, Terms

NOTICES: Final = {
    "power_location_conflict": "Section 136 does not reach this kind of place: a home, or what belongs to one home.",
    "power_not_held": "Only a constable holds the power of section 136; somebody else is recorded as deciding.",
    "place_disputed": "Whether section 136 reaches this kind of place is disputed.",
    "mca_by_police": "The Mental Capacity Act does not authorise police to do what section 136 is for.",
    "under_18_police_station": "A police station is never a place of safety for somebody who is or may be under 18.",
    "station_not_authorised": "The tests or the authority for holding an adult at a police station are not recorded.",
    "invalid_extension": "This does not extend the 24 hours.",
    "clock_skew": "The phone's clock differs from the service's by more than two minutes.",
    "captured_in_future": "The entry was captured later than it was received.",
    "retired_code": "This code is retired; where another has replaced it, it is read as that one.",
    "possible_identifier": "This text may name or identify somebody. Please check, and correct it by an amendment.",
    "target_not_held": "The entry this one names has not arrived yet; this one takes effect when it does.",
    "check_power_to_release": "Check which power the person is held under, and release if there is none.",
}
"""Every notice, with its meaning."""

ARRIVALS: Final = frozenset({"began", "kept_from", "arrived_site", "entered", "transferred"})
"""The detention events that put a person in a place."""

RELEASE: Final = NOTICES["check_power_to_release"]
NO_STATION: Final = "Police stations are no longer places of safety."

_NOTHING: Final = effective.sort_entries(())
_TOLERATED: Final = timedelta(milliseconds=SKEW_TOLERATED_MS)
_LOCATIONS: Final = codes.list("location_type")
_BANDS: Final = codes.list("age_band")
_RANKS: Final = codes.list("authorised_rank")


class Notice(Struct, frozen=True, gc=False):
    """Something odd: `code` is one of `NOTICES`, `field` a dotted path. The message repeats no value."""

    code: str
    field: str
    message: str


class IncidentContext:
    """What the incident's other entries say, worked out only when it is asked for."""

    def __init__(self, others: Iterable[StoredEntry]) -> None:
        self._others = others

    @cached_property
    def entries(self) -> SortedEntries:
        return effective.sort_entries(self._others) if self._others else _NOTHING

    @cached_property
    def place(self) -> tuple[str | None, bool | None]:
        """Where s136 was used, as far as known, and whether somebody lives there."""
        kind, lives = resolve.place(self.entries)
        for one in self.entries.outcomes:
            if one.entry.location_type and one.entry.disposal.startswith("s136_"):
                kind = one.entry.location_type
        return kind, lives

    @cached_property
    def under_18(self) -> bool:
        contacts = self.entries.contacts
        return resolve.under_18(contacts, resolve.ages(contacts))

    @cached_property
    def physical_need(self) -> bool:
        return resolve.latest_known(self.entries.paramedics, "physical_need") not in (None, "none")

    @cached_property
    def at_station(self) -> list[Detention]:
        """The detention events at a police station."""
        return [one.entry for one in self.entries.detentions if one.entry.place_of_safety == "police_station"]

    @cached_property
    def clock(self) -> Clock | None:
        decided = timeline.dated_outcomes(self.entries)
        return detention.clock(self.entries, decided, timeline.earliest_uses(self.entries, decided))


def notices(
    entry: AnyEntry,
    *,
    received_at: datetime,
    skew_ms: int | None = None,
    target_held: bool | None = None,
    others: Iterable[StoredEntry] = (),
    terms: Terms = TERMS,
    identifiers: Callable[[str], Sequence[object]] | None = None,
) -> tuple[Notice, ...]:
    """What to tell the author of an entry.

    `others` are the incident's other entries as the author may see them. `target_held` says whether the entry that an
    amendment or withdrawal names is held, None for other kinds. `identifiers` finds likely identifiers in a text.
    """
    content: Any = entry
    under = ""
    if isinstance(entry, Amendment):
        content, under = entry.entry, "entry."
    found = [*_timing(entry.captured_at, received_at, skew_ms), *_retired(content, under, entry.captured_at.date())]
    if target_held is False:
        found.append(_notice("target_not_held", "withdraws" if isinstance(entry, Withdrawal) else "amends"))
    if identifiers is not None:
        found += _identifying(entry, content, under, identifiers)
    about = IncidentContext(others)
    match effective.kind(content):
        case "officer" | "nurse" | "paramedic":
            found += _contact(content, under, about)
        case "intent":
            found += _intent(content.intent, f"{under}intent.", None, about)
        case "outcome":
            found += _outcome(content, under, about, terms)
        case "detention":
            found += _detention(content, under, about, terms, _ahead(skew_ms))
    return tuple(found)


def _notice(code: str, field: str, message: str | None = None) -> Notice:
    return Notice(code, field, message or NOTICES[code])


def _ahead(skew_ms: int | None) -> timedelta:
    """How far the phone's times are ahead, where that is more than tolerated."""
    tolerated = skew_ms is None or abs(skew_ms) <= SKEW_TOLERATED_MS
    return timedelta(0) if tolerated else timedelta(milliseconds=skew_ms or 0)


def _timing(captured_at: datetime, received_at: datetime, skew_ms: int | None) -> Iterator[Notice]:
    if _ahead(skew_ms):
        yield _notice("clock_skew", "captured_at")
    if captured_at > received_at + _TOLERATED:
        yield _notice("captured_in_future", "captured_at")


def _retired(content: Struct, under: str, on: date) -> Iterator[Notice]:
    fields = coded_fields(type(content))
    for name in codes.changed():
        for path in fields.get(name, ()):
            value: Any = content
            for part in path:
                value = value and getattr(value, part)
            field = under + ".".join(path)
            if isinstance(value, list):
                held = {f"{field}.{place}": code for place, code in enumerate(value)}
            else:
                held = {field: value} if value else {}
            for where, code in held.items():
                if codes.retired(name, code, on):
                    yield _notice("retired_code", where)


def _identifying(
    entry: AnyEntry, content: Any, under: str, identifiers: Callable[[str], Sequence[object]]
) -> Iterator[Notice]:
    """Looks at everything a person can type a sentence into."""
    note = getattr(content, "note", None)
    if note and identifiers(note):
        yield _notice("possible_identifier", f"{under}note")
    for holder, field in ((entry, "reason"), (content, f"{under}reason")) if under else ((entry, "reason"),):
        reason = getattr(holder, "reason", None)
        if reason and identifiers(reason):
            yield _notice("possible_identifier", field)


def _contact(contact: Any, under: str, about: IncidentContext) -> Iterator[Notice]:
    kind, lives = contact.location_type, contact.someone_lives_there
    intent = getattr(contact, "intent", None)
    if intent is not None:
        yield from _intent(intent, f"{under}intent.", lives, about if kind is None else None)
    used = contact.legal_status == "s136" or (
        intent is not None and intent.power == "s136" and intent.location_type is None
    )
    yield from _place(kind, lives, f"{under}location_type", used)
    if not _says_under_18(contact):
        return
    if about.at_station or (contact.legal_status in ("s136", "s135") and kind == "police_station"):
        yield _notice("under_18_police_station", f"{under}{'age_band' if contact.age is None else 'age'}")


def _intent(intent: Any, under: str, lives: bool | None, about: IncidentContext | None) -> Iterator[Notice]:
    """The place of the intent counts; without one what `about` says, if it may say."""
    if intent.power != "s136":
        return
    if intent.location_type is not None:
        yield from _place(intent.location_type, lives, f"{under}location_type")
    elif about is not None:
        yield from _place(*about.place, f"{under}power")


def _place(kind: str | None, lives: bool | None, field: str, used: bool = True) -> Iterator[Notice]:
    """What the law says of the place. `used`: s136 was considered or used there."""
    if used and resolve.s136_available(kind, lives) is False:
        yield _notice("power_location_conflict", field)
    elif (row := _LOCATIONS.get(kind)) and row.available == "disputed":
        yield _notice("place_disputed", field)


def _outcome(outcome: Any, under: str, about: IncidentContext, terms: Terms) -> Iterator[Notice]:
    disposal = outcome.disposal
    if disposal.startswith("s136_"):
        kind, lives = about.place
        field = "location_type" if outcome.location_type else "disposal"
        yield from _place(outcome.location_type or kind, lives, f"{under}{field}")
        if outcome.decided_by not in (None, "officer"):
            yield _notice("power_not_held", f"{under}decided_by")
    if disposal == "ed_capacity_act" and outcome.decided_by == "officer" and not about.physical_need:
        yield _notice("mca_by_police", f"{under}disposal")
    if disposal in ("s136_kept", "s135_kept") and (outcome.location_type or about.place[0]) == "police_station":
        if about.under_18:
            yield _notice("under_18_police_station", f"{under}disposal")
        if _abolished(outcome.decided_at, terms):
            yield _notice("station_not_authorised", f"{under}disposal", NO_STATION)


def _detention(event: Any, under: str, about: IncidentContext, terms: Terms, ahead: timedelta) -> Iterator[Notice]:
    if event.event in ARRIVALS:
        if event.power != "s135":
            yield from _place(*about.place, f"{under}event")
        if event.place_of_safety == "police_station":
            yield from _station(event, under, about, terms)
    if event.event == "extended":
        yield from _extension(event, under, about, ahead)
    elif about.clock and (expires_at := about.clock.expires_at) and event.at - ahead > expires_at:
        yield _notice("check_power_to_release", f"{under}at", "This is after the detention had run out. " + RELEASE)
    if event.event == "ended" and event.result is None:
        yield _notice("check_power_to_release", f"{under}result", "No result is recorded. " + RELEASE)


def _station(event: Any, under: str, about: IncidentContext, terms: Terms) -> Iterator[Notice]:
    if about.under_18:
        yield _notice("under_18_police_station", f"{under}place_of_safety")
    if _abolished(event.at, terms):
        yield _notice("station_not_authorised", f"{under}place_of_safety", NO_STATION)
    elif not about.under_18 and not _authorised([event, *about.at_station]):
        yield _notice("station_not_authorised", f"{under}authorised_rank")


def _authorised(events: Sequence[Any]) -> bool:
    """The three tests met, and an inspector or above (regulations of 2017 under s136A Mental Health Act 1983)."""
    tests = [event.station_tests for event in events if event.station_tests]
    ranks = [row for event in events if (row := _RANKS.get(event.authorised_rank))]
    met = any(each.imminent_risk and each.no_other_place and each.healthcare_available for each in tests)
    return met and any(rank.authorises_station for rank in ranks)


def _abolished(at: datetime | None, terms: Terms) -> bool:
    last = terms.police_station_allowed_until
    return last is not None and at is not None and at.astimezone(terms.zone).date() > last


def _extension(event: Any, under: str, about: IncidentContext, ahead: timedelta) -> Iterator[Notice]:
    """s136B Mental Health Act 1983; what is not recorded is not shown to be lawful."""
    at_station = event.place_of_safety == "police_station" or (event.place_of_safety is None and bool(about.at_station))
    clock = about.clock
    ends = clock.expires_at - timedelta(minutes=clock.served.extended_minutes) if clock and clock.expires_at else None
    if event.ground != "condition":
        yield _notice("invalid_extension", f"{under}ground", "Only the person's condition extends the 24 hours.")
    if event.authorised_by != "responsible_doctor":
        yield _notice(
            "invalid_extension",
            f"{under}authorised_by",
            "Only the registered doctor responsible for the examination extends the 24 hours.",
        )
    if event.minutes is None:
        yield _notice("invalid_extension", f"{under}minutes", "An extension needs a length.")
    if at_station and event.superintendent_approved is not True:
        yield _notice(
            "invalid_extension",
            f"{under}superintendent_approved",
            "At a police station an extension needs a superintendent's approval.",
        )
    if ends is not None and event.at - ahead >= ends:
        yield _notice("invalid_extension", f"{under}at", "An extension must be made before the 24 hours end.")


def _says_under_18(contact: Any) -> bool:
    """Whether this contact says, or thinks it possible, that the person is under 18."""
    band = _BANDS.get(contact.age_band)
    oldest = contact.age if contact.age is not None else band.oldest if band else None
    says = oldest is not None and oldest < 18
    return says or bool(contact.could_be_under_18 and not (contact.age_verified and oldest is not None))


# --- the page ---

_WHEN: Final = {
    "power_location_conflict": "Section 136 was considered or used where the code list says it does not reach "
    "(`location_type`, with `someone_lives_there` for a hotel or hostel room): the place of the intent or of the use, "
    "else of the contact, else of the incident's other entries.",
    "power_not_held": "An `s136_*` disposal with `decided_by` other than `officer`.",
    "place_disputed": "Any contact, intent, outcome or use at a place whose availability the code list calls disputed.",
    "mca_by_police": "`ed_capacity_act` decided by an officer, and no physical need is recorded that the "
    "author may see.",
    "under_18_police_station": "Somebody who is or may be under 18 at a police station under section 135 or 136: in a "
    "detention event, an outcome or a contact, whichever comes second. A plain unknown age does not make a child; a "
    "verified age settles it.",
    "station_not_authorised": "A detention event that puts an adult in a police station without all three tests and an "
    "inspector or above, in this or an earlier entry; anybody, after `police_station_allowed_until`.",
    "invalid_extension": "An extension on another ground than the condition, not by the responsible doctor, without a "
    "length, at a police station without a superintendent, or not before the 24 hours end as far as known. What is not "
    "recorded is not shown to be lawful. One notice for each. The expiry does not move.",
    "clock_skew": "The phone's clock is more than two minutes off. Both times are kept.",
    "captured_in_future": "`captured_at` is more than two minutes after the service's time of receipt.",
    "retired_code": "A code that was replaced, or whose last day was before `captured_at`. Stored as sent.",
    "possible_identifier": "A note or a reason looks as if it held a name, an NHS number, a phone number, a postcode "
    "or an e-mail address. It is never edited.",
    "target_not_held": "An amendment or withdrawal names an entry that is not in the log.",
    "check_power_to_release": "A detention event (other than `extended`) at a time after the expiry, or `ended` "
    "without a `result`.",
}

_INTRODUCTION: Final = """\
# Notices

An entry that is odd but possible is stored, and the answer carries `notices`: each with `code`, `field` (a dotted path)
and `message`. The list is closed. A notice is never a reason to refuse: what happened must be recordable even when it
was unlawful. It rests on the entry and on what its author may see of the incident at that moment; what concerns the
incident as a whole is a flag of the incident as well, and follows later entries.

| code | told when | message |
|---|---|---|
"""


def page() -> str:
    """The notices as a page in Markdown, for `docs/notices.md`."""
    return _INTRODUCTION + "".join(f"| `{code}` | {_WHEN[code]} | {NOTICES[code]} |\n" for code in NOTICES)
