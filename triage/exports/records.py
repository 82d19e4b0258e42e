"""Record files: rows of a period in which nobody can be picked out, decided once per incident and frozen.

`freeze` is the whole method: project every member into published classes, cap the rows of one person, group, let the
tree decide what each group shows, shuffle how the calls came in, order, number. The rows it returns are written once.
An incident in a release is in no other one; what came too late for its period waits until a late file can hold it.
"""

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from triage.exports import members as m
from triage.exports.members import RECORD_COLUMNS, SHUFFLED_COLUMNS
from triage.exports.tree import CONFIG, LATE_ORDER, VALUES, Config, FinestGroup, KeyedChoice, Leaf, Tree
from triage.times import DAY_START_HOUR, LONDON, operational_day

COLUMNS: Final = tuple(column.name for column in RECORD_COLUMNS)
"""The columns of a frozen row."""
GROUP_COLUMNS: Final = tuple(column.name for column in RECORD_COLUMNS if column.part == "group")
SHUFFLED: Final = tuple(column.name for column in SHUFFLED_COLUMNS)

Cadence = Literal["monthly", "quarterly", "half_yearly", "yearly"]


class FrozenRow(msgspec.Struct, frozen=True, gc=False):
    """One row as published, and what the ledger keeps: its number, its group, and the incident it is a row of.

    The incident is that of the group columns and outcomes; source and conveyance may come from another of the group.
    """

    number: int
    group: int
    incident_id: UUID
    values: tuple[str, ...]


class RecordGroup(msgspec.Struct, frozen=True):
    """One group: the label of every attribute in the release's order, its rows, and its known people."""

    number: int
    labels: tuple[str, ...]
    rows: int
    people: int


class RecordsRelease(msgspec.Struct, frozen=True):
    """The frozen rows and groups. Empty where the members could not pass even as one group: they all go on waiting.

    `capped` are incidents withheld for good by the limit of rows per person; they are decided like released ones.
    `sha256` covers values and group numbers of all rows in order.
    """

    name: str
    policy: str
    order: tuple[str, ...]
    months: tuple[str, ...]
    rows: tuple[FrozenRow, ...]
    groups: tuple[RecordGroup, ...]
    capped: tuple[UUID, ...]
    sha256: str


def cadence(rows_a_quarter: int) -> Cadence:
    """How often a record file of this volume is cut: never two cadences at once, and rarely enough that rows mix."""
    if rows_a_quarter >= 9_000:
        return "monthly"
    if rows_a_quarter >= 2_500:
        return "quarterly"
    return "half_yearly" if 2 * rows_a_quarter >= 2_500 else "yearly"


def config_for(every: Cadence, config: Config = CONFIG) -> Config:
    """The parameters of a main file: a longer period holds more rows of one person."""
    longer = every in ("half_yearly", "yearly")
    return msgspec.structs.replace(config, rows_per_person=config.rows_per_person * (2 if longer else 1))


def config_for_late(config: Config = CONFIG) -> Config:
    """The parameters of a late file: fewer details, coarse age first, and nothing of when."""
    return msgspec.structs.replace(config, order=LATE_ORDER)


def months_between(starts: date, ends: date) -> tuple[str, ...]:
    """Every month from the first day of a period to the day after its last, as `2026-10`."""
    first, after = (day.year * 12 + day.month - 1 for day in (starts, ends))
    return tuple(f"{month // 12}-{month % 12 + 1:02}" for month in range(first, after))


