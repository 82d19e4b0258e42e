"""Editions: what is published for a period, and how an edition differs from the one before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Struct

from triage import codes
from triage.log.diversion import RULE
from triage.summaries import daily, monthly, quarterly, weekly
from triage.summaries.facts import FACTS_VERSION
from triage.summaries.figures import FigureRow, Measure
from triage.summaries.registry import MEASURES_VERSION, SILENT, Scope, definitions
from triage.times import PeriodKind

Form = Literal["internal", "protected"]
FAMILIES = (daily, weekly, monthly, quarterly)
"""The modules that fill the registry, in the order in which summaries print them."""

LATE = "Published late."
NO_DATA = "No data: the run for this period failed. It is tried again until it succeeds. This is not zero incidents."


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that differs from the previous edition.

    `why`: `entries`, because of what was added to the log since, of the `kinds` named (`code_lists`, `rules` and
    `force_total` where these changed); `time`, because a grade left P or a follow-up time ran out. A line that changed
    for both reasons is two changes.
    """

    line: str
    label: str
    old: int | float | None
    new: int | float | None
    why: Literal["entries", "time"]
    kinds: tuple[str, ...] = ()


class Summary(Struct, frozen=True, kw_only=True):
    """An internal edition. (`as_at_seq`, `as_at`, `rules`, `codes_version`, `measures_version`) fix every flow number.

    `codes_digest` is that of the code lists themselves, which are kept under it.
    Snapshot measures are those of the first edition. `edition` 0 stands for a period whose run failed: no data.
    """

    kind: PeriodKind
    form: Form
    period: str
    starts_at: datetime
    ends_at: datetime
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


def rules_in_force() -> str:
    """What numbers depend on beside the entries. When it moves on, facts are made anew and editions looked at again."""
    lists = f"{codes.version} {codes.digest()[:4].hex()}"
    return f"{RULE} facts {FACTS_VERSION} measures {MEASURES_VERSION} codes {lists}"


def compute_measures(scope: Scope, version: int = MEASURES_VERSION) -> tuple[Measure, ...]:
    """Every measure of the internal form of a period, as a version of the measures defines them."""
    return tuple(one.measure(scope) for one in definitions(scope.kind, version))


def notes(scope: Scope, late: bool) -> tuple[str, ...]:
    """What a reader has to know about the edition as a whole."""
    found = [SILENT] if scope.silent else []
    found += [LATE] if late else []
    found += [
        f"Code lists changed within the period, on {version.valid_from}: {version.note}"
        for version in codes.versions
        if scope.starts_at.date() < version.valid_from < scope.ends_at.date()
    ]
    return tuple(found)


def keep_snapshots(computed: Sequence[Measure], first: Sequence[Measure]) -> tuple[Measure, ...]:
    """The flow measures as computed, the snapshots as they were first published."""
    published = {one.code: one for one in first if one.kind == "snapshot"}
    return tuple(published.get(one.code, one) for one in computed)


def flows_differ(old: Sequence[Measure], new: Sequence[Measure]) -> bool:
    """Whether a number that counts what happened in the period is another one."""
    return any(True for _ in _differences(old, new))


Why = Mapping[str, tuple[str, ...]]
"""For a line, the kinds of entries that changed it."""


def changes(
    old: Sequence[Measure], then: Sequence[Measure], new: Sequence[Measure], why: Why
) -> tuple[Difference, ...]:
    """What changed since `old`: up to `then` (the new position, the old instant) by entries, from there on by time."""
    by_entries = [
        Difference(line=line, label=label, old=a, new=b, why="entries", kinds=why.get(line, ()))
        for line, label, a, b in _differences(old, then)
    ]
    by_time = [
        Difference(line=line, label=label, old=a, new=b, why="time") for line, label, a, b in _differences(then, new)
    ]
    return tuple(sorted(by_entries + by_time, key=lambda one: (one.line, one.why)))


class _Line(Struct, frozen=True):
    """A line of a measure; `absent` is what it says where the row is left out: no incident, or no figure at all."""

    label: str
    value: int | float | None
    absent: int | None = 0


def _differences(
    old: Sequence[Measure], new: Sequence[Measure]
) -> Iterator[tuple[str, str, int | float | None, int | float | None]]:
    before = {one.code: one for one in old}
    for measure in new:
        if measure.kind != "flow" or measure.code not in before:
            continue
        a, b = dict(_lines(before[measure.code])), dict(_lines(measure))
        for name in [*b, *(name for name in a if name not in b)]:
            line = b.get(name) or a[name]
            x, y = (lines[name].value if name in lines else line.absent for lines in (a, b))
            if x != y:
                yield name, line.label, x, y


def lines_of(measures: Iterable[Measure]) -> dict[str, int | float | None]:
    """Every line that a later edition may be compared in, with its value."""
    return {name: line.value for measure in measures if measure.kind == "flow" for name, line in _lines(measure)}


def _lines(measure: Measure) -> Iterator[tuple[str, _Line]]:
    if measure.value is not UNSET:
        yield measure.code, _Line(measure.label, measure.value)
    for row in measure.rows if isinstance(measure.rows, tuple) else ():
        label = f"{row.label}, {row.column.replace('_', ' ')}" if row.column else row.label
        # counts are printed in words as well; of a median that is left out nothing is known
        yield _name(measure, row), _Line(f"{measure.label}: {label}", row.value, 0 if row.text else None)
    yield f"{measure.code}/missing", _Line(f"{measure.label}: not recorded", measure.missing)


def _name(measure: Measure, row: FigureRow) -> str:
    return "/".join(part for part in (measure.code, row.code, row.column) if part)
