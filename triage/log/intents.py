"""Intents as evidence: what somebody had under consideration, when it was captured, and what became of it.

An intent may be corrected freely within two minutes while no consultation, advice or disposal is stored. After that the
original stands as evidence: it can be corrected away or withdrawn, but it does not vanish.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from triage.log.effective import EffectiveEntry, EntryVersion, SortedEntries, captured
from triage.log.entries import Amendment, Intent, IntentPart, Officer, StoredEntry

FREE_TO_CORRECT = timedelta(minutes=2)
"""How long after its capture an intent may be corrected without a trace in the grade."""

PROMPTLY = timedelta(minutes=60)
"""An intent captured within this time of `formed_at` was recorded while the memory was fresh."""


class RecordedIntent(Struct, frozen=True, gc=False):
    """An intent: `entry` and `author` say whose, `part` what (as it is now, or as it was when taken back).

    `captured` is when its power was first given, `formed` when it was formed, both corrected. `changed` is when the
    part was given its present form by amendment, None where it is the original's. `location_type` and
    `someone_lives_there` are those of the contact that carries it.
    """

    entry: UUID
    author: UUID
    part: IntentPart
    captured: datetime
    formed: datetime | None
    state: Literal["stands", "corrected", "withdrawn"]
    changed: datetime | None
    location_type: str | None
    someone_lives_there: bool | None

    @property
    def soon(self) -> bool:
        """Whether it was captured within 60 minutes of being formed."""
        return self.formed is not None and abs(self.captured - self.formed) <= PROMPTLY

    @property
    def confirmed(self) -> bool:
        """Whether a referring officer's intent has the officer, a log time, and was captured soon."""
        return self.part.referrer is not None and self.part.log_time is not None and self.soon


def recorded_intents(record: SortedEntries) -> list[RecordedIntent]:
    """Every intent of an incident, also those corrected away and withdrawn, in capture order, ties by entry id."""
    found: list[RecordedIntent] = []
    changed = record.withdrawn or any(one.versions for one in (*record.intents, *record.officers))
    settled = _settled(record) if changed else None
    for one in record.intents:
        found += _claims(one, settled)
    for officer in record.officers:
        found += _claims(officer, settled)
    for gone in record.withdrawn:
        if isinstance(gone.stored.entry, Intent | Officer):
            found += _withdrawn(gone, settled)
    if len(found) > 1:
        found.sort(key=lambda claim: (claim.captured, claim.entry))
    return found


def earliest(found: list[RecordedIntent], powers: Collection[str]) -> RecordedIntent | None:
    """The earliest captured intent of one of these powers."""
    for claim in found:
        if claim.part.power in powers:
            return claim
    return None


def _claims(one: EffectiveEntry[Intent] | EffectiveEntry[Officer], settled: int | None) -> Iterator[RecordedIntent]:
    if not one.versions:
        if one.entry.intent is not None:
            yield _claim(one, one.entry.intent, one.captured, one.correction)
        return
    evidence, current = _evidence(one, settled), one.entry.intent
    given = _given(one.versions)
    changed = None if given is one.versions[0] else given.captured
    if evidence and current and evidence.power == current.power:
        yield _claim(one, current, one.captured, one.correction, "stands", changed)
        return
    if evidence:
        yield _claim(one, evidence, one.captured, one.versions[0].correction, "corrected")
    if current:
        yield _claim(one, current, given.captured, one.correction, "stands", changed)


def _withdrawn(one: EffectiveEntry[Any], settled: int | None) -> Iterator[RecordedIntent]:
    assert one.withdrawn is not None
    evidence = _evidence(one, settled) if one.versions else one.entry.intent
    if evidence and not _free(one, captured(one.withdrawn), one.withdrawn.seq, settled):
        yield _claim(one, evidence, one.captured, one.correction, "withdrawn")


def _claim(
    one: EffectiveEntry[Any],
    part: IntentPart,
    at: datetime,
    shift: timedelta | None,
    state: Literal["stands", "corrected", "withdrawn"] = "stands",
    changed: datetime | None = None,
) -> RecordedIntent:
    formed = part.formed_at if part.formed_at is None or shift is None else part.formed_at - shift
    place, lives = (one.entry.location_type, one.entry.someone_lives_there) if _is_contact(one) else (None, None)
    return RecordedIntent(one.stored.id, one.stored.author, part, at, formed, state, changed, place, lives)


def _is_contact(one: EffectiveEntry[Any]) -> bool:
    return type(one.stored.entry) is Officer


def _evidence(one: EffectiveEntry[Any], settled: int | None) -> IntentPart | None:
    """The original part, as corrected freely."""
    part: IntentPart | None = one.versions[0].entry.intent
    for version in one.versions[1:]:
        if _free(one, version.captured, version.seq, settled):
            part = version.entry.intent
    return part


def _given(versions: tuple[EntryVersion[Any], ...]) -> EntryVersion[Any]:
    """The version since which the part has been what it is now."""
    given = versions[-1]
    for version in reversed(versions[:-1]):
        if version.entry.intent != given.entry.intent:
            break
        given = version
    return given


def _free(one: EffectiveEntry[Any], at: datetime, seq: int, settled: int | None) -> bool:
    return at - one.captured <= FREE_TO_CORRECT and (settled is None or seq < settled)


def _settled(record: SortedEntries) -> int | None:
    """Where in the log the first consultation, advice or disposal stands: after it no change of an intent is free."""
    return next((one.seq for one in record.stored if _settles(one)), None)


def _settles(held: StoredEntry) -> bool:
    entry = held.entry.entry if isinstance(held.entry, Amendment) else held.entry
    said = getattr(entry, "consulted", None), getattr(entry, "advice", None), getattr(entry, "disposal", None)
    return any(one is not None for one in said)
