"""The odd but possible: told to the author of an entry when it is stored, and never a reason to refuse it.

A fact must be recordable even when it was unlawful. The list is closed (`NOTICES`). A notice rests on the entry itself
and on what the incident's other entries say as far as the author may see them, so that no notice tells what is hidden.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from triage import codes
from triage.lazy import lazy_property
from triage.log import detention, effective, resolve, station, timeline
from triage.log.canonical import coded_fields
from triage.log.detention import CLOCK, Episode
from triage.log.effective import SortedEntries
from triage.log.entries import Amendment, AnyEntry, Detention, PersonLink, PersonUnlink, StoredEntry, Withdrawal
from triage.log.phone_clock import SKEW_TOLERATED_MS, clock_correction
from triage.terms import Terms

Corrected = Callable[[datetime], datetime]
"""A time of the entry, as the service's clock would have shown it."""

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
    "contradictory": "This contradicts another value: a time before one it must follow, or an age outside its band.",
    "person_not_registered": "No person is registered here under this id; the link tells nothing until one is.",
    "retired_code": "This code is retired; where another has replaced it, it is read as that one.",
    "possible_identifier": "This text may name or identify somebody. Please check, and correct it by an amendment.",
    "target_not_held": "The entry this one names has not arrived yet; this one takes effect when it does.",
    "check_power_to_release": "Check which power the person is held under, and release if there is none.",
}
"""Every notice, with its meaning."""

RELEASE: Final = NOTICES["check_power_to_release"]
NO_STATION: Final = "Police stations are no longer places of safety."

_NOTHING: Final = effective.sort_entries(())
_TOLERATED: Final = timedelta(milliseconds=SKEW_TOLERATED_MS)
_LOCATIONS: Final = codes.list("location_type")
_BANDS: Final = codes.list("age_band")
_DISPOSALS: Final = codes.list("disposal")
_EVENTS: Final = codes.list("detention_event")


class Notice(Struct, frozen=True, gc=False):
    """Something odd: `code` is one of `NOTICES`, `field` a dotted path. The message repeats no value."""

    code: str
    field: str
    message: str


class IncidentContext:
    """The incident's other entries, added up only when asked for."""

    def __init__(self, others: Iterable[StoredEntry]) -> None:
        self._others = others

    @lazy_property
    def entries(self) -> SortedEntries:
        return effective.sort_entries(self._others) if self._others else _NOTHING

    @lazy_property
    def outcomes(self) -> list[timeline.DatedOutcome]:
        return timeline.dated_outcomes(self.entries)

    @lazy_property
    def place(self) -> resolve.Place:
        """Where s136 was used, as far as known, and whether somebody lives there."""
        kind, lives = resolve.place_of_contacts(self.entries.officers, self.entries.contacts)
        said = [outcome.effective.entry.location_type for outcome in self.outcomes if outcome.power == "s136"]
        return next((place for place in reversed(said) if resolve.is_known("location_type", place)), kind), lives

    @lazy_property
    def under_18(self) -> bool:
        contacts = self.entries.contacts
        return resolve.under_18(contacts, resolve.ages(contacts))

    @lazy_property
    def physical_need(self) -> bool:
        return resolve.latest_known(self.entries.paramedics, "physical_need") not in (None, "none")

    @lazy_property
    def at_station(self) -> list[Detention]:
        """The detention events at a police station."""
        return [event.entry for event in station.events_at_station(self.entries)]

    @lazy_property
    def is_held_at_station(self) -> bool:
        """Whether anything tells that the person is at a police station under s135 or s136."""
        place, _ = resolve.place_of_contacts(self.entries.officers, self.entries.contacts)
        return bool(station.station_uses(self.entries, self.outcomes, place))

    @lazy_property
    def episodes(self) -> tuple[Episode, ...]:
        return detention.episodes(self.entries, self.outcomes)

    def captured_before(self, entry: AnyEntry) -> datetime | None:
        """When the entry that an amendment names was captured, which it inherits."""
        if not isinstance(entry, Amendment):
            return None
        return next((effective.captured(other) for other in self.entries.stored if other.id == entry.amends), None)

    def place_of_safety_at(self, at: datetime) -> str | None:
        """Where the person was at an instant, as far as the events before it say."""
        return detention.place_at(self.entries, self.outcomes, at)

    def episode_at(self, at: datetime) -> Episode | None:
        """The detention to which an event at an instant belongs."""
        begun = [episode for episode in self.episodes if episode.view.began_at <= at]
        return begun[-1] if begun else self.episodes[0] if self.episodes else None


