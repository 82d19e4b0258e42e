"""What several contacts say together: which value counts, and where they disagree.

A coded missing value never beats an answer and never disagrees with one. Among answers the officer's counts for the
place and the offence, the nurse's for the primary presenting, a verified age before a stated and a stated before an
estimated one, a paramedic's for physical need and conveyance; else the latest captured, ties by entry id. Contacts
come in capture order.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry, SortedEntries
from triage.log.entries import Contact
from triage.log.intents import RecordedIntent
from triage.log.timeline import DatedOutcome

OCCURRED_APART = timedelta(minutes=60)
DECIDED_TOGETHER = timedelta(minutes=30)

_AREAS = codes.list("area").missing
_SEXES = codes.list("sex").missing
_BANDS = codes.list("age_band")
_ETHNICITIES = codes.list("ethnicity")
_LOCATIONS = codes.list("location_type")
_S136 = ("s136_removed", "s136_kept")


class StatedAge(Struct, frozen=True, gc=False):
    """An age as one contact gives it: years if known, the band, and its rank (2 verified, 1 stated, 0 estimated)."""

    years: int | None
    band: str
    rank: int


def latest_known(
    contacts: Sequence[EffectiveEntry[Any]], field: str, missing: set[str] | frozenset[str] = frozenset()
) -> Any:
    """The latest captured answer, else the latest coded missing value, else None."""
    fallback = None
    for one in reversed(contacts):
        value = getattr(one.entry, field)
        if value is not None:
            if value not in missing:
                return value
            if fallback is None:
                fallback = value
    return fallback


def place(record: SortedEntries) -> tuple[str | None, bool | None]:
    """The kind of place, an officer's before the others', and whether somebody lives there, as that contact says."""
    missing, fallback = _LOCATIONS.missing, None
    for contacts in (record.officers, record.contacts):
        for one in reversed(contacts):
            kind = one.entry.location_type
            if kind is not None and kind not in missing:
                lives = one.entry.someone_lives_there
                return kind, latest_known(record.contacts, "someone_lives_there") if lives is None else lives
            fallback = fallback or kind
    return fallback, latest_known(record.contacts, "someone_lives_there") if record.contacts else None


def presenting(record: SortedEntries) -> tuple[str, ...] | None:
    """What was presented, the first being primary: a nurse's list before the others'."""
    for contacts in (record.nurses, record.contacts):
        for one in reversed(contacts):
            if one.entry.presenting:
                return tuple(one.entry.presenting)
    return None


def age(ages: Sequence[StatedAge]) -> StatedAge | None:
    """The age that counts."""
    best: StatedAge | None = None
    for one in ages:
        if best is None or one.rank >= best.rank:
            best = one
    return best


def ages(contacts: Iterable[EffectiveEntry[Contact]]) -> list[StatedAge]:
    """What each contact that knows it says of the age."""
    found = []
    for one in contacts:
        entry = one.entry
        band = entry.age_band if entry.age is None else band_of(entry.age)
        if band and band in _BANDS and band not in _BANDS.missing:
            found.append(StatedAge(entry.age, band, 2 if entry.age_verified else 0 if entry.age_estimated else 1))
    return found


def band_of(years: int) -> str | None:
    """The age band that holds these years."""
    for row in _BANDS.codes.values():
        if row.youngest is not None and row.youngest <= years and (row.oldest is None or years <= row.oldest):
            return row.code
    return None


def under_18(contacts: Iterable[EffectiveEntry[Contact]], known_ages: Sequence[StatedAge]) -> bool:
    """Whether to be treated as under 18: any contact says so or thinks it possible, until an age is verified.

    A plain unknown age does not make a child.
    """
    verified = [one for one in known_ages if one.rank == 2]
    if verified:
        return _child(verified[-1])
    return any(map(_child, known_ages)) or any(one.entry.could_be_under_18 for one in contacts)


def legal_status(contacts: Iterable[EffectiveEntry[Contact]]) -> str | None:
    """The latest legal status: a sequence over time, by `legal_status_at`, else by capture."""
    best: tuple[bool, datetime, str] | None = None
    for one in contacts:
        status, time = one.entry.legal_status, one.entry.legal_status_at
        if status is not None:
            found = (status != "unknown", one.captured if time is None else one.corrected(time), status)
            if best is None or found[:2] >= best[:2]:
                best = found
    return best[2] if best else None


def conflicts(
    record: SortedEntries,
    known_ages: Sequence[StatedAge],
    decided: Sequence[DatedOutcome],
    claims: Sequence[RecordedIntent],
) -> list[str]:
    """The compared fields on which answers differ, as flags. Nothing else is compared."""
    found: list[str] = []
    if len(record.contacts) > 1:
        found += [f"conflict:{field}" for field in _contacts_differ(record, known_ages)]
    if len({claim.part.power for claim in claims if claim.state == "stands"}) > 1:
        found.append("conflict:intent")
    if len(decided) > 1 and _used_and_not(decided):
        found.append("conflict:disposal")
    return found


def _child(one: StatedAge) -> bool:
    oldest = _BANDS[one.band].oldest
    return oldest is not None and oldest < 18


def _contacts_differ(record: SortedEntries, known_ages: Sequence[StatedAge]) -> Iterator[str]:
    said = [one.entry for one in record.contacts]
    if _several({entry.area for entry in said}, _AREAS):
        yield "area"
    if _several({entry.sex for entry in said}, _SEXES):
        yield "sex"
    if _several({one.band for one in known_ages}):
        yield "age_band"
    ethnicities = {entry.ethnicity for entry in said}
    if len(ethnicities) > 1 and _several({_ethnic_group(code) for code in ethnicities}):
        yield "ethnicity"
    if _several({entry.presenting[0] for entry in said if entry.presenting}):
        yield "presenting"
    places = {(entry.location_type, entry.someone_lives_there) for entry in said}
    if len(places) > 1 and _several({s136_available(*one) for one in places}):
        yield "location_type"
    if _several({one.entry.offence for one in record.officers}):
        yield "offence"
    if _several({one.entry.physical_need for one in record.paramedics}):
        yield "physical_need"
    if _several({one.entry.conveyed for one in record.paramedics}):
        yield "conveyed"
    times = [one.corrected(one.entry.occurred_at) for one in record.contacts if one.entry.occurred_at]
    if times and max(times) - min(times) > OCCURRED_APART:
        yield "occurred_at"


def _several(values: AbstractSet[object], missing: AbstractSet[str] = frozenset()) -> bool:
    """Whether two answers differ; not recorded and coded missing values are none."""
    return len(values) > 1 and len(values - missing - {None}) > 1


def _ethnic_group(code: str | None) -> str | None:
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


def _used_and_not(decided: Sequence[DatedOutcome]) -> bool:
    """Whether one outcome says s136 was used, and another, decided within 30 minutes of it, says not."""
    used = [one.at for one in decided if one.at and one.disposal in _S136]
    other = [one.at for one in decided if one.at and one.disposal not in _S136]
    return any(abs(a - b) <= DECIDED_TOGETHER for a in used for b in other)
