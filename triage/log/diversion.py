"""Diversion, derived: rule set DIV-1. Graded, never a tick box.

`S136` and `CUSTODY` are the published tables: rules in order, the first that applies gives the grade. The last lines
wait until 24 hours have passed since the first disposal, and are P until then. That needs the time, so a grading says
until when it is P and what it is afterwards, and `served` chooses. By time alone a grade moves only from P.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from triage.log.consensus import DECIDED_TOGETHER, available, known
from triage.log.course import USES, Decided, PersonEvent, Use, as_found, every_use
from triage.log.intents import Claim, earliest
from triage.log.standing import Record, Standing
from triage.log.view import Because, CustodyView, DiversionView, Grade, S136View

RULE = "DIV-1"

WINDOW = timedelta(hours=24)
"""How long after the first disposal a reversal counts."""

JUDGED_BY = timedelta(minutes=30)
"""How long after the first disposal a nurse's judgement may still corroborate."""

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
OTHER_SECTIONS = frozenset(("awol_s18", "s2_s3_s4", "s5", "cto_recall", "other_detained"))
ARRESTS = frozenset(("arrest_offence", "arrest_breach_of_peace"))

POWERS = frozenset(("s136", "s135"))
SECTIONS = frozenset(("s2", "s3", "s4", "s5", "s2_s3_s4", "mha_detention"))
HARM = frozenset(("serious_harm", "died"))
ARRESTED_LATER = frozenset(("arrest_custody", "custody", "later_arrest"))

CLINICAL = SECTIONS | {"serious_harm", "judge", "judged_blind"}
"""Reasons that rest on what only health may see."""
POLICE_ONLY = frozenset(("later_arrest", "no_offence", "offence_missing", "necessity_missing"))
"""Reasons that rest on what only police may see."""

_RESTS_ON = {"power": POWERS | SECTIONS | ARRESTED_LATER, "admitted": SECTIONS, "harm": HARM}

_ASSESSED = ("face_to_face", "phone")
_RECORDED = ("body_worn_video", "radio_log")


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


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """What DIV-1 looks at. Times are corrected for skew."""

    record: Record
    claims: list[Claim]
    decided: Sequence[Decided]
    first: Decided | None
    decided_at: datetime | None
    used: dict[str, Use]
    events: Sequence[PersonEvent]
    location_type: str | None
    someone_lives_there: bool | None
    disposal_conflict: bool

    def already(self, at: datetime) -> bool:
        """Whether it was so at or before the first disposal, or there is none to come after."""
        return self.decided_at is None or at <= self.decided_at

    def after(self) -> list[PersonEvent]:
        """What befell the person in the 24 hours after the first disposal."""
        at = self.decided_at
        if at is None or not self.events:
            return []
        found = [event for event in self.events if at < event.at <= at + WINDOW]
        return sorted(found, key=lambda event: (event.at, event.entry, event.code))


class Question(Struct, frozen=True, gc=False):
    """One question put to the facts: the intent it is about, if any."""

    facts: Facts
    intent: Claim | None
    arrested: Standing[Any] | None = None


class Result(Struct, frozen=True, gc=False):
    """What DIV-1 says of one incident."""

    s136: Grading
    custody: Grading
    ed: EdAvoided

    @property
    def pending_until(self) -> datetime | None:
        """When every grade has left P; None where none is P."""
        return self.s136.pending_until or self.custody.pending_until or self.ed.pending_until


Rule = Callable[[Question], Grading | None]


def derive(facts: Facts) -> Result:
    """Every grade of an incident."""
    return Result(s136(facts), custody(facts), ed_avoided(facts))


def served(result: Result, now: datetime, hidden: frozenset[str]) -> DiversionView:
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


def s136(facts: Facts) -> Grading:
    """How an intent to use s136 ended."""
    return _grade(Question(facts, earliest(facts.claims, ("s136",))), S136)


def custody(facts: Facts) -> Grading:
    """How an intent to arrest, or an arrest, ended."""
    arrested = next((one for one in facts.record.contacts if one.entry.legal_status == "arrested"), None)
    intent = earliest(facts.claims, ARRESTS)
    if arrested and intent and intent.state != "stands":
        intent = None
    grading = _grade(Question(facts, intent, arrested), CUSTODY)
    if grading.reason in ("none", "corrected"):
        return grading
    return structs.replace(grading, sub_type="post_arrest" if arrested else "pre_arrest")