def notices(
    entry: AnyEntry,
    *,
    terms: Terms,
    received_at: datetime,
    skew_ms: int | None = None,
    target_held: bool | None = None,
    person_registered: bool | None = None,
    others: Iterable[StoredEntry] = (),
    identifiers: Callable[[str], Sequence[object]] | None = None,
) -> tuple[Notice, ...]:
    """The notices for the author of an entry.

    `others` are the incident's other entries as the author may see them. `target_held` says whether the entry that an
    amendment or withdrawal names is held, `person_registered` whether the person of a link is known under that id; None
    for other kinds. `identifiers` finds likely identifiers in a text.
    """
    content: Any = entry
    under = ""
    if isinstance(entry, Amendment):
        content, under = entry.entry, "entry."
    clock = clock_correction(skew_ms, received_at)
    corrected = clock.corrected if clock else _as_sent
    told = [
        *_timing(entry.captured_at, received_at, clock is not None),
        *_retired(content, under, corrected(entry.captured_at).date()),
    ]
    if target_held is False:
        told.append(_notice("target_not_held", "withdraws" if isinstance(entry, Withdrawal) else "amends"))
    if person_registered is False and isinstance(entry, PersonLink | PersonUnlink):
        told.append(_notice("person_not_registered", "person_id"))
    if identifiers is not None:
        told += _identifying(entry, content, under, identifiers)
    about = IncidentContext(others)
    told += _contradictions(content, under, about.captured_before(entry) or corrected(entry.captured_at), corrected)
    match effective.kind(content):
        case "officer" | "nurse" | "paramedic":
            told += _contact(content, under, about)
        case "intent":
            told += _intent(content.intent, f"{under}intent.", None, about)
        case "outcome":
            told += _outcome(content, under, about, terms, corrected)
        case "detention":
            told += _detention(content, under, about, terms, corrected)
    return tuple(told)


def _notice(code: str, field: str, message: str | None = None) -> Notice:
    return Notice(code, field, message or NOTICES[code])


def _as_sent(time: datetime) -> datetime:
    return time


def _timing(captured_at: datetime, received_at: datetime, skewed: bool) -> Iterator[Notice]:
    if skewed:
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
                values = {f"{field}.{place}": code for place, code in enumerate(value)}
            else:
                values = {field: value} if value else {}
            for where, code in values.items():
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


def _contradictions(content: Any, under: str, captured_at: datetime, corrected: Corrected) -> Iterator[Notice]:
    """A time before another it must follow, or an answer that its own entry excludes. `captured_at` is corrected."""
    arrived, left = getattr(content, "arrived_at", None), getattr(content, "left_at", None)
    if arrived and left and corrected(left) < corrected(arrived):
        yield _notice("contradictory", f"{under}left_at")
    intent = getattr(content, "intent", None)
    if intent is not None and intent.formed_at and corrected(intent.formed_at) > captured_at:
        yield _notice("contradictory", f"{under}intent.formed_at")
    age, band = getattr(content, "age", None), getattr(content, "age_band", None)
    if age is not None and resolve.is_known("age_band", band) and resolve.band_of(age) != band:
        yield _notice("contradictory", f"{under}age_band")


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
    here = kind == station.STATION and station.exercises_power(contact.legal_status)
    if here or about.is_held_at_station:
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
    """The reach of the law at the place. `used`: s136 was considered or used there."""
    if used and resolve.s136_available(kind, lives) is False:
        yield _notice("power_location_conflict", field)
    elif (row := _LOCATIONS.get(kind)) and row.available == "disputed":
        yield _notice("place_disputed", field)


def _outcome(outcome: Any, under: str, about: IncidentContext, terms: Terms, corrected: Corrected) -> Iterator[Notice]:
    row, own = _DISPOSALS.get(outcome.disposal), resolve.is_known("location_type", outcome.location_type)
    place = outcome.location_type if own else about.place[0]
    if row and row.power == "s136":
        yield from _place(place, about.place[1], f"{under}{'location_type' if own else 'disposal'}")
        if outcome.decided_by not in (None, "officer"):
            yield _notice("power_not_held", f"{under}decided_by")
    if outcome.disposal == "ed_capacity_act" and outcome.decided_by == "officer" and not about.physical_need:
        yield _notice("mca_by_police", f"{under}disposal")
    if station.says_kept(outcome.disposal) and place == station.STATION:
        decided_at = outcome.decided_at and corrected(outcome.decided_at)
        yield from _station(decided_at, about, terms, f"{under}disposal", f"{under}disposal", about.at_station)


