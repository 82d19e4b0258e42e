"""Editions: what is published for a period, and how an edition differs from the one before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Self, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct, structs

from triage import codes
from triage.log.diversion import RULE
from triage.summaries import daily, monthly, population_rates, quarterly, weekly
from triage.summaries.facts import FACTS_VERSION
from triage.summaries.figures import Measure, line_name
from triage.summaries.registry import MEASURES_VERSION, SILENT, Scope, definitions
from triage.summaries.schedule import Coverage
from triage.terms import Terms
from triage.times import PeriodKind

Form = Literal["internal", "protected"]
FAMILIES = (daily, monthly, population_rates, quarterly, weekly)
"""The modules that fill the registry, in the order in which summaries print them."""

LATE = "Published late."
NO_DATA = "No data: the run for this period failed. It is tried again until it succeeds. This is not zero incidents."


Part = Literal["value", "of", "known", "missing", "percent", "low", "high"]
"""The printed parts of a line: its value, what that is of, what is missing, the percentage or rate and its interval."""


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A printed part of a line that differs from the previous edition.

    `line` is the measure, with the code and the column of the row. `why`: `entries`, because of what was added to the
    log since, of the `kinds` named (`code_lists`, `rules` and `force_total` where these changed); `time`, because a
    grade left P or a follow-up time ran out. A part that changed for both reasons is two changes.
    """

    line: str
    label: str
    part: Part = "value"
    old: int | float | None
    new: int | float | None
    why: Literal["entries", "time"]
    kinds: tuple[str, ...] = ()


class EditionTerms(Struct, frozen=True, kw_only=True):
    """The team's terms that an edition was made under: its zone, the local hour at which its day starts, and the last
    day on which a police station was a place of safety, null where no law has ended it."""

    zone: str
    day_start_hour: int
    police_station_allowed_until: date | None = None

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """As recorded."""
        return cls(
            zone=terms.zone.key,
            day_start_hour=terms.day_start_hour,
            police_station_allowed_until=terms.police_station_allowed_until,
        )

    def in_force(self) -> Terms:
        """The terms again."""
        return Terms(ZoneInfo(self.zone), self.day_start_hour, self.police_station_allowed_until)


class Summary(Struct, frozen=True, kw_only=True):
    """An internal edition. (`as_at_seq`, `as_at`, `rules`, `codes_version`, `measures_version`, `terms`) fix every flow
    number; `terms` are null in editions from before they were recorded.

    `codes_digest` is that of the code lists themselves, which are kept under it.
    `covered_from` and `covered_to` are the first and last day of the period that the log covers, null where it covers
    none. Snapshot measures are those of the first edition. `edition` 0 stands for a period whose run failed: no data.
    """

    kind: PeriodKind
    form: Form
    period: str
    starts_at: datetime
    ends_at: datetime
    covered_from: date | None
    covered_to: date | None
    due_at: datetime
    edition: int
    published_at: datetime | None
    late: bool
    as_at_seq: int | None
    as_at: datetime | None
    chain_head: str | None
    rules: str = RULE
    codes_version: int = 0
    codes_digest: str = ""
    measures_version: int = MEASURES_VERSION
    terms: EditionTerms | None = None
    silent: bool = False
    notes: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    previous: int | None = None
    changes: tuple[Difference, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Summary).decode


def encode(summary: Summary) -> bytes:
    """The edition as it is stored and served."""
    return _encode(summary)


def decode(body: bytes) -> Summary:
    """A stored edition."""
    return _decode(body)


def rules_in_force(terms: Terms) -> str:
    """The version of all that a team's numbers depend on beside the entries.

    When it moves on, facts are made anew and editions looked at again.
    """
    lists = f"{codes.version} {codes.digest()[:4].hex()}"
    last_day = terms.police_station_allowed_until
    law = f" stations until {last_day}" if last_day else ""
    return f"{RULE} facts {FACTS_VERSION} measures {MEASURES_VERSION} codes {lists}{law}"


def compute_measures(scope: Scope) -> tuple[Measure, ...]:
    """Every measure of the internal form of a period."""
    return tuple(definition.measure(scope) for definition in definitions(scope.kind))


def notes(scope: Scope, late: bool) -> tuple[str, ...]:
    """The notes on the edition as a whole for a reader."""
    said = [SILENT] if scope.silent else []
    said += [LATE] if late else []
    said += coverage_notes(scope.covered)
    said += [
        f"Code lists changed within the period, on {version.valid_from}: {version.note}"
        for version in codes.versions
        if scope.starts_at.date() < version.valid_from < scope.ends_at.date()
    ]
    return tuple(said)