def ed_avoided(facts: Facts) -> EdAvoided:
    """Whether somebody who might have been taken to an emergency department was safely not."""
    record = facts.record
    in_question = any(one.entry.initial_plan == "ed" for one in record.paramedics) or any(
        claim.state == "stands" and claim.part.power == "emergency_department" for claim in facts.claims
    )
    if not in_question or facts.first is None or facts.decided_at is None:
        return EdAvoided()
    need = known(record.paramedics, "physical_need")
    if (
        need not in ("none", "treat_on_scene")
        or facts.first.disposal not in ED_AVOIDED
        or any(one.entry.place_of_safety == "emergency_department" for one in record.detentions)
        or any(event.code == "later_ed" for event in facts.after())
    ):
        return EdAvoided(False)
    return EdAvoided(True, facts.decided_at + WINDOW)


# --- the rules, in the order of the published tables -------------------------------------------------------------


def _none(q: Question) -> Grading | None:
    if q.intent is None:
        return NOT_IN_QUESTION if q.arrested is None else None
    if q.intent.state == "corrected":
        return Grading(None, "corrected", _items(("corrected", q.intent.entry)))
    return None


def _used(q: Question) -> Grading | None:
    use = q.facts.used.get("s136")
    if use and q.facts.already(use.at):
        return _result(q, None, "used", ("s136", use.entry))
    return None


def _used_custody(q: Question) -> Grading | None:
    return _result(q, None, "used") if _disposal(q) == "arrest_custody" else None


def _substituted(q: Question) -> Grading | None:
    return _result(q, None, "substituted") if _disposal(q) in SUBSTITUTES else None


def _substituted_custody(q: Question) -> Grading | None:
    uses = [use for use in q.facts.used.values() if q.facts.already(use.at)]
    return _result(q, None, "substituted", ("used", min(uses).entry)) if uses else None


def _not_safe(q: Question) -> Grading | None:
    return _result(q, None, "not_safe") if _disposal(q) in NOT_SAFE else None


def _not_seen(q: Question) -> Grading | None:
    return _result(q, None, "not_seen") if _disposal(q) in NOT_SEEN else None


def _reversed(q: Question) -> Grading | None:
    after = _after(q.facts)
    harm = [item for item in after if item[0] in HARM]
    powers = [item for item in after if item[0] in POWERS or item[0] in SECTIONS]
    if powers:
        admitted = _disposal(q) in VOLUNTARY and all(code in SECTIONS for code, _ in powers)
        return _result(q, "R", "admitted" if admitted else "power", *powers, *harm)
    return _result(q, "R", "harm", *harm) if harm else None


def _reversed_custody(q: Question) -> Grading | None:
    after = _after(q.facts)
    arrests = [item for item in after if item[0] in ARRESTED_LATER]
    harm = [item for item in after if item[0] in HARM]
    if not arrests and not harm:
        return None
    return _result(q, "R", "power" if arrests else "harm", *arrests, *harm)


def _refuted(q: Question) -> Grading | None:
    reasons = [*_law(q), *_tests_failed(q), *_judges(q)]
    return _result(q, "X", reasons[0][0], *reasons) if reasons else None


def _refuted_custody(q: Question) -> Grading | None:
    if q.intent is None or q.intent.part.power != "arrest_offence":
        return None
    if known(q.facts.record.officers, "offence") != "none":
        return None
    denying = next(one for one in reversed(q.facts.record.officers) if one.entry.offence == "none")
    return _result(q, "X", "no_offence", ("no_offence", denying.held.id))


def _undetermined(q: Question) -> Grading | None:
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
    place = place_of(q.intent, q.facts)
    if available(*place) is None:
        reasons.append(("place_missing" if place[0] is None else "place_unresolved", intent))
    if q.facts.disposal_conflict:
        reasons.append(("conflict:disposal", q.facts.first.entry if q.facts.first else None))
    return _result(q, "U", None, *reasons) if reasons else None


def _undetermined_custody(q: Question) -> Grading | None:
    reasons = _undecided(q)
    if q.intent and q.intent.state == "withdrawn":
        return _result(q, "U", "intent_withdrawn", ("intent_withdrawn", q.intent.entry), *reasons)
    if q.arrested is None and q.intent and q.intent.part.power == "arrest_offence":
        officers = q.facts.record.officers
        if not any(one.entry.offence for one in officers):
            reasons.append(("offence_missing", None))
        if not any(one.entry.arrest_necessity for one in officers):
            reasons.append(("necessity_missing", None))
    return _result(q, "U", None, *reasons) if reasons else None


def _claimed(q: Question) -> Grading | None:
    assert q.intent is not None
    part, intent = q.intent.part, q.intent.entry
    reasons = _late(q)
    if part.confidence == 1:
        reasons.append(("confidence_1", intent))
    if part.source == "control_room":
        reasons.append(("control_room", intent))
    elif part.source == "referring_officer":
        if not q.intent.confirmed:
            reasons.append(("unconfirmed", intent))
    elif not contemporaneous(q.intent, q.facts) and not _recorded(q.intent):
        reasons.append(("not_contemporaneous", intent))
    return _result(q, "C", None, *reasons) if reasons else None


