"""Diversion, derived: rule set DIV-1. Graded, never a tick box.

`S136` and `CUSTODY` are the published tables: rules in order, the first that applies gives the grade. The last lines
wait until 24 hours have passed since the first disposal, and are P until then. That needs the time, so a grading says
until when it is P and what it is afterwards, and `diversion_view` chooses. By time alone a grade moves only from P.
"""

from datetime import datetime

from msgspec import Struct, structs

from triage import codes
from triage.log import diversion_rules as rules
from triage.log.diversion_rules import ARRESTED_LATER, HARM, POWERS, SECTIONS, GradedCase, Grading, Rule, reasons
from triage.log.evidence import OF, WITHDRAWN
from triage.log.grading_inputs import WINDOW, GradingInputs, window
from triage.log.intents import earliest
from triage.log.resolve import latest_known
from triage.log.view import Because, CustodyView, DiversionView, Grade, S136View

RULE = "DIV-1"

_DISPOSALS = codes.list("disposal")
_NEEDS = codes.list("physical_need")
_INTENTS = codes.list("intent_power")

CLINICAL = SECTIONS | {"serious_harm", "judge", "judged_blind"}
"""Reasons that rest on what only health may see."""
POLICE_ONLY = frozenset(("later_arrest", "necessity_missing"))
"""Reasons that rest on what only police may see."""

_RESTS_ON = {"power": POWERS | SECTIONS | ARRESTED_LATER, "admitted": SECTIONS, "harm": HARM}


class RuleTable(Struct, frozen=True):
    """Rules in order, split where a grade waits for the 24 hours to pass."""

    before_pending: tuple[Rule, ...]
    after_pending: tuple[Rule, ...]


S136 = RuleTable(
    (
        rules.not_in_question,
        rules.s136_used,
        rules.s136_substituted,
        rules.not_safe,
        rules.not_seen,
        rules.s136_reversed,
        rules.s136_in_conflict,
        rules.s136_refuted,
        rules.s136_undetermined,
    ),
    (rules.s136_claimed, rules.s136_corroborated, rules.s136_contemporaneous),
)
CUSTODY = RuleTable(
    (
        rules.not_in_question,
        rules.custody_used,
        rules.custody_substituted,
        rules.not_safe,
        rules.not_seen,
        rules.custody_reversed,
        rules.custody_refuted,
        rules.custody_undetermined,
    ),
    (rules.custody_claimed, rules.custody_corroborated, rules.custody_contemporaneous),
)


class EdAvoided(Struct, frozen=True, gc=False):
    """Whether an emergency department was avoided; null before `pending_until`, and where it is not in question."""

    avoided: bool | None = None
    pending_until: datetime | None = None


class Grades(Struct, frozen=True, gc=False):
    """The DIV-1 grades of one incident."""

    s136: Grading
    custody: Grading
    ed: EdAvoided

    @property
    def pending_until(self) -> datetime | None:
        """When every grade has left P; None where none is P."""
        return self.s136.pending_until or self.custody.pending_until or self.ed.pending_until


def derive(inputs: GradingInputs) -> Grades:
    """Every grade of an incident."""
    return Grades(grade_s136(inputs), grade_custody(inputs), ed_avoided(inputs))


def diversion_view(grades: Grades, now: datetime, hidden: frozenset[str]) -> DiversionView:
    """The grades as they stand at an instant, without the reasons that rest on what may not be seen."""
    grade, reason, checked, because = _standing(grades.s136, now, hidden)
    custody, why, _, ground = _standing(grades.custody, now, hidden)
    ed = grades.ed
    return DiversionView(
        s136=S136View(grade=grade, reason=reason, window=checked, rule=RULE, because=because),
        custody=CustodyView(grade=custody, reason=why, sub_type=grades.custody.sub_type, rule=RULE, because=ground),
        ed_avoided=None if ed.pending_until and now < ed.pending_until else ed.avoided,
    )


def grade_s136(inputs: GradingInputs) -> Grading:
    """How an intent to use s136 ended."""
    return _grade(GradedCase(inputs, earliest(inputs.intents, ("s136",))), S136)


def grade_custody(inputs: GradingInputs) -> Grading:
    """How an intent to arrest, or an arrest, ended."""
    arrested = next((contact for contact in inputs.entries.contacts if contact.entry.legal_status == "arrested"), None)
    intent = earliest(inputs.intents, _INTENTS.having("arrest"))
    if arrested and intent and intent.state != "stands":
        intent = None
    grading = _grade(GradedCase(inputs, intent, arrested), CUSTODY)
    if grading.reason in ("none", "corrected"):
        return grading
    return structs.replace(grading, sub_type="post_arrest" if arrested else "pre_arrest")


def ed_avoided(inputs: GradingInputs) -> EdAvoided:
    """Whether somebody who might have been taken to an emergency department was safely not."""
    entries = inputs.entries
    in_question = any(paramedic.entry.initial_plan == "ed" for paramedic in entries.paramedics) or any(
        intent.state == "stands" and intent.part.power == "emergency_department" for intent in inputs.intents
    )
    if not in_question or inputs.first is None or inputs.decided_at is None:
        return EdAvoided()
    need, disposal = (
        _NEEDS.get(latest_known(entries.paramedics, "physical_need")),
        _DISPOSALS.get(inputs.first.disposal),
    )
    avoided = (
        bool(need and need.avoids_ed)
        and bool(disposal and disposal.avoids_ed)
        and all(detention.entry.place_of_safety != "emergency_department" for detention in entries.detentions)
        and all(code != "later_ed" for code, _ in inputs.after())
    )
    return EdAvoided(True, inputs.decided_at + WINDOW) if avoided else EdAvoided(False)


def _standing(
    grading: Grading, now: datetime, hidden: frozenset[str]
) -> tuple[Grade | None, str | None, str | None, tuple[Because, ...]]:
    if grading.pending_until and now < grading.pending_until:
        return "P", None, None, grading.pending
    shown = (reason for reason in grading.because if reason.code.removeprefix(OF) not in hidden)
    because = tuple(dict.fromkeys(map(_as_published, shown)))
    reason = grading.reason
    if grading.grade and reason and not any(item.code in _RESTS_ON.get(reason, (reason,)) for item in because):
        reason = None
    return grading.grade, reason, grading.window, because


def _as_published(reason: Because) -> Because:
    return structs.replace(reason, code=WITHDRAWN) if reason.code.startswith(OF) else reason


def _grade(case: GradedCase, table: RuleTable) -> Grading:
    for rule in table.before_pending:
        grading = rule(case)
        if grading is not None:
            return grading
    for rule in table.after_pending:
        grading = rule(case)
        if grading is not None:
            return _pending(case, grading)
    raise AssertionError("the last rule always applies")


def _pending(case: GradedCase, grading: Grading) -> Grading:
    assert case.inputs.decided_at is not None
    return structs.replace(
        grading,
        window=window(case.inputs.entries) if grading.grade in ("A", "B") else None,
        pending_until=case.inputs.decided_at + WINDOW,
        pending=reasons(*case.grounds()),
    )
