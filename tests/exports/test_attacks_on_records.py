"""Attacks on record files. Each is run twice: against the method, and with the rule that answers it switched off.

The intruder knows people: who, where, when, and as a partner often what was done. He does not know the keys.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import combinations, pairwise, product
from uuid import UUID

import msgspec
import pytest
from cuts import KEY, LARGE, MEDIUM, SMALL, arrivals, known, late, months, people, quarter_file, record_file, year_file
from support.population import ABSENT_AREA, ABSENT_SEX, HEAVY, YEAR_STARTS

from triage.exports import members as m
from triage.exports.records import COLUMNS, FrozenRow, RecordsRelease, config_for_late, freeze
from triage.exports.selection import ROW_REF, Body, Selection, extract, key_for, reference
from triage.exports.tree import CONFIG, DISPOSAL_FOR_POLICE, ORDER, VIEWS, Config, ages_in
from triage.times import parse_period

POWER, DISPOSAL = COLUMNS.index("power"), COLUMNS.index("disposal")
OUTCOME, SOURCE = slice(POWER, POWER + 4), COLUMNS.index("source")


def without(**off: object) -> Config:
    return msgspec.structs.replace(CONFIG, **off)


@cache
def quarter(incidents: int) -> list[m.ReleaseMember]:
    return known("quarterly", "2025-Q1", incidents)


def cut(config: Config) -> RecordsRelease:
    """The large force's quarter, by the method as it is or with a rule switched off."""
    return quarter_file(LARGE) if config == CONFIG else record_file(quarter(LARGE), config=config)


@cache
def truth(member: m.ReleaseMember) -> tuple[str, ...]:
    """What somebody who knows the person and the incident knows of the group columns and the outcome."""
    return (
        m.AREA.of(member.area),
        m.AGE.of(member.age_band),
        m.SEX.of(member.sex),
        m.ETHNIC_GROUP.of(member.ethnicity),
        m.shift(member.occurred_at),
        (member.occurred_at - timedelta(hours=5)).isoformat()[:7],
        m.POWER.of(member.power),
        m.DISPOSAL.of(member.disposal),
        m.PLACE_OF_SAFETY.of(member.place_of_safety),
        m.minutes_band(member.minutes_at_scene),
    )


def covers(label: str, column: str, value: str) -> bool:
    if label == m.NOT_SHOWN:
        return True
    return value in (ages_in(label) if column == "age" else label.split(m.POOLED))


