"""Intents as evidence: what somebody had under consideration, when it was captured, and what became of it.

An intent may be corrected or withdrawn freely by what is captured within two minutes of it and before anybody was
consulted, advised or decided (the limit of `triage.log.evidence`). After that the original stands as evidence: it can
be corrected away or withdrawn, but it does not vanish.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from triage.log.effective import EffectiveEntry, EntryVersion, SortedEntries, captured
from triage.log.entries import Intent, IntentPart, Officer, StoredEntry

FREE_TO_CORRECT = timedelta(minutes=2)
"""How long after its capture an entry may be corrected without a trace in the grade."""

PROMPTLY = timedelta(minutes=60)
"""An intent captured within this time of `formed_at` was recorded while the memory was fresh."""


class RecordedIntent(Struct, frozen=True, gc=False):
    """An intent: `source` is the entry that holds it, `part` what it says (as it is now, or as it was when taken back).

    `captured` is when its power was first given, `formed` when it was formed, both corrected. `given_by` is the stored
    entry that gave it its present form; `late`: that is another than at the limit, by amendment. `location_type` and
    `someone_lives_there` are those of the contact that carries it.
    """

    source: StoredEntry
    part: IntentPart
    captured: datetime
    formed: datetime | None
    state: Literal["stands", "corrected", "withdrawn"]
    given_by: StoredEntry
    late: bool
    location_type: str | None
    someone_lives_there: bool | None

    @property
    def entry(self) -> UUID:
        return self.source.id

    @property
    def author(self) -> UUID:
        return self.source.author

    @property
    def captured_promptly(self) -> bool:
        """Whether it was captured within 60 minutes of being formed."""
        return self.formed is not None and abs(self.captured - self.formed) <= PROMPTLY

    @property
    def confirmed(self) -> bool:
        """Whether a referring officer's intent has the officer, a log time, and was captured promptly."""
        return bool(self.part.referrer) and self.part.log_time is not None and self.captured_promptly


def recorded_intents(entries: SortedEntries, limit: datetime | None) -> list[RecordedIntent]:
    """Every intent of an incident, also those corrected away and withdrawn, in capture order, ties by entry id.

    `limit` is the contemporaneity limit: no change after it is free.
    """
    intents: list[RecordedIntent] = []
    for intent in entries.intents:
        intents += _in_force(intent, limit)
    for officer in entries.officers:
        intents += _in_force(officer, limit)
    for withdrawn in entries.withdrawn:
        if isinstance(withdrawn.stored.entry, Intent | Officer):
            intents += _withdrawn(withdrawn, limit)
    if len(intents) > 1:
        intents.sort(key=lambda intent: (intent.captured, intent.entry))
    return intents


def earliest(intents: list[RecordedIntent], powers: Collection[str]) -> RecordedIntent | None:
    """The earliest captured intent of one of these powers."""
    return next((intent for intent in intents if intent.part.power in powers), None)


def is_free(target_captured: datetime, change_captured: datetime, limit: datetime | None) -> bool:
    """Whether an intent may be changed without a trace by what was captured then."""
    return change_captured - target_captured <= FREE_TO_CORRECT and (limit is None or change_captured < limit)


def _in_force(effective: EffectiveEntry[Any], limit: datetime | None) -> Iterator[RecordedIntent]:
    current: IntentPart | None = effective.entry.intent
    if not effective.versions:
        if current is not None:
            yield _intent(effective, current, effective.history()[0])
        return
    evidence, given = _evidence(effective, limit), _given(effective.versions)
    if evidence and current and evidence.power == current.power:
        late = limit is not None and effective.at(limit).entry.intent != current
        yield _intent(effective, current, effective.versions[0], given_by=given.given_by, late=late)
        return
    if evidence:
        yield _intent(effective, evidence, effective.versions[0], "corrected")
    if current:
        yield _intent(effective, current, given, late=limit is not None and given.captured > limit)


def _withdrawn(effective: EffectiveEntry[Any], limit: datetime | None) -> Iterator[RecordedIntent]:
    assert effective.withdrawn is not None
    evidence = _evidence(effective, limit)
    if evidence and not is_free(effective.captured, captured(effective.withdrawn), limit):
        yield _intent(effective, evidence, effective.history()[0], "withdrawn")


def _intent(
    effective: EffectiveEntry[Any],
    part: IntentPart,
    version: EntryVersion[Any],
    state: Literal["stands", "corrected", "withdrawn"] = "stands",
    *,
    given_by: StoredEntry | None = None,
    late: bool = False,
) -> RecordedIntent:
    is_contact = isinstance(effective.stored.entry, Officer)
    return RecordedIntent(
        source=effective.stored,
        part=part,
        captured=version.captured,
        formed=part.formed_at and effective.corrected(part.formed_at),
        state=state,
        given_by=given_by or version.given_by,
        late=late,
        location_type=effective.entry.location_type if is_contact else None,
        someone_lives_there=effective.entry.someone_lives_there if is_contact else None,
    )


def _evidence(effective: EffectiveEntry[Any], limit: datetime | None) -> IntentPart | None:
    """The original part, as corrected freely."""
    original, *amendments = effective.history()
    part: IntentPart | None = original.entry.intent
    for version in amendments:
        if is_free(effective.captured, version.captured, limit):
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
