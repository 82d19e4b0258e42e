"""Diversion, derived: rule set DIV-1. Graded, never a tick box.

`S136` and `CUSTODY` are the published tables: rules in order, the first that applies gives the grade. The last lines
wait until 24 hours have passed since the first disposal, and are P until then. That needs the time, so a grading says
until when it is P and what it is afterwards, and `served` chooses. By time alone a grade moves only from P.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from triage.log.effective import EffectiveEntry
from triage.log.grading_inputs import (
    JUDGED_BY,
    WINDOW,
    GradingInputs,
    contemporaneous,
    judged_blind,
    judgements_against,
    late_inputs,
    legal_refutations,
    place_that_counts,
    recorded_at_the_time,
    tests_failed,
    window,
)
from triage.log.intents import RecordedIntent, earliest
from triage.log.resolve import latest_known, s136_available
from triage.log.view import Because, CustodyView, DiversionView, Grade, S136View

RULE = "DIV-1"

SUBSTITUTES = frozenset(
    [
        "arrest_custody",
        "arrest_street_bail",
        "ed_capacity_act",
        "police_protection_s46",
        "returned_under_act",
        "s135_removed",
        "s135_kept",
        "s135_requested",
    ]
)
NOT_SAFE = frozenset(("left_before_assessment", "missing_after_contact", "deceased"))
NOT_SEEN = frozenset(("stood_down", "not_attended"))
VOLUNTARY = frozenset(("mh_unit_voluntary", "ed_voluntary"))
ED_AVOIDED = frozenset(
    ["community_follow_up", "signposted", "carer_or_home", "child_care_pathway", "no_mental_health_need"]
)
ARRESTS = frozenset(("arrest_offence", "arrest_breach_of_peace"))

POWERS = frozenset(("s136", "s135"))
SECTIONS = frozenset(("s2", "s3", "s4", "s5", "s2_s3_s4", "mha_detention"))
HARM = frozenset(("serious_harm", "died"))
ARRESTED_LATER = frozenset(("arrest_custody", "custody", "later_arrest"))

CLINICAL = SECTIONS | {"serious_harm", "judge", "judged_blind"}
"""Reasons that rest on what only health may see."""
POLICE_ONLY = frozenset(("later_arrest", "necessity_missing"))
"""Reasons that rest on what only police may see."""

_RESTS_ON = {"power": POWERS | SECTIONS | ARRESTED_LATER, "admitted": SECTIONS, "harm": HARM}


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


class EdAvoided(Struct, frozen=True, gc=False):
    """Whether an emergency department was avoided; null before `pending_until`, and where it is not in question."""

    avoided: bool | None = None
    pending_until: datetime | None = None


class GradingQuestion(Struct, frozen=True, gc=False):
    """One question put to the facts: the intent it is about, if any."""

    facts: GradingInputs
    intent: RecordedIntent | None
    arrested: EffectiveEntry[Any] | None = None


class Grades(Struct, frozen=True, gc=False):
    """What DIV-1 says of one incident."""

    s136: Grading
    custody: Grading
    ed: EdAvoided

    @property
    def pending_until(self) -> datetime | None:
        """When every grade has left P; None where none is P."""
        return self.s136.pending_until or self.custody.pending_until or self.ed.pending_until


Rule = Callable[[GradingQuestion], Grading | None]


def derive(facts: GradingInputs) -> Grades:
    """Every grade of an incident."""
    return Grades(s136(facts), custody(facts), ed_avoided(facts))


def diversion_view(result: Grades, now: datetime, hidden: frozenset[str]) -> DiversionView:
    """The grades as they stand at an instant, without the reasons that rest on what may not be seen."""
    grade, reason, window, because = _standing(result.s136, now, hidden)
    held, why, _, ground = _standing(result.custody, now, hidden)
    ed = result.ed
    return DiversionView(
        s136=S136View(grade=grade, reason=reason, window=window, rule=RULE, because=because),
        custody=CustodyView(grade=held, reason=why, sub_type=result.custody.sub_type, rule=RULE, because=ground),
        ed_avoided=None if ed.pending_until and now < ed.pending_until else ed.avoided,
    )


def _standing(
    grading: Grading, now: datetime, hidden: frozenset[str]
) -> tuple[Grade | None, str | None, str | None, tuple[Because, ...]]:
    if grading.pending_until and now < grading.pending_until:
        return "P", None, None, grading.pending
    because = tuple(item for item in grading.because if item.code not in hidden)
    reason = grading.reason
    if grading.grade and reason and not any(item.code in _RESTS_ON.get(reason, (reason,)) for item in because):
        reason = None
    return grading.grade, reason, grading.window, because


def s136(facts: GradingInputs) -> Grading:
    """How an intent to use s136 ended."""
    return _grade(GradingQuestion(facts, earliest(facts.intents, ("s136",))), S136)


def custody(facts: GradingInputs) -> Grading:
    """How an intent to arrest, or an arrest, ended."""
    arrested = next((one for one in facts.entries.contacts if one.entry.legal_status == "arrested"), None)
    intent = earliest(facts.intents, ARRESTS)
    if arrested and intent and intent.state != "stands":
        intent = None
    grading = _grade(GradingQuestion(facts, intent, arrested), CUSTODY)
    if grading.reason in ("none", "corrected"):
        return grading
    return structs.replace(grading, sub_type="post_arrest" if arrested else "pre_arrest")


def ed_avoided(facts: GradingInputs) -> EdAvoided:
    """Whether somebody who might have been taken to an emergency department was safely not."""
    record = facts.entries
    in_question = any(one.entry.initial_plan == "ed" for one in record.paramedics) or any(
        claim.state == "stands" and claim.part.power == "emergency_department" for claim in facts.intents
    )
    if not in_question or facts.first is None or facts.decided_at is None:
        return EdAvoided()
    need = latest_known(record.paramedics, "physical_need")
    if (
        need not in ("none", "treat_on_scene")
        or facts.first.disposal not in ED_AVOIDED
        or any(one.entry.place_of_safety == "emergency_department" for one in record.detentions)
        or any(code == "later_ed" for code, _ in facts.after())
    ):
        return EdAvoided(False)
    return EdAvoided(True, facts.decided_at + WINDOW)


# --- the rules, in the order of the published tables -------------------------------------------------------------


def _none(q: GradingQuestion) -> Grading | None:
    if q.intent is None:
        return NOT_IN_QUESTION if q.arrested is None else None
    if q.intent.state == "corrected":
        return Grading(None, "corrected", _items(("corrected", q.intent.entry)))
    return None


def _used(q: GradingQuestion) -> Grading | None:
    use = q.facts.used.get("s136")
    if use and q.facts.already(use.at):
        return _result(q, None, "used", ("s136", use.entry))
    return None


def _used_custody(q: GradingQuestion) -> Grading | None:
    return _result(q, None, "used") if _disposal(q) == "arrest_custody" else None


def _substituted(q: GradingQuestion) -> Grading | None:
    return _result(q, None, "substituted") if _disposal(q) in SUBSTITUTES else None


def _substituted_custody(q: GradingQuestion) -> Grading | None:
    uses = [use for use in q.facts.used.values() if q.facts.already(use.at)]
    return _result(q, None, "substituted", ("used", min(uses).entry)) if uses else None


def _not_safe(q: GradingQuestion) -> Grading | None:
    return _result(q, None, "not_safe") if _disposal(q) in NOT_SAFE else None


def _not_seen(q: GradingQuestion) -> Grading | None:
    return _result(q, None, "not_seen") if _disposal(q) in NOT_SEEN else None


def _reversed(q: GradingQuestion) -> Grading | None:
    after = q.facts.after()
    harm = [item for item in after if item[0] in HARM]
    powers = [item for item in after if item[0] in POWERS or item[0] in SECTIONS]
    if powers:
        admitted = _disposal(q) in VOLUNTARY and all(code in SECTIONS for code, _ in powers)
        return _result(q, "R", "admitted" if admitted else "power", *powers, *harm)
    return _result(q, "R", "harm", *harm) if harm else None


def _reversed_custody(q: GradingQuestion) -> Grading | None:
    after = q.facts.after()
    arrests = [item for item in after if item[0] in ARRESTED_LATER]
    harm = [item for item in after if item[0] in HARM]
    if not arrests and not harm:
        return None
    return _result(q, "R", "power" if arrests else "harm", *arrests, *harm)


def _refuted(q: GradingQuestion) -> Grading | None:
    assert q.intent is not None
    reasons = [*legal_refutations(q.intent, q.facts), *tests_failed(q.intent), *judgements_against(q.facts.entries)]
    return _result(q, "X", reasons[0][0], *reasons) if reasons else None


def _refuted_custody(q: GradingQuestion) -> Grading | None:
    if q.intent is None or q.intent.part.power != "arrest_offence":
        return None
    if latest_known(q.facts.entries.officers, "offence") != "none":
        return None
    denying = next(one for one in reversed(q.facts.entries.officers) if one.entry.offence == "none")
    return _result(q, "X", "no_offence", ("no_offence", denying.stored.id))


def _undetermined(q: GradingQuestion) -> Grading | None:
    assert q.intent is not None
    part, intent = q.intent.part, q.intent.entry
    reasons: list[tuple[str, UUID | None]] = _undecided(q)
    if q.intent.state == "withdrawn":
        return _result(q, "U", "intent_withdrawn", ("intent_withdrawn", intent), *reasons)
    tests = part.tests
    if tests is None or None in (tests.mental_disorder, tests.immediate_need, tests.necessary):
        reasons.append(("test_missing", intent))
    if part.confidence is None:
        reasons.append(("confidence_missing", intent))
    place = place_that_counts(q.intent, q.facts)
    if s136_available(*place) is None:
        reasons.append(("place_missing" if place[0] is None else "place_unresolved", intent))
    if q.facts.disposal_conflict:
        reasons.append(("conflict:disposal", q.facts.first.entry if q.facts.first else None))
    return _result(q, "U", None, *reasons) if reasons else None


def _undetermined_custody(q: GradingQuestion) -> Grading | None:
    reasons = _undecided(q)
    if q.intent and q.intent.state == "withdrawn":
        return _result(q, "U", "intent_withdrawn", ("intent_withdrawn", q.intent.entry), *reasons)
    if q.arrested is None and q.intent and q.intent.part.power == "arrest_offence":
        officers = q.facts.entries.officers
        if not any(one.entry.offence for one in officers):
            reasons.append(("offence_missing", None))
        if not any(one.entry.arrest_necessity for one in officers):
            reasons.append(("necessity_missing", None))
    return _result(q, "U", None, *reasons) if reasons else None


def _claimed(q: GradingQuestion) -> Grading | None:
    assert q.intent is not None
    part, intent = q.intent.part, q.intent.entry
    reasons = late_inputs(q.intent, q.facts)
    if part.confidence == 1:
        reasons.append(("confidence_1", intent))
    if part.source == "control_room":
        reasons.append(("control_room", intent))
    elif part.source == "referring_officer":
        if not q.intent.confirmed:
            reasons.append(("unconfirmed", intent))
    elif not contemporaneous(q.intent, q.facts) and not recorded_at_the_time(q.intent):
        reasons.append(("not_contemporaneous", intent))
    return _result(q, "C", None, *reasons) if reasons else None


def _claimed_custody(q: GradingQuestion) -> Grading | None:
    reasons = late_inputs(q.intent, q.facts)
    if q.intent and not contemporaneous(q.intent, q.facts):
        reasons.append(("not_contemporaneous", q.intent.entry))
    if q.intent and q.intent.part.confidence == 1:
        reasons.append(("confidence_1", q.intent.entry))
    return _result(q, "C", None, *reasons) if reasons else None


def _corroborated(q: GradingQuestion) -> Grading | None:
    at = q.facts.decided_at
    for nurse in q.facts.entries.nurses:
        if at and nurse.captured <= at + JUDGED_BY and judged_blind(nurse):
            return _result(q, "A", None, ("judged_blind", nurse.stored.id))
    return None


def _corroborated_custody(q: GradingQuestion) -> Grading | None:
    if q.intent and q.intent.part.source == "referring_officer" and q.intent.confirmed:
        return _result(q, "A", None, ("referring_officer", q.intent.entry))
    return None


def _contemporaneous(q: GradingQuestion) -> Grading | None:
    assert q.intent is not None
    if q.intent.part.source == "referring_officer":
        return _result(q, "B", None, ("referring_officer", q.intent.entry))
    code = "contemporaneous" if contemporaneous(q.intent, q.facts) else "recorded_at_the_time"
    return _result(q, "B", None, (code, q.intent.entry))


def _contemporaneous_custody(q: GradingQuestion) -> Grading | None:
    return _result(q, "B", None, *([("contemporaneous", q.intent.entry)] if q.intent else []))


class RuleTable(Struct, frozen=True):
    """Rules in order, split where a grade waits for the 24 hours to pass."""

    before_pending: tuple[Rule, ...]
    after_pending: tuple[Rule, ...]


S136 = RuleTable(
    (_none, _used, _substituted, _not_safe, _not_seen, _reversed, _refuted, _undetermined),
    (_claimed, _corroborated, _contemporaneous),
)
CUSTODY = RuleTable(
    (
        _none,
        _used_custody,
        _substituted_custody,
        _not_safe,
        _not_seen,
        _reversed_custody,
        _refuted_custody,
        _undetermined_custody,
    ),
    (_claimed_custody, _corroborated_custody, _contemporaneous_custody),
)

NOT_IN_QUESTION = Grading(None, "none")


def _undecided(q: GradingQuestion) -> list[tuple[str, UUID | None]]:
    if q.facts.first is None:
        return [("no_disposal", None)]
    return [] if q.facts.first.at else [("no_decided_at", q.facts.first.entry)]


def _disposal(q: GradingQuestion) -> str | None:
    return q.facts.first.disposal if q.facts.first else None


def _grade(q: GradingQuestion, table: RuleTable) -> Grading:
    for rule in table.before_pending:
        grading = rule(q)
        if grading is not None:
            return grading
    for rule in table.after_pending:
        grading = rule(q)
        if grading is not None:
            return _pending(q, grading)
    raise AssertionError("the last rule always applies")


def _pending(q: GradingQuestion, grading: Grading) -> Grading:
    assert q.facts.decided_at is not None
    return Grading(
        grading.grade,
        grading.reason,
        grading.because,
        window(q.facts.entries) if grading.grade in ("A", "B") else None,
        None,
        q.facts.decided_at + WINDOW,
        _items(*_grounds(q)),
    )


def _result(q: GradingQuestion, grade: Grade | None, reason: str | None, *because: tuple[str, UUID | None]) -> Grading:
    return Grading(grade, reason, _items(*_grounds(q), *because))


def _grounds(q: GradingQuestion) -> Iterable[tuple[str, UUID]]:
    """What every grade rests on: the intent or the arrest, and the first disposal."""
    if q.intent:
        yield "intent", q.intent.entry
    if q.arrested:
        yield "arrested", q.arrested.stored.id
    if q.facts.first:
        yield "first_disposal", q.facts.first.entry


def _items(*because: tuple[str, UUID | None]) -> tuple[Because, ...]:
    return tuple(Because(code=code, entry=entry) for code, entry in because)
