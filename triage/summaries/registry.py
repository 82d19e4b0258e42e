"""The registry of measures: every number that is published, with how it is made and what it cannot say.

A measure is a pure function of a `Scope`. It is computed for the internal form of the kinds of period it names.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.codes import Population
from triage.summaries.facts import IncidentFact, Profile, RecentIncident
from triage.summaries.figures import ComputedRow, Figure, Measure, without_data
from triage.summaries.schedule import Coverage
from triage.times import LONDON, PeriodKind

MEASURES_VERSION = 2
"""Moves on with every definition that computes something else; editions name the version they were computed under."""

HANDOVER_TARGET_MINUTES = 60
ONCE_A_DAY = timedelta(hours=24)
POOLED_MONTHS = 12

SILENT = "No data: no entry was received and no device was heard from. This is not the same as zero incidents."


class UntraceableLine(LookupError):
    """A line that is not there, or that counts something else than incidents."""


class ForceTotal(Struct, frozen=True):
    """Uses of s136 by the whole force in a period, as somebody entered them; a correction is a new version."""

    version: int
    s136: int
    source: str


class Scope(Struct, frozen=True, kw_only=True, dict=True):
    """The scope of measures: the incidents of a period, what surrounds them, and the instant they are computed for.

    `members` count and happened in the period; `recent` are those of the 28 days before `as_at`, for a period longer
    than a week the likely duplicates among them; `pooled` counts those of the 12 months that end with the period, since
    `pooled_since`, by their profile at `as_at` (in a comparison those of the span); `of_person` every incident of a
    linked person from 90 days before the period to 90 days after it. `covered` is the part of the period that the log
    holds. `restated` counts editions of any period that replaced another in the period. `silent`: nothing was received
    in the period and no device was heard from since it began.
    """

    kind: PeriodKind
    starts_at: datetime
    ends_at: datetime
    as_at: datetime
    members: Sequence[IncidentFact]
    covered: Coverage
    recent: Sequence[RecentIncident] = ()
    pooled: Mapping[Profile, int] = {}
    pooled_since: datetime | None = None
    of_person: Mapping[UUID, Sequence[IncidentFact]] = {}
    restated: int = 0
    silent: bool = False
    populations: Sequence[Population] = ()
    force_total: ForceTotal | None = None
    zone: ZoneInfo = LONDON

    @property
    def first_day(self) -> date:
        """The local date on which the period starts."""
        return self.starts_at.astimezone(self.zone).date()

    @cached_property
    def considered(self) -> list[IncidentFact]:
        """The incidents with a s136 intent on record."""
        return [fact for fact in self.members if fact.considered]

    @cached_property
    def in_question(self) -> list[IncidentFact]:
        """Contemporaneous s136 intents of confidence 2 or more, used or not; one a linked person in 24 hours."""
        return self.once_a_day(
            [fact for fact in self.considered if fact.contemporaneous and (fact.confidence or 0) >= 2]
        )

    @cached_property
    def used_s136(self) -> list[IncidentFact]:
        return [fact for fact in self.members if fact.used_s136]

    def others_of(self, fact: IncidentFact) -> list[IncidentFact]:
        """The other incidents of the same people."""
        others = {other.id: other for person in fact.people for other in self.of_person.get(person, ())}
        others.pop(fact.id, None)
        return list(others.values())

    def once_a_day(self, facts: Sequence[IncidentFact]) -> list[IncidentFact]:
        """One incident a linked person in any 24 hours, the first; every incident of nobody known counts."""
        last: dict[UUID, datetime] = {}
        kept = []
        for fact in sorted(facts, key=lambda fact: (fact.at, fact.id)):
            if any(fact.at - last[person] < ONCE_A_DAY for person in fact.people if person in last):
                continue
            last |= dict.fromkeys(fact.people, fact.at)
            kept.append(fact)
        return kept


class Definition(Struct, frozen=True, kw_only=True):
    """A measure of the registry. `fields` are the fields of an incident's view by which its lines classify."""

    code: str
    label: str
    kind: Literal["flow", "snapshot"]
    periods: tuple[PeriodKind, ...]
    formula: str
    denominator: str
    caveat: str
    fields: tuple[str, ...]
    compute: Callable[[Scope], Figure]

    def measure(self, scope: Scope) -> Measure:
        """The measure for a scope; no data where the period was silent."""
        figure = self.compute(scope)
        if scope.silent:
            figure = without_data(figure, SILENT)
        rows = figure.rows
        if isinstance(rows, tuple):
            rows = tuple(row.published() if isinstance(row, ComputedRow) else row for row in rows)
        return Measure(
            code=self.code,
            label=self.label,
            kind=self.kind,
            known=figure.known,
            missing=figure.missing,
            value=figure.value,
            rows=rows,
            percent=figure.percent,
            low=figure.low,
            high=figure.high,
            text=figure.text,
            caveat=self.caveat,
        )

    def incidents_behind(self, scope: Scope, line: str = "") -> tuple[UUID, ...]:
        """The incidents that a line counts: `row`, `row/column`, or nothing for a measure of one value.

        Raises UntraceableLine for a line that is not there, or whose incidents are not as many as it says.
        """
        figure = self.compute(scope)
        value, incidents = figure.value, figure.incidents
        if line:
            rows = figure.rows if isinstance(figure.rows, tuple) else ()
            row = next((row for row in rows if row.name == line), None)
            incidents = row.incidents if isinstance(row, ComputedRow) else ()
            value = row.value if row and row.events is None else row.events if row else None
        if value != len(set(incidents)):
            raise UntraceableLine(f"{self.code}/{line}" if line else self.code)
        return incidents


REGISTRY: dict[str, Definition] = {}
"""Every measure by its code, in the order in which summaries print them."""


def measure(
    code: str,
    label: str,
    periods: str,
    *,
    formula: str,
    denominator: str,
    caveat: str = "",
    kind: Literal["flow", "snapshot"] = "flow",
    fields: str = "",
) -> Callable[[Callable[[Scope], Figure]], Callable[[Scope], Figure]]:
    """Put a function in the registry. `periods` names the kinds of period it is computed for, `fields` as above."""

    def enter(compute: Callable[[Scope], Figure]) -> Callable[[Scope], Figure]:
        if code in REGISTRY:
            raise ValueError(f"two measures are called {code}")
        REGISTRY[code] = Definition(
            code=code,
            label=label,
            kind=kind,
            periods=tuple(periods.split()),  # type: ignore[arg-type]
            formula=formula,
            denominator=denominator,
            caveat=caveat,
            fields=tuple(fields.split()),
            compute=compute,
        )
        return compute

    return enter


def definitions(kind: PeriodKind) -> list[Definition]:
    """The measures of a summary of this kind, in order."""
    return [definition for definition in REGISTRY.values() if kind in definition.periods]