def coverage_notes(covered: Coverage) -> list[str]:
    """The sentence for a period that the log covers only in part."""
    if covered.whole:
        return []
    if covered.covered_from is None or covered.covered_to is None:
        return ["The log covers no day of this period: no data, which is not zero."]
    return [
        f"The log covers only {covered.covered_from:%-d %B %Y} to {covered.covered_to:%-d %B %Y} of this period: its "
        "counts are of these days, and there is no rate of a population."
    ]


def keep_snapshots(computed: Sequence[Measure], first: Sequence[Measure]) -> tuple[Measure, ...]:
    """The flow measures as computed, the snapshots as they were first published."""
    published = {measure.code: measure for measure in first if measure.kind == "snapshot"}
    return tuple(published.get(measure.code, measure) for measure in computed)


def flows_differ(old: Sequence[Measure], new: Sequence[Measure]) -> bool:
    """Whether any printed part of a line that counts what happened in the period is another one."""
    return any(True for _ in _differences(old, new))


LinePart = tuple[str, Part]
"""A line with the part of it that is compared."""
Values = Mapping[LinePart, int | float | None]
Why = Mapping[LinePart, tuple[str, ...]]
"""For a part of a line, the kinds of entries that changed it."""


def changes(
    old: Sequence[Measure], then: Sequence[Measure], new: Sequence[Measure], why: Why
) -> tuple[Difference, ...]:
    """The changes since `old`: up to `then` (the new position, the old instant) by entries, from there on by time."""
    by_entries = [
        structs.replace(difference, kinds=why.get((difference.line, difference.part), ()))
        for difference in _differences(old, then)
    ]
    by_time = [structs.replace(difference, why="time") for difference in _differences(then, new)]
    order = {part: place for place, part in enumerate(get_args(Part))}
    return tuple(sorted(by_entries + by_time, key=lambda change: (change.line, order[change.part], change.why)))


def values_of(measures: Iterable[Measure], *, snapshots: bool = False) -> Values:
    """Every printed part of every line that a later edition may be compared in; of the snapshots too if asked."""
    return {
        (name, part): value
        for measure in measures
        if snapshots or measure.kind == "flow"
        for name, line in _lines(measure)
        for part, value in line.parts.items()
    }


def value_in(values: Values, part: LinePart) -> int | float | None:
    """A part of a line; of a row that is left out because nothing was counted, the value is zero."""
    return values.get(part, 0 if part[1] == "value" else None)


def label_of(measures: Iterable[Measure], name: str) -> str:
    """The label of a line; its name where there is none such."""
    lines = (printed for measure in measures for printed in _lines(measure))
    return next((line.label for other, line in lines if other == name), name)


class _PrintedLine(Struct, frozen=True):
    """A line of a measure with its printed parts; `absent` is the value that it has where the row is left out."""

    label: str
    parts: dict[Part, int | float | None]
    absent: int | None = 0


def _differences(old: Sequence[Measure], new: Sequence[Measure]) -> Iterator[Difference]:
    before = {measure.code: measure for measure in old}
    for measure in new:
        if measure.kind != "flow" or measure.code not in before:
            continue
        a, b = dict(_lines(before[measure.code])), dict(_lines(measure))
        for name in [*b, *(name for name in a if name not in b)]:
            line = b.get(name) or a[name]
            for part in line.parts:
                x, y = (_part(lines.get(name), line, part) for lines in (a, b))
                if x != y:
                    yield Difference(line=name, label=line.label, part=part, old=x, new=y, why="entries")


def _part(line: _PrintedLine | None, other: _PrintedLine, part: Part) -> int | float | None:
    if line is None:
        return other.absent if part == "value" else None
    return line.parts.get(part)


def _lines(measure: Measure) -> Iterator[tuple[str, _PrintedLine]]:
    whole: dict[Part, int | float | None] = {"known": measure.known, "missing": measure.missing}
    if measure.value is not UNSET:
        printed: dict[Part, int | float | None] = {"value": measure.value, "percent": measure.percent}
        whole = printed | {"low": measure.low, "high": measure.high} | whole
    yield measure.code, _PrintedLine(measure.label, whole)
    for row in measure.lines:
        label = f"{row.label}, {row.column.replace('_', ' ')}" if row.column else row.label
        parts: dict[Part, int | float | None] = {
            "value": row.value,
            "of": row.of,
            "missing": row.missing,
            "percent": row.percent,
            "low": row.low,
            "high": row.high,
        }
        # counts are printed in words as well; of a median that is left out nothing is known
        absent = 0 if row.text else None
        yield line_name(measure.code, row.name), _PrintedLine(f"{measure.label}: {label}", parts, absent)