def freeze(
    name: str,
    members: Iterable[m.ReleaseMember],
    months: tuple[str, ...],
    key: bytes,
    config: Config = CONFIG,
    decided: Container[UUID] = frozenset(),
    zone: ZoneInfo = LONDON,
    day_start: int = DAY_START_HOUR,
) -> RecordsRelease:
    """Protect the members that no release has decided yet. `name` is dataset, period and edition; all but the edition
    seeds the choices.

    `months` are those of the period by operational day; a late file has none. Raises UnmappedCode, and
    ValueError for a member outside the months.
    """
    secret = KeyedChoice(key, name.rpartition("/")[0])
    undecided = [member for member in members if member.incident_id not in decided]
    kept, capped = _cap([_project(member, secret, zone, day_start) for member in undecided], config)
    finest = _finest(kept, config)
    if "month" in config.order and any(group.classes[-1] not in months for group in finest):
        raise ValueError(f"a member of {name} lies outside its months")
    leaves = list(Tree(config, secret, months).leaves(finest))
    if not leaves:
        return RecordsRelease(name, config.policy, config.order, months, (), (), (), digest(()))
    groups = tuple(_group(number, leaf, kept) for number, leaf in enumerate(leaves))
    rows = _rows(leaves, kept, config)
    return RecordsRelease(name, config.policy, config.order, months, rows, groups, capped, digest(rows))


class _ProjectedRow(msgspec.Struct, frozen=True, gc=False):
    """A member in published classes. `what` happened stays with the group columns, `how` it came in is re-paired.

    `chance` holds four keyed numbers of 8 bytes: for the cap, for the order of `what` and of `how` in the shuffle, and
    for the order of equal rows.
    """

    incident_id: UUID
    person: m.RegisteredPerson | None
    classes: tuple[str, ...]
    what: tuple[str, ...]
    how: tuple[str, ...]
    chance: bytes