def by_group(rows: Sequence[FrozenRow]) -> dict[int, list[FrozenRow]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    return groups


# --- pulls of different days


@pytest.mark.parametrize("once", [True, False])
def test_what_arrived_between_two_pulls_is_not_seen(once: bool) -> None:
    """Off: the period is cut again with the new record instead of leaving it to a late file."""
    first = quarter_file(MEDIUM)
    decided = frozenset(row.incident_id for row in first.rows) | frozenset(first.capped)
    learned = 0
    latecomers = late("quarterly", "2025-Q1", MEDIUM)[:12]
    for member in latecomers:
        with_it = [*quarter(MEDIUM), member]
        if once:
            second = freeze("records/2025-Q2-late/1", with_it, (), KEY, config_for_late(), decided)
            new = Counter(row.values[OUTCOME] for row in second.rows)
        else:
            second = record_file(with_it)
            new = Counter(row.values[OUTCOME] for row in second.rows)
            new.subtract(row.values[OUTCOME] for row in first.rows)
        learned += [outcome for outcome, n in new.items() if n] == [truth(member)[OUTCOME]]
    assert learned == 0 if once else learned == len(latecomers)


def cut_again(members: list[m.ReleaseMember], areas: Sequence[str]) -> set[UUID]:
    """A service that filters incidents and protects each answer by itself."""
    return {row.incident_id for row in record_file([x for x in members if x.area in areas]).rows}


def selection(release: RecordsRelease, areas: Sequence[str]) -> set[UUID]:
    """What this service does: it selects published rows of one frozen release."""
    pulled = extract(release, Selection("p", "other", COLUMNS, tuple(areas)), KEY)
    return {release.rows[number].incident_id for number in pulled.numbers}


@pytest.mark.parametrize("whole_groups", [True, False])
def test_two_overlapping_selections_differ_by_ten_people_or_not_at_all(whole_groups: bool) -> None:
    """Off: each selection is cut by itself, so that the difference of two is exactly the people between them."""
    members = known("quarterly", "2025-Q1", SMALL, 0.2)
    release, who = record_file(members), people(members)
    everything = m.AREA.classes
    smallest = []
    for left_out in everything:
        fewer = [area for area in everything if area != left_out]
        if whole_groups:
            differs = selection(release, everything) - selection(release, fewer)
        else:
            differs = cut_again(members, everything) - cut_again(members, fewer)
        if differs:
            smallest.append(len({who[incident] for incident in differs} - {None}))
    assert smallest
    assert min(smallest) >= 10 if whole_groups else min(smallest) < 10


def test_no_selection_of_areas_splits_a_group() -> None:
    release = quarter_file(SMALL, 0.5)
    sizes = Counter(row.group for row in release.rows)
    for chosen in combinations(m.AREA.classes, 5):
        pulled = extract(release, Selection("p", "other", COLUMNS, chosen), KEY)
        assert all(sizes[group] == n for group, n in Counter(release.rows[i].group for i in pulled.numbers).items())


@pytest.mark.parametrize("frozen", [True, False])
def test_two_windows_an_hour_apart_show_nobody(frozen: bool) -> None:
    """Off: a window of the partner's own choice is cut, one of them an hour longer."""
    quarters, learned, targets = months(parse_period("quarterly", "2025-Q1")), 0, 0
    for member in quarter(MEDIUM)[100:700:60]:
        hour_ends = member.occurred_at + timedelta(minutes=1)
        windows = [
            [x for x in quarter(MEDIUM) if x.occurred_at < end] for end in (hour_ends - timedelta(hours=1), hour_ends)
        ]
        if len(windows[1]) - len(windows[0]) != 1:
            continue
        targets += 1
        asked = [quarter(MEDIUM), quarter(MEDIUM)] if frozen else windows
        shorter, longer = (freeze("records/2025-Q1/1", w, quarters, KEY, without(rows_per_person=99)) for w in asked)
        new = Counter(row.values[OUTCOME] for row in longer.rows)
        new.subtract(row.values[OUTCOME] for row in shorter.rows)
        learned += [outcome for outcome, n in new.items() if n] == [truth(member)[OUTCOME]]
    assert targets > 3
    assert learned == 0 if frozen else learned == targets


# --- one person's rows


@pytest.mark.parametrize("per_row", [True, False])
def test_two_known_incidents_do_not_single_out_a_person(per_row: bool) -> None:
    """Off: the reference is made from the person instead of the row, so that the file has trajectories."""
    who = people(quarter(MEDIUM))
    release = quarter_file(MEDIUM)
    key = key_for(KEY, "p", release.name)
    files = defaultdict(list)
    for row in release.rows:
        person = who[row.incident_id]
        source = row.number if per_row or person is None else person[0].int % 2**63
        files[reference(key, source)].append(row)
    mine = defaultdict(list)
    for member in quarter(MEDIUM):
        if member.person_id is not None:
            mine[member.person_id].append(truth(member)[:6])
    targets = [incidents[:2] for incidents in mine.values() if len(incidents) > 1]
    named = sum(
        sum(len(rows) > 1 and all(any(fits(row, known) for row in rows) for known in two) for rows in files.values())
        == 1
        for two in targets
    )
    assert named == 0 if per_row else named > 0.1 * len(targets)


def fits(row: FrozenRow, known_of_it: Sequence[str]) -> bool:
    return all(map(covers, row.values[:6], COLUMNS, known_of_it))


def test_references_of_two_partners_and_of_two_releases_have_nothing_in_common() -> None:
    quarter = quarter_file(SMALL)
    two = msgspec.structs.replace(quarter, name="records/2025-Q1/2")
    refs = [
        [row[0] for row in extract(release, Selection(partner, "other"), KEY).rows]
        for release, partner in product((quarter, two), ("p", "q"))
    ]
    assert len({ref for file in refs for ref in file}) == 4 * len(quarter.rows)
    values = [[row[1:] for row in extract(quarter, Selection(partner, "other"), KEY).rows] for partner in ("p", "q")]
    assert values[0] == values[1]


@pytest.mark.parametrize("people_count", [True, False])
def test_a_group_is_ten_people_and_not_ten_rows(people_count: bool) -> None:
    release = cut(without(count_people=people_count))
    short = [group for group in release.groups if group.people < 10]
    assert not short if people_count else short


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(rows_per_person=100), False)])
def test_one_frequent_attender_is_no_landmark(config: Config, safe: bool) -> None:
    who = people(known("yearly", "2025", SMALL))
    release = year_file(SMALL, config=config)
    rows = sum(who[row.incident_id] == (HEAVY, 1) for row in release.rows)
    assert rows == 10 if safe else rows == 43


