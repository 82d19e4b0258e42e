"""Several contacts read together: which value counts, and where they disagree.

A coded missing value, an empty text and an empty list never beat an answer and never disagree with one. Among answers
the officer's counts for the place and the offence, the nurse's for the primary presenting, a verified age before a
stated and a stated before an estimated one, a paramedic's for physical need and conveyance; else the latest captured,
ties by entry id. Contacts come in capture order.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from functools import cache
from typing import Any

from msgspec import Struct

from triage import codes
from triage.log.canonical import coded_fields
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import AMENDABLE, Contact
from triage.log.intents import RecordedIntent
from triage.log.timeline import DatedOutcome

OCCURRED_APART = timedelta(minutes=60)
DECIDED_TOGETHER = timedelta(minutes=30)

_BANDS = codes.list("age_band")
_ETHNICITIES = codes.list("ethnicity")
_LOCATIONS = codes.list("location_type")

Place = tuple[str | None, bool | None]
"""A kind of place, and whether somebody lives there."""


class StatedAge(Struct, frozen=True, gc=False):
    """An age as one contact gives it: years if known, the band, and its rank (2 verified, 1 stated, 0 estimated)."""

    years: int | None
    band: str
    rank: int


def is_known(field: str, value: object) -> bool:
    """Whether a value of this field is an answer: not absent, empty, or a coded missing value."""
    if not value:
        return value is False or value == 0
    if isinstance(value, str):
        for missing in _missing_values(field):
            if value in missing:
                return False
    return True


@cache
def _missing_values(field: str) -> tuple[set[str], ...]:
    """The missing values of the code lists that a field of this name draws on, in whatever kind of entry."""
    paths = (
        (name, path) for kind in AMENDABLE for name, kind_paths in coded_fields(kind).items() for path in kind_paths
    )
    return tuple(codes.list(name).missing for name in sorted({name for name, path in paths if path == (field,)}))


def latest_known(entries: Sequence[EffectiveEntry[Any]], field: str) -> Any:
    """The latest captured answer, else the latest value that says it is not known, else None."""
    fallback = None
    for entry in reversed(entries):
        value = getattr(entry.entry, field)
        if value is None:
            continue
        if is_known(field, value):
            return value
        if fallback is None and value not in ("", []):
            fallback = value
    return fallback


def place_of_contacts(officers: Sequence[EffectiveEntry[Any]], contacts: Sequence[EffectiveEntry[Any]]) -> Place:
    """The kind of place, an officer's before the others', and whether somebody lives there, as that contact says."""
    fallback = None
    for group in (officers, contacts):
        for contact in reversed(group):
            kind = contact.entry.location_type
            if is_known("location_type", kind):
                lives = contact.entry.someone_lives_there
                return kind, latest_known(contacts, "someone_lives_there") if lives is None else lives
            fallback = fallback or kind
    return fallback, latest_known(contacts, "someone_lives_there")


def presenting(entries: SortedEntries) -> tuple[str, ...] | None:
    """The presentations, the first being primary: a nurse's list before the others'."""
    for contacts in (entries.nurses, entries.contacts):
        for contact in reversed(contacts):
            if contact.entry.presenting:
                return tuple(contact.entry.presenting)
    return None


def age(ages: Sequence[StatedAge]) -> StatedAge | None:
    """The age that counts."""
    best: StatedAge | None = None
    for stated in ages:
        if best is None or stated.rank >= best.rank:
            best = stated
    return best


def ages(contacts: Iterable[EffectiveEntry[Contact]]) -> list[StatedAge]:
    """The age by each contact that knows it."""
    stated = []
    for contact in contacts:
        entry = contact.entry
        band = entry.age_band if entry.age is None else band_of(entry.age)
        if band and band in _BANDS and is_known("age_band", band):
            stated.append(StatedAge(entry.age, band, 2 if entry.age_verified else 0 if entry.age_estimated else 1))
    return stated


def band_of(years: int) -> str | None:
    """The age band that holds these years."""
    for row in _BANDS:
        if row.youngest is not None and row.youngest <= years and (row.oldest is None or years <= row.oldest):
            return row.code
    return None


def under_18(contacts: Iterable[EffectiveEntry[Contact]], known_ages: Sequence[StatedAge]) -> bool:
    """Whether to be treated as under 18: any contact says so or thinks it possible, until an age is verified.

    A plain unknown age does not make a child.
    """
    verified = [stated for stated in known_ages if stated.rank == 2]
    if verified:
        return _child(verified[-1])
    return any(map(_child, known_ages)) or any(contact.entry.could_be_under_18 for contact in contacts)


def conflicts(
    entries: SortedEntries,
    known_ages: Sequence[StatedAge],
    outcomes: Sequence[DatedOutcome],
    intents: Sequence[RecordedIntent],
) -> list[str]:
    """The compared fields on which answers differ, as flags. Nothing else is compared."""
    flags: list[str] = []
    if len(entries.contacts) > 1:
        flags += [f"conflict:{field}" for field in _contacts_differ(entries, known_ages)]
    if len({intent.part.power for intent in intents if intent.state == "stands"}) > 1:
        flags.append("conflict:intent")
    if len(outcomes) > 1 and used_and_not(outcomes):
        flags.append("conflict:disposal")
    if entries.changed and any(map(_amended_differently, entries.ever())):
        flags.append("conflict:amendment")
    return flags


def _amended_differently(entry: EffectiveEntry[Any]) -> bool:
    """Whether amendments by different people, in force, leave different values. A note left out is kept."""
    if entry.withdrawn is not None or len(entry.versions) < 3:
        return False
    last_by_author = {version.given_by.author: _values(version.entry) for version in entry.versions[1:]}
    return any(values != others for values in last_by_author.values() for others in last_by_author.values())


def _values(content: Any) -> list[object]:
    return [getattr(content, name) for name in content.__struct_fields__ if name != "note"]


def _child(stated: StatedAge) -> bool:
    oldest = _BANDS[stated.band].oldest
    return oldest is not None and oldest < 18


def _contacts_differ(entries: SortedEntries, known_ages: Sequence[StatedAge]) -> Iterator[str]:
    said = [contact.entry for contact in entries.contacts]
    for field in ("area", "sex"):
        if _several({value for entry in said if is_known(field, value := getattr(entry, field))}):
            yield field
    if _several({stated.band for stated in known_ages}):
        yield "age_band"
    if _several({ethnic_group(entry.ethnicity) for entry in said}):
        yield "ethnicity"
    if _several({entry.presenting[0] for entry in said if entry.presenting}):
        yield "presenting"
    places = {(entry.location_type, entry.someone_lives_there) for entry in said}
    if _several({s136_available(*place) for place in places}):
        yield "location_type"
    if _several({officer.entry.offence for officer in entries.officers}):
        yield "offence"
    for field in ("physical_need", "conveyed"):
        if _several({getattr(paramedic.entry, field) for paramedic in entries.paramedics}):
            yield field
    times = [contact.corrected(contact.entry.occurred_at) for contact in entries.contacts if contact.entry.occurred_at]
    if times and max(times) - min(times) > OCCURRED_APART:
        yield "occurred_at"


def _several(values: AbstractSet[object]) -> bool:
    """Whether two answers differ; what is not recorded is none."""
    return len(values - {None}) > 1


def ethnic_group(code: str | None) -> str | None:
    """The group in which an answer is published; None where it is not known."""
    row = _ETHNICITIES.get(code)
    return None if row is None or row.missing else row.group


def s136_available(location_type: str | None, someone_lives_there: bool | None) -> bool | None:
    """Whether s136 reaches the place (s136(1A) and (1B)); None where that is not known."""
    row = _LOCATIONS.get(location_type)
    match row.available if row else None:
        case "yes" | "disputed":
            return True
        case "no":
            return False
        case "depends":
            return None if someone_lives_there is None else not someone_lives_there
    return None


def used_and_not(outcomes: Sequence[DatedOutcome]) -> bool:
    """Whether one outcome says s136 was used, and another, decided within 30 minutes of it, says not."""
    used = [outcome.at for outcome in outcomes if outcome.at and outcome.power == "s136"]
    other = [outcome.at for outcome in outcomes if outcome.at and outcome.power != "s136"]
    return any(abs(a - b) <= DECIDED_TOGETHER for a in used for b in other)