def _detention(event: Any, under: str, about: IncidentContext, terms: Terms, corrected: Corrected) -> Iterator[Notice]:
    row, at = _EVENTS.get(event.event), corrected(event.at)
    if row and row.puts_in_place:
        if event.power != "s135":
            yield from _place(*about.place, f"{under}event")
        if event.place_of_safety == station.STATION:
            events = [event, *about.at_station]
            fields = f"{under}place_of_safety", f"{under}authorised_rank"
            yield from _station(at, about, terms, *fields, events)
    episode = about.episode_at(at)
    if event.event == "extended":
        yield from _extension(event, under, about, at, episode)
    elif episode and episode.running and episode.expires_at and at > episode.expires_at:
        yield _notice("check_power_to_release", f"{under}at", "This is after the detention had run out. " + RELEASE)
    if event.event == "ended":
        if event.result is None:
            yield _notice("check_power_to_release", f"{under}result", "No result is recorded. " + RELEASE)
        if about.episodes and at < about.episodes[0].view.began_at:
            yield _notice("contradictory", f"{under}at", "This is before the detention began.")


def _station(
    at: datetime | None, about: IncidentContext, terms: Terms, place: str, rank: str, events: Sequence[Any]
) -> Iterator[Notice]:
    """`place` and `rank` name the fields that tell of the station and of who allowed it."""
    if about.under_18:
        yield _notice("under_18_police_station", place)
    if at is not None and terms.stations_abolished(at):
        yield _notice("station_not_authorised", place, NO_STATION)
    elif not about.under_18 and not station.is_authorised(events):
        yield _notice("station_not_authorised", rank)


_EXTENSION_FAULTS: Final = {
    "ground": "Only the person's condition extends the 24 hours.",
    "authorised_by": "Only the registered doctor responsible for the examination extends the 24 hours.",
    "minutes": "An extension needs a length.",
    "superintendent_approved": "At a police station an extension needs a superintendent's approval.",
}


def _extension(
    event: Any, under: str, about: IncidentContext, at: datetime, episode: Episode | None
) -> Iterator[Notice]:
    """s136B Mental Health Act 1983; what is not recorded is not shown to be lawful."""
    own = event.place_of_safety
    place = own if resolve.is_known("place_of_safety", own) else about.place_of_safety_at(at)
    for field in detention.extension_faults(event, place):
        yield _notice("invalid_extension", f"{under}{field}", _EXTENSION_FAULTS[field])
    if episode and episode.started_at and at >= episode.started_at + CLOCK:
        yield _notice("invalid_extension", f"{under}at", "An extension must be made before the 24 hours end.")


def _says_under_18(contact: Any) -> bool:
    """Whether this contact says, or thinks it possible, that the person is under 18."""
    band = _BANDS.get(contact.age_band)
    oldest = contact.age if contact.age is not None else band.oldest if band else None
    says = oldest is not None and oldest < 18
    return says or bool(contact.could_be_under_18 and not (contact.age_verified and oldest is not None))


WHEN: Final = {
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
    "station_not_authorised": "A detention event that puts an adult in a police station, or an outcome that keeps one "
    "there, without all three tests and an inspector or above, in this or an earlier entry; anybody, after "
    "`police_station_allowed_until`.",
    "invalid_extension": "An extension on another ground than the condition, not by the responsible doctor, without a "
    "length, at a police station (where the person is at that time) without a superintendent, or not before the 24 "
    "hours end as far as known. What is not recorded is not shown to be lawful. One notice for each. The expiry does "
    "not move.",
    "clock_skew": "The phone's clock is more than two minutes off. Both times are kept.",
    "captured_in_future": "`captured_at` is more than two minutes after the service's time of receipt.",
    "contradictory": "`left_at` before `arrived_at`; an intent formed after it was captured; an age outside its band; "
    "`ended` before the detention began.",
    "person_not_registered": "A `person_id` that is no alias of this team.",
    "retired_code": "A code that was replaced, or whose last day was before `captured_at`. Stored as sent.",
    "possible_identifier": "A note or a reason looks as if it held a name, an NHS number, a phone number, a postcode "
    "or an e-mail address. It is never edited.",
    "target_not_held": "An amendment or withdrawal names an entry that is not in the log.",
    "check_power_to_release": "A detention event (other than `extended`) at a time after the expiry, or `ended` "
    "without a `result`.",
}
"""When each is given, for people; the rules above decide."""