# --- outcomes of a group


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(l=1, alpha=1.0), False)])
def test_no_group_tells_that_everybody_in_it_was_detained(config: Config, safe: bool) -> None:
    release = cut(config)
    told = [rows for rows in by_group(release.rows).values() if len({row.values[DISPOSAL] for row in rows}) == 1]
    detained = {rows[0].values[:2] for rows in told if rows[0].values[DISPOSAL] == "s136"}
    assert not told if safe else ("luton_airport", "65+") in detained


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(l=1), False)])
def test_no_group_tells_one_outcome_harmless_or_not(config: Config, safe: bool) -> None:
    spared = [
        rows
        for rows in by_group(cut(config).rows).values()
        if {DISPOSAL_FOR_POLICE.label[row.values[DISPOSAL]] for row in rows} == {"power_not_used"}
    ]
    assert not spared if safe else spared


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(alpha=1.0), False)])
def test_no_group_tells_that_nearly_everybody_was_detained(config: Config, safe: bool) -> None:
    members = [
        msgspec.structs.replace(x, disposal="signposted") if i % 12 == 0 else x for i, x in enumerate(quarter(LARGE))
    ]
    release = record_file(members, config=config)
    worst = max(
        sum(row.values[DISPOSAL] == "s136" for row in rows) / len(rows) for rows in by_group(release.rows).values()
    )
    assert worst <= 0.8 if safe else worst > 0.8


WITHOUT_HOSPITAL = tuple(value for value in CONFIG.harmful if value != "hospital")


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(harmful=WITHOUT_HOSPITAL), False)])
def test_no_group_tells_that_nearly_everybody_was_taken_to_hospital(config: Config, safe: bool) -> None:
    """Off: a hospital is no harm. In one area nine in ten are taken to one."""
    members = [
        msgspec.structs.replace(x, disposal="ed_voluntary" if x.area == "bedford" and i % 10 else x.disposal)
        for i, x in enumerate(quarter(LARGE))
    ]
    groups = by_group(record_file(members, config=config).rows).values()
    worst = max(sum(row.values[DISPOSAL] == "hospital" for row in rows) / len(rows) for rows in groups)
    assert worst <= 0.8 if safe else worst > 0.8


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(views=VIEWS[:2]), False)])
def test_a_coarser_column_does_not_make_a_group_alike(config: Config, safe: bool) -> None:
    """Off: only the full columns are checked; a group of five disposals may be all alike in used or not."""
    release = cut(config)
    alike = [
        rows
        for rows in by_group(release.rows).values()
        if len({DISPOSAL_FOR_POLICE.label[row.values[DISPOSAL]] for row in rows}) == 1
    ]
    assert not alike if safe else alike


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(pool_absent=False), False)])
def test_the_file_does_not_show_that_nobody_of_a_kind_was_there(config: Config, safe: bool) -> None:
    """Off: a label names only classes that somebody belongs to, so that a class no label names is proof of absence."""
    release = cut(config)
    assert not any((x.area, x.sex) == (ABSENT_AREA, ABSENT_SEX) for x in quarter(LARGE))
    shown = {row.values[:3] for row in release.rows}
    proved = [
        (area, age, sex)
        for area, age, sex in product(m.AREA.classes, m.AGE.classes, m.SEX.classes)
        if not any(all(map(covers, labels, COLUMNS, (area, age, sex))) for labels in shown)
    ]
    assert not proved if safe else {(ABSENT_AREA, age, ABSENT_SEX) for age in m.AGE.classes} <= set(proved)


@pytest.mark.parametrize(("shuffle", "safe"), [(True, True), (False, False)])
def test_who_knows_the_outcome_does_not_learn_how_the_call_came_in(shuffle: bool, safe: bool) -> None:
    release = cut(without(shuffle=shuffle))
    groups = [(rows[0], rows) for rows in by_group(release.rows).values()]
    inside = {row.incident_id for row in release.rows}
    targets = [x for x in quarter(LARGE)[::25] if x.incident_id in inside]
    told = right = 0
    for target in targets:
        rows = next(rows for first, rows in groups if fits(first, truth(target)[:6]))
        sources = {row.values[SOURCE] for row in rows if row.values[OUTCOME] == truth(target)[OUTCOME]}
        if len(sources) == 1:
            told += 1
            right += sources == {m.SOURCE.of(target.referral_source)}
    assert told > 50
    common = Counter(m.SOURCE.of(x.referral_source) for x in quarter(LARGE)).most_common(1)[0][1] / len(quarter(LARGE))
    # Guessing the commonest source for everybody is right as often as that
    assert right < (common + 0.15) * told if safe else right == told