def _project(member: m.ReleaseMember, secret: KeyedChoice, zone: ZoneInfo, day_start: int) -> _ProjectedRow:
    who = _who(member.area, member.age_band, member.sex, member.ethnicity)
    when = _when(int(member.occurred_at.timestamp()) // _WHEN_S, zone, day_start)
    minutes = m.minutes_band(member.minutes_at_scene)
    return _ProjectedRow(
        member.incident_id,
        member.person,
        who + when,
        _what(member.power, member.disposal, member.place_of_safety, minutes),
        _how(*_how_fields(member)),
        secret.digest("row", member.incident_id.hex),
    )


# Few combinations of codes make up a million members: each is looked up once

_FIRST_CUT: Final = {age: first for first, ages in m.AGE_FIRST.items() for age in ages}


@cache
def _who(area: str | None, age_band: str | None, sex: str | None, ethnicity: str | None) -> tuple[str, ...]:
    age = m.AGE.of(age_band)
    return m.AREA.of(area), _FIRST_CUT[age], m.SEX.of(sex), age, m.ETHNIC_GROUP.of(ethnicity)


_WHEN_S: Final = 900
"""Seconds of a quarter of an hour, in which neither shift nor day ever change: no zone is off by less."""


@lru_cache(100_000)
def _when(quarter_hours: int, zone: ZoneInfo, day_start: int) -> tuple[str, ...]:
    instant = datetime.fromtimestamp(quarter_hours * _WHEN_S, UTC)
    return m.shift(instant, zone), operational_day(instant, zone, day_start).isoformat()[:7]


@cache
def _what(power: str | None, disposal: str | None, place: str | None, minutes: str) -> tuple[str, ...]:
    return m.POWER.of(power), m.DISPOSAL.of(disposal), m.PLACE_OF_SAFETY.of(place), minutes


_how_fields = attrgetter(*(column.field for column in SHUFFLED_COLUMNS))


@cache
def _how(*codes: str | None) -> tuple[str, ...]:
    return tuple(column.classification.of(code) for column, code in zip(SHUFFLED_COLUMNS, codes, strict=True))


def _cap(rows: list[_ProjectedRow], config: Config) -> tuple[list[_ProjectedRow], tuple[UUID, ...]]:
    """At most so many rows of one human being, by keyed choice; and the incidents left out.

    Under each kind of identifier in use the same human being may be registered once more, so each has its part.
    """
    times = Counter(row.person for row in rows if row.person)
    most = max(1, config.rows_per_person // max(1, len(m.kinds_in_use(times))))
    often: dict[m.RegisteredPerson, list[_ProjectedRow]] = {person: [] for person, n in times.items() if n > most}
    for row in rows if often else ():
        if row.person in often:
            often[row.person].append(row)
    capped = [row.incident_id for many in often.values() for row in sorted(many, key=lambda row: row.chance[:8])[most:]]
    left_out = set(capped)
    return [row for row in rows if row.incident_id not in left_out], tuple(capped)


_POWER_AT, _DISPOSAL_AT = (
    {value: at for at, (column, value) in enumerate(VALUES) if column == wanted} for wanted in ("power", "disposal")
)


def _finest(rows: Sequence[_ProjectedRow], config: Config) -> list[FinestGroup]:
    """One pass: rows that agree in every attribute, in an order that does not depend on that of the members."""
    groups: dict[tuple[str, ...], FinestGroup] = {}
    for at, row in enumerate(rows):
        group = groups.get(row.classes)
        if group is None:
            group = groups[row.classes] = FinestGroup(row.classes, [0] * len(VALUES))
        group.rows.append(at)
        power, disposal, *_ = row.what
        group.counts[_POWER_AT[power]] += 1
        group.counts[_DISPOSAL_AT[disposal]] += 1
        if not config.count_people:
            group.people[0].add(at)
        elif row.person is not None:
            person_id, kinds = row.person
            for bit, people in zip(m.BITS, group.people, strict=True):
                if kinds & bit and len(people) < config.k:
                    people.add(person_id)
    return [groups[classes] for classes in sorted(groups)]


def _group(number: int, leaf: Leaf, rows: Sequence[_ProjectedRow]) -> RecordGroup:
    people = [rows[at].person for finest in leaf.groups for at in finest.rows]
    return RecordGroup(number, leaf.labels, len(people), m.count_people(people))


def _published(labels: tuple[str, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    """The group columns: age as fine as it is shown, and `*` for an attribute the order does not have."""
    label = dict(zip(order, labels, strict=True))
    if label.get("age", m.NOT_SHOWN) == m.NOT_SHOWN:
        label["age"] = label["age_first"]
    return tuple(label.get(column, m.NOT_SHOWN) for column in GROUP_COLUMNS)


def _rows(leaves: Iterable[Leaf], rows: Sequence[_ProjectedRow], config: Config) -> tuple[FrozenRow, ...]:
    """Shuffle inside each group, then order by published values and keyed chance, then number.

    No two leaves publish the same labels, so groups in order, each in order, are all in order.
    """
    groups = sorted((_published(leaf.labels, config.order), number, leaf) for number, leaf in enumerate(leaves))
    out = [
        (values, number, i) for labels, number, leaf in groups for values, i in _in_order(labels, leaf, rows, config)
    ]
    if not config.sort:
        arrived = {row.incident_id: at for at, row in enumerate(rows)}
        out.sort(key=lambda row: arrived[row[2]])
    return tuple(FrozenRow(at, number, incident, values) for at, (values, number, incident) in enumerate(out))


def _in_order(
    labels: tuple[str, ...], leaf: Leaf, rows: Sequence[_ProjectedRow], config: Config
) -> Iterator[tuple[tuple[str, ...], UUID]]:
    """The values of a group's rows, and the incident of each. Equal rows share one tuple: few are different."""
    what = sorted((rows[at] for finest in leaf.groups for at in finest.rows), key=lambda row: row.chance[8:16])
    how = sorted(what, key=lambda row: row.chance[16:24]) if config.shuffle else what
    pairs = [(left.what, right.how, left.chance[24:], left.incident_id) for left, right in zip(what, how, strict=True)]
    pairs.sort()
    for bundle, alike in groupby(pairs, itemgetter(0, 1)):
        values = labels + bundle[0] + bundle[1]
        for pair in alike:
            yield values, pair[3]


def digest(rows: Iterable[FrozenRow]) -> str:
    """The `sha256` of a release: over values and group numbers of all rows in order."""
    content = hashlib.sha256()
    for (values, group), alike in groupby(rows, attrgetter("values", "group")):
        line = "\x1f".join((*values, str(group))).encode() + b"\n"
        content.update(line * sum(1 for _ in alike))
    return content.hexdigest()
