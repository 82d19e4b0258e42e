"""The lines of rule set DIV-1, in the order of its published tables (docs/diversion.md)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from triage import codes
from triage.log.effective import EffectiveEntry
from triage.log.evidence import evidence_withdrawn, late_inputs, received_late
from triage.log.grading_inputs import (
    JUDGED_BY,
    GradeReason,
    GradingInputs,
    contemporaneous,
    judged_blind,
    judgements_against,
    legal_refutations,
    place_that_counts,
    recorded_at_the_time,
    tests_failed,
)
from triage.log.intents import RecordedIntent
from triage.log.resolve import latest_known, s136_available
from triage.log.view import Because, Grade

_DISPOSALS = codes.list("disposal")

POWERS = frozenset(("s136", "s135"))
SECTIONS = frozenset(("s2", "s3", "s4", "s5", "s2_s3_s4", "mha_detention"))
HARM = frozenset(("serious_harm", "died"))
ARRESTED_LATER = frozenset(("arrest_custody", "custody", "later_arrest"))
AGAINST_S136 = POWERS | SECTIONS | HARM | {"first_disposal", "law", "place", "test", "judge"}
AGAINST_CUSTODY = POWERS | ARRESTED_LATER | HARM | {"first_disposal", "no_offence"}
"""What speaks against a grade, and stands as evidence when it is taken away: uses, reversals, refutations, and another
first disposal."""


class Grading(Struct, frozen=True, gc=False):
    """A result. Until `pending_until` (if any) the grade is P, for `pending`; then it is what stands here.

    `reason` names a null grade, or the kind of a refutation or reversal; `because` what it rests on.
    """

    grade: Grade | None
    reason: str | None = None
    because: tuple[Because, ...] = ()
    window: str | None = None
    sub_type: str | None = None
    pending_until: datetime | None = None
    pending: tuple[Because, ...] = ()


class GradedCase(Struct, frozen=True, gc=False):
    """A case to be graded: an intent, an arrest, or both."""

    inputs: GradingInputs
    intent: RecordedIntent | None
    arrested: EffectiveEntry[Any] | None = None

    @property
    def disposal(self) -> codes.Code | None:
        """The first disposal."""
        return _DISPOSALS.get(self.inputs.first.disposal) if self.inputs.first else None

    def grounds(self) -> Iterable[GradeReason]:
        """The entries on which every grade rests: the intent or the arrest, and the first disposal."""
        if self.intent:
            yield "intent", self.intent.entry
        if self.arrested:
            yield "arrested", self.arrested.id
        if self.inputs.first:
            yield "first_disposal", self.inputs.first.entry

    def result(self, grade: Grade | None, reason: str | None, *because: tuple[str, UUID | None]) -> Grading:
        return Grading(grade, reason, reasons(*self.grounds(), *because))


Rule = Callable[[GradedCase], Grading | None]
NOT_IN_QUESTION = Grading(None, "none")


def reasons(*because: tuple[str, UUID | None]) -> tuple[Because, ...]:
    """Reasons as they are served."""
    return tuple(Because(code=code, entry=entry) for code, entry in because)


# --- both tables ---


def not_in_question(case: GradedCase) -> Grading | None:
    if case.intent is None:
        return NOT_IN_QUESTION if case.arrested is None else None
    if case.intent.state == "corrected":
        return Grading(None, "corrected", reasons(("corrected", case.intent.entry)))
    return None


def not_safe(case: GradedCase) -> Grading | None:
    return case.result(None, "not_safe") if case.disposal and case.disposal.in_place_of_s136 == "not_safe" else None


def not_seen(case: GradedCase) -> Grading | None:
    return case.result(None, "not_seen") if case.disposal and case.disposal.in_place_of_s136 == "not_seen" else None


def _undecided(case: GradedCase) -> list[tuple[str, UUID | None]]:
    if case.inputs.first is None:
        return [("no_disposal", None)]
    return [] if case.inputs.first.at else [("no_decided_at", case.inputs.first.entry)]


# --- from section 136 ---


def s136_used(case: GradedCase) -> Grading | None:
    use = case.inputs.used.get("s136")
    if use and case.inputs.already(use.at):
        return case.result(None, "used", ("s136", use.entry))
    held = case.inputs.held_elsewhere()
    return case.result(None, "used", ("s136", held.entry)) if held else None


def s136_substituted(case: GradedCase) -> Grading | None:
    substituted = case.disposal and case.disposal.in_place_of_s136 == "substituted"
    return case.result(None, "substituted") if substituted else None


def s136_reversed(case: GradedCase) -> Grading | None:
    after = case.inputs.after()
    harm = [reason for reason in after if reason[0] in HARM]
    powers = [reason for reason in after if reason[0] in POWERS or reason[0] in SECTIONS]
    if powers:
        voluntary = case.disposal is not None and case.disposal.voluntary_route
        admitted = voluntary and all(code in SECTIONS for code, _ in powers)
        return case.result("R", "admitted" if admitted else "power", *powers, *harm)
    return case.result("R", "harm", *harm) if harm else None


def s136_in_conflict(case: GradedCase) -> Grading | None:
    """Outcomes that disagree on the use come before a refutation; nothing else tells of a reversal here."""
    return s136_undetermined(case) if case.inputs.disposal_conflict else None


def s136_refuted(case: GradedCase) -> Grading | None:
    assert case.intent is not None
    against = list(legal_refutations(case.intent, case.inputs))
    if tests_failed(case.intent.part):
        against.append(("test", case.intent.entry))
    against += judgements_against(case.inputs.entries)
    return case.result("X", against[0][0], *against) if against else None


def s136_undetermined(case: GradedCase) -> Grading | None:
    assert case.intent is not None
    part, intent = case.intent.part, case.intent.entry
    missing = _undecided(case)
    if case.intent.state == "withdrawn":
        return case.result("U", "intent_withdrawn", ("intent_withdrawn", intent), *missing)
    tests = part.tests
    if tests is None or None in (tests.mental_disorder, tests.immediate_need, tests.necessary):
        missing.append(("test_missing", intent))
    if part.confidence is None:
        missing.append(("confidence_missing", intent))
    place = place_that_counts(case.intent, case.inputs)
    if s136_available(*place) is None:
        missing.append(("place_missing" if place[0] is None else "place_unresolved", intent))
    if case.inputs.disposal_conflict:
        missing.append(("conflict:disposal", case.inputs.first.entry if case.inputs.first else None))
    return case.result("U", None, *missing) if missing else None


def s136_claimed(case: GradedCase) -> Grading | None:
    assert case.intent is not None
    part, intent = case.intent.part, case.intent.entry
    doubts = late_inputs(case.intent, case.inputs, place=True)
    doubts += evidence_withdrawn(case.intent, case.inputs, AGAINST_S136)
    if part.confidence == 1:
        doubts.append(("confidence_1", intent))
    if part.source == "control_room":
        doubts.append(("control_room", intent))
    elif part.source == "referring_officer":
        if not case.intent.confirmed:
            doubts.append(("unconfirmed", intent))
    elif not contemporaneous(case.intent, case.inputs) and not recorded_at_the_time(case.intent):
        doubts.append(("not_contemporaneous", intent))
    return case.result("C", None, *doubts) if doubts else None


def s136_corroborated(case: GradedCase) -> Grading | None:
    at = case.inputs.decided_at
    for nurse in case.inputs.entries.nurses:
        if at and nurse.captured <= at + JUDGED_BY and judged_blind(nurse) and not received_late(nurse.stored):
            return case.result("A", None, ("judged_blind", nurse.id))
    return None


def s136_contemporaneous(case: GradedCase) -> Grading | None:
    assert case.intent is not None
    if case.intent.part.source == "referring_officer":
        return case.result("B", None, ("referring_officer", case.intent.entry))
    code = "contemporaneous" if contemporaneous(case.intent, case.inputs) else "recorded_at_the_time"
    return case.result("B", None, (code, case.intent.entry))


# --- from custody ---


def custody_used(case: GradedCase) -> Grading | None:
    return case.result(None, "used") if case.disposal and case.disposal.code == "arrest_custody" else None


def custody_substituted(case: GradedCase) -> Grading | None:
    uses = [use for use in case.inputs.used.values() if case.inputs.already(use.at)]
    return case.result(None, "substituted", ("used", min(uses).entry)) if uses else None


def custody_reversed(case: GradedCase) -> Grading | None:
    after = case.inputs.after()
    arrests = [reason for reason in after if reason[0] in ARRESTED_LATER]
    harm = [reason for reason in after if reason[0] in HARM]
    if not arrests and not harm:
        return None
    return case.result("R", "power" if arrests else "harm", *arrests, *harm)


def custody_refuted(case: GradedCase) -> Grading | None:
    if case.intent is None or case.intent.part.power != "arrest_offence":
        return None
    officers = case.inputs.entries.officers
    if latest_known(officers, "offence") != "none":
        return None
    denying = next(officer for officer in reversed(officers) if officer.entry.offence == "none")
    return case.result("X", "no_offence", ("no_offence", denying.id))


def custody_undetermined(case: GradedCase) -> Grading | None:
    missing = _undecided(case)
    if case.intent and case.intent.state == "withdrawn":
        return case.result("U", "intent_withdrawn", ("intent_withdrawn", case.intent.entry), *missing)
    if case.arrested is None and case.intent and case.intent.part.power == "arrest_offence":
        officers = case.inputs.entries.officers
        if not any(officer.entry.offence for officer in officers):
            missing.append(("offence_missing", None))
        if not any(officer.entry.arrest_necessity for officer in officers):
            missing.append(("necessity_missing", None))
    return case.result("U", None, *missing) if missing else None


def custody_claimed(case: GradedCase) -> Grading | None:
    doubts = late_inputs(case.intent, case.inputs, place=False)
    doubts += evidence_withdrawn(case.intent, case.inputs, AGAINST_CUSTODY)
    if case.intent and not contemporaneous(case.intent, case.inputs):
        doubts.append(("not_contemporaneous", case.intent.entry))
    if case.intent and case.intent.part.confidence == 1:
        doubts.append(("confidence_1", case.intent.entry))
    return case.result("C", None, *doubts) if doubts else None


def custody_corroborated(case: GradedCase) -> Grading | None:
    if case.intent and case.intent.part.source == "referring_officer" and case.intent.confirmed:
        return case.result("A", None, ("referring_officer", case.intent.entry))
    return None


def custody_contemporaneous(case: GradedCase) -> Grading | None:
    return case.result("B", None, *([("contemporaneous", case.intent.entry)] if case.intent else []))