# --- what the shape of the file tells


def reacted(release: RecordsRelease, members: list[m.ReleaseMember], config: Config) -> tuple[int, int]:
    """Nodes below age where an attribute is hidden though some class has ten people, and those where outcomes did it.

    The intruder knows everybody's classes, so he knows where size cannot be the reason.
    """
    member_of = {x.incident_id: x for x in members}
    inside = defaultdict(list)
    for row in release.rows:
        inside[row.group].append(member_of[row.incident_id])
    nodes: dict[tuple[str, ...], list[m.ReleaseMember]] = defaultdict(list)
    for group in release.groups:
        for depth in range(2, len(ORDER)):
            if group.labels[depth] == m.NOT_SHOWN:
                nodes[group.labels[:depth]] += inside[group.number]
    suspicious = informative = 0
    for labels, here in nodes.items():
        parts = defaultdict(list)
        for x in here:
            parts[truth(x)[COLUMNS.index(ORDER[len(labels)])]].append(x)
        large = [part for part in parts.values() if len({x.person_id for x in part} - {None}) >= config.k]
        if len(parts) > 1 and large:
            suspicious += 1
            informative += any(not mixed(part, config) for part in large)
    return suspicious, informative


def mixed(members: list[m.ReleaseMember], config: Config) -> bool:
    for view in VIEWS:
        at = POWER if view.column == "power" else DISPOSAL
        values = Counter(view.label[truth(x)[at]] for x in members)
        if len(values) < config.l or max(values[harm] for harm in config.harmful) > config.alpha * len(members):
            return False
    return True


@pytest.mark.parametrize(("config", "safe"), [(CONFIG, True), (without(decoy_rate=0.0), False)])
def test_a_hidden_value_is_hardly_evidence_of_an_outcome(config: Config, safe: bool) -> None:
    members = known("yearly", "2025", LARGE)
    suspicious, informative = reacted(year_file(LARGE, config=config), members, config)
    share = informative / suspicious
    assert share < 0.2 if safe else share > 0.25


@pytest.mark.parametrize("sort", [True, False])
def test_the_order_of_rows_does_not_tell_the_order_of_events(sort: bool) -> None:
    members = sorted(quarter(LARGE), key=lambda x: x.occurred_at)
    when = {x.incident_id: x.occurred_at for x in members}
    release = record_file(members, config=without(sort=sort))
    pairs = [
        when[before.incident_id] < when[two.incident_id]
        for rows in by_group(release.rows).values()
        for before, two in pairwise(rows)
    ]
    share = sum(pairs) / len(pairs)
    assert 0.48 < share < 0.52 if sort else share > 0.99


@pytest.mark.parametrize("body", ["police", "health", "other"])
def test_the_order_of_an_agreement_s_file_does_not_tell_a_column_it_lacks(body: Body) -> None:
    columns = (ROW_REF, "area", "age", "power")
    file = extract(quarter_file(MEDIUM), Selection("p", body, columns), KEY)
    assert [(row[1:], row[0]) for row in file.rows] == sorted((row[1:], row[0]) for row in file.rows)


def test_late_rows_released_with_a_later_quarter_are_disjoint_from_every_main_file() -> None:
    seen: set[UUID] = set()
    for name in ("2025-Q1", "2025-Q2"):
        main = freeze(
            f"records/{name}/1", known("quarterly", name, LARGE), months(parse_period("quarterly", name)), KEY
        )
        seen |= {row.incident_id for row in main.rows} | set(main.capped)
    everybody = [a.member for a in arrivals(MEDIUM) if a.member.occurred_at < YEAR_STARTS + timedelta(days=183)]
    waiting = [x for x in everybody if x.incident_id not in seen]
    release = freeze("records/2025-Q3-late/1", everybody, (), KEY, config_for_late(), seen)
    assert {row.incident_id for row in release.rows} | {*release.capped} == {x.incident_id for x in waiting}