def _claimed_custody(q: Question) -> Grading | None:
    reasons = _late(q)
    if q.intent and not contemporaneous(q.intent, q.facts):
        reasons.append(("not_contemporaneous", q.intent.entry))
    if q.intent and q.intent.part.confidence == 1:
        reasons.append(("confidence_1", q.intent.entry))
    return _result(q, "C", None, *reasons) if reasons else None


def _corroborated(q: Question) -> Grading | None:
    at = q.facts.decided_at
    for nurse in q.facts.record.nurses:
        if at and nurse.captured <= at + JUDGED_BY and nurse.held.blind and _judged_blind(nurse):
            return _result(q, "A", None, ("judged_blind", nurse.held.id))
    return None


def _corroborated_custody(q: Question) -> Grading | None:
    if q.intent and q.intent.part.source == "referring_officer" and q.intent.confirmed:
        return _result(q, "A", None, ("referring_officer", q.intent.entry))
    return None


def _contemporaneous(q: Question) -> Grading | None:
    assert q.intent is not None
    if q.intent.part.source == "referring_officer":
        return _result(q, "B", None, ("referring_officer", q.intent.entry))
    code = "contemporaneous" if contemporaneous(q.intent, q.facts) else "recorded_at_the_time"
    return _result(q, "B", None, (code, q.intent.entry))


def _contemporaneous_custody(q: Question) -> Grading | None:
    return _result(q, "B", None, *([("contemporaneous", q.intent.entry)] if q.intent else []))


class Table(Struct, frozen=True):
    """Rules in order, split where a grade waits for the 24 hours to pass."""

    before_pending: tuple[Rule, ...]
    after_pending: tuple[Rule, ...]


S136 = Table(
    (_none, _used, _substituted, _not_safe, _not_seen, _reversed, _refuted, _undetermined),
    (_claimed, _corroborated, _contemporaneous),
)
CUSTODY = Table(
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


# --- what the rules ask -----------------------------------------------------------------------------------------


def contemporaneous(intent: Claim, facts: Facts) -> bool:
    """Whether it was captured before anybody was consulted, advised or decided, and not before the officer came."""
    limit = _limit(facts)
    came = _came(intent, facts.record)
    return (limit is None or intent.captured <= limit) and (came is None or came <= intent.captured)


def place_of(intent: Claim, facts: Facts) -> tuple[str | None, bool | None]:
    """The place that counts: the intent's own, else that of the contact that carries it, else that of the contacts."""
    place = intent.part.location_type or intent.location_type
    if place is None:
        return facts.location_type, facts.someone_lives_there
    lives = intent.someone_lives_there
    return place, facts.someone_lives_there if lives is None else lives


def _limit(facts: Facts) -> datetime | None:
    times = [] if facts.decided_at is None else [facts.decided_at]
    for officer in facts.record.officers:
        if officer.entry.consulted and officer.entry.consulted.at:
            times.append(officer.corrected(officer.entry.consulted.at))
    for nurse in facts.record.nurses:
        if nurse.entry.advice_given_at:
            times.append(nurse.corrected(nurse.entry.advice_given_at))
    return min(times, default=None)


def _came(intent: Claim, record: Record) -> datetime | None:
    """When the officer arrived: the intent's author, else the first of them."""
    arrivals = [
        (one.held.author != intent.author, one.corrected(one.entry.arrived_at))
        for one in record.officers
        if one.entry.arrived_at
    ]
    return min(arrivals)[1] if arrivals else None


def _recorded(intent: Claim) -> bool:
    return intent.part.evidence in _RECORDED and intent.soon


def _after(facts: Facts) -> list[tuple[str, UUID]]:
    """What befell the person in the 24 hours after the first disposal.

    Where another outcome, decided within 30 minutes of it, says that s136 was used, that is what the two disagree on:
    it is undetermined, unless an entry other than such an outcome tells of the use.
    """
    after = [(event.code, event.entry) for event in facts.after()]
    if not facts.disposal_conflict or facts.decided_at is None:
        return after
    until, end = facts.decided_at + DECIDED_TOGETHER, facts.decided_at + WINDOW
    said = [one for one in facts.decided if USES.get(one.disposal) == "s136"]
    disputed = {one.entry for one in said if one.at and one.at <= until}
    told = [(use, power) for power, use in every_use(facts.record, facts.decided) if use.entry not in disputed]
    used = [(power, use.entry) for use, power in sorted(told) if facts.decided_at < use.at <= end]
    return [item for item in after if item[1] not in disputed] + used[:1]


def _law(q: Question) -> Iterable[tuple[str, UUID]]:
    assert q.intent is not None
    if available(*place_of(q.intent, q.facts)) is False:
        yield "law", q.intent.entry
    s135 = q.facts.used.get("s135")
    if s135 and q.facts.already(s135.at):
        yield "law", s135.entry
    for one in q.facts.record.contacts:
        if one.entry.legal_status in OTHER_SECTIONS and q.facts.already(as_found(one)):
            yield "law", one.held.id


def _tests_failed(q: Question) -> Iterable[tuple[str, UUID]]:
    assert q.intent is not None
    tests = q.intent.part.tests
    if tests and False in (tests.mental_disorder, tests.immediate_need, tests.necessary):
        yield "test", q.intent.entry


def _judges(q: Question) -> Iterable[tuple[str, UUID]]:
    for nurse in q.facts.record.nurses:
        if nurse.entry.s136_justified == "no" and nurse.entry.assessment in _ASSESSED and _own_words(nurse):
            yield "judge", nurse.held.id


def _own_words(nurse: Standing[Any]) -> bool:
    """Whether the judgement is as first given: one given or changed by amendment neither corroborates nor refutes."""
    return all(version.entry.s136_justified == nurse.entry.s136_justified for version in nurse.versions)


def _judged_blind(nurse: Standing[Any]) -> bool:
    """Whether she said yes, having seen or heard the person and not been told; not so by amendment."""
    contents = [version.entry for version in nurse.versions] or [nurse.entry]
    return all(
        entry.s136_justified == "yes" and entry.assessment in _ASSESSED and entry.told_intent is False
        for entry in contents
    )


def _undecided(q: Question) -> list[tuple[str, UUID | None]]:
    if q.facts.first is None:
        return [("no_disposal", None)]
    return [] if q.facts.first.at else [("no_decided_at", q.facts.first.entry)]


def _late(q: Question) -> list[tuple[str, UUID]]:
    """Inputs of the grade that were first given or changed by amendment after the first disposal."""
    at = q.facts.decided_at
    if at is None:
        return []
    late = [q.intent.entry] if q.intent and q.intent.changed and q.intent.changed > at else []
    late += [one.held.id for one in q.facts.record.contacts if _changed_after(one, at, _place_and_status)]
    firsts = [one for one in q.facts.decided if one.standing.versions and _was_first(one, at)]
    late += [one.entry for one in firsts if _changed_after(one.standing, at, _decision)]
    return [("late_input", entry) for entry in late]


def _changed_after(one: Standing[Any], at: datetime, inputs: Callable[[Any], object]) -> bool:
    given = None
    for version in one.versions:
        if version is not one.versions[0] and inputs(version.entry) != given and version.captured > at:
            return True
        given = inputs(version.entry)
    return False


def _was_first(one: Decided, at: datetime) -> bool:
    """Whether it is the first disposal, or was before it was amended."""
    times = [(version.entry.decided_at, version.correction) for version in one.standing.versions]
    return one.at == at or any(time and (time - shift if shift else time) <= at for time, shift in times)


def _place_and_status(entry: Any) -> object:
    return entry.location_type, entry.someone_lives_there, entry.legal_status, entry.legal_status_at


def _decision(entry: Any) -> object:
    return entry.disposal, entry.decided_at


def _disposal(q: Question) -> str | None:
    return q.facts.first.disposal if q.facts.first else None


def _grade(q: Question, table: Table) -> Grading:
    for rule in table.before_pending:
        grading = rule(q)
        if grading is not None:
            return grading
    for rule in table.after_pending:
        grading = rule(q)
        if grading is not None:
            return _pending(q, grading)
    raise AssertionError("the last rule always applies")


def _pending(q: Question, grading: Grading) -> Grading:
    assert q.facts.decided_at is not None
    return Grading(
        grading.grade,
        grading.reason,
        grading.because,
        _window(q.facts.record) if grading.grade in ("A", "B") else None,
        None,
        q.facts.decided_at + WINDOW,
        _items(*_grounds(q)),
    )


def _window(record: Record) -> str:
    found = {one.entry.event for one in record.follow_ups}
    if "window_checked" in found:
        return "checked"
    return "not_traceable" if "not_traceable" in found else "not_checked"


def _result(q: Question, grade: Grade | None, reason: str | None, *because: tuple[str, UUID | None]) -> Grading:
    return Grading(grade, reason, _items(*_grounds(q), *because))


def _grounds(q: Question) -> Iterable[tuple[str, UUID]]:
    """What every grade rests on: the intent or the arrest, and the first disposal."""
    if q.intent:
        yield "intent", q.intent.entry
    if q.arrested:
        yield "arrested", q.arrested.held.id
    if q.facts.first:
        yield "first_disposal", q.facts.first.entry


def _items(*because: tuple[str, UUID | None]) -> tuple[Because, ...]:
    return tuple(Because(code=code, entry=entry) for code, entry in because)
