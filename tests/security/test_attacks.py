"""Attacks on record files that a partner pulls over HTTP, each with the rule that answers it and with that rule off.

Without its rule every attack must succeed, or it would prove nothing. The team's own size is attacked with 20, 50 and
88 % of people linked, its file cut once a year; a small force's quarter where an attack needs many small groups.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise, product
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from support.attacked_team import (
    GROUP,
    MEDIUM,
    SMALL,
    AttackedTeam,
    Off,
    Pulled,
    covers,
    distinct,
    fits,
    known_of,
    outcome,
    outcomes,
)
from support.export_team import ExportTeam
from support.population import HEAVY

from triage.exports import members as m
from triage.exports import records, selection
from triage.exports.files import RenderedFile, records_csv
from triage.exports.members import ReleaseMember
from triage.exports.records import RecordsRelease
from triage.exports.selection import Extract, Selection
from triage.exports.tree import CONFIG, DISPOSAL_FOR_POLICE, VIEWS
from triage.http import negotiation
from triage.store.access.staff import as_owner
from triage.store.exports import downloads, releases, snapshots

Attacked = Callable[[str], Awaitable[AttackedTeam]]
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
ROWS_OF_ONE = {MEDIUM: 5} | dict.fromkeys(SMALL, 10)

with_and_without = pytest.mark.parametrize("rule", [True, False], ids=["rule", "off"])
everywhere = pytest.mark.parametrize("name", [*SMALL, MEDIUM])
off_where_groups_are_many = pytest.mark.parametrize(
    ("name", "rule"), [*((name, True) for name in (*SMALL, MEDIUM)), (MEDIUM, False)]
)


def off(rule: bool, **parameters: Any) -> Off:
    return {} if rule else parameters


@everywhere
async def test_every_row_is_true_of_its_incident(besieged: Attacked, name: str) -> None:
    """Else an attack would fail for the wrong reason. What was shuffled is true of the group."""
    pulled = await (await besieged(name)).records()
    assert pulled.rows
    for group in pulled.groups:
        for row, member in group:
            assert fits(row, known_of(member))
            assert outcome(row) == outcome(known_of(member))
        assert Counter(row["source"] for row, _ in group) == Counter(source_of(member) for _, member in group)


# --- what a pull at another time tells


@with_and_without
@everywhere
async def test_what_arrived_between_two_pulls_is_not_seen(besieged: Attacked, name: str, rule: bool) -> None:
    """Off: the same address is cut anew from what is known by then, instead of frozen."""
    town = await besieged(name)
    before = (await town.records()).rows
    await town.cut("records")
    etag = await etag_of(town)
    later = timedelta(days=6)
    if rule:
        with town.switched("records"):
            await town.team.release(town.cut_off + WEEK)
    else:
        await town.cut("records", {}, lambda patch: patch.setattr(releases, "position", known_after(later)))
    after = (await town.pull(town.partners["other"])).rows
    new = outcomes(after)
    new.subtract(outcomes(before))
    late = [a.member for a in town.arrivals if town.cut_off <= a.arrived_at < town.cut_off + later]
    # of the frequent attender the limit of rows withholds some
    truth = Counter(outcome(known_of(member)) for member in late if member.person_id != HEAVY)
    assert truth
    learned = Counter({of: n for of, n in new.items() if n > 0})
    assert not learned if rule else learned >= truth
    assert (etag == await etag_of(town)) == rule


async def etag_of(town: AttackedTeam) -> tuple[str, str]:
    """What a partner learns without a pull: the file's entity tag and length."""
    answer = await town.partners["other"].get(f"/records/{town.period}/files/records.csv", "HEAD")
    return answer.headers["etag"], answer.headers["content-length"]


def known_after(later: timedelta) -> Callable[..., Awaitable[int]]:
    honest = releases.position

    async def position(connection: Any, team_id: UUID, cut_off: datetime) -> int:
        return await honest(connection, team_id, cut_off + later)

    return position


# --- what a question tells


def answers_questions(town: AttackedTeam, patch: pytest.MonkeyPatch) -> None:
    """A service that filters incidents and protects each answer by itself, with every rule of a group in force."""
    asked: dict[str, str] = {}
    answers: dict[str, RenderedFile] = {}
    find_file, stored_pieces = downloads.find_file, downloads.read_pieces

    def take(scope: Any, _: object) -> None:
        asked.clear()
        asked.update(parse_qsl(scope["query_string"].decode()))

    def chosen(member: ReleaseMember) -> bool:
        until = datetime.fromisoformat(asked["until"]) if "until" in asked else town.ends_at
        return member.occurred_at < until and known_of(member)["area"] in asked.get(
            "areas", known_of(member)["area"]
        ).split(",")

    async def file(database: Any, actor: Any, offered: Any, name: str) -> downloads.StoredFile:
        stored = await find_file(database, actor, offered, name)
        if not asked:
            return stored
        release = records.freeze(
            f"records/{town.period}/1",
            [member for member in town.known if chosen(member)],
            tuple(f"{2025 + n // 12}-{n % 12 + 1:02}" for n in range(3, 15)),
            town.team.keys.records,
            records.config_for("yearly"),
        )
        made = records_csv(selection.extract(release, Selection(str(actor.partner_id), "other"), b"naive"))
        answers[made.sha256] = made
        return downloads.StoredFile(name, made.media_type, made.size, made.sha256, made.rows)

    async def pieces(database: Any, team_id: Any, offered: Any, name: str, first: int, last: int) -> Any:
        made = next((answer for answer in answers.values() if answer.size == last + 1), None) if asked else None
        if made is None:
            async for piece in stored_pieces(database, team_id, offered, name, first, last):
                yield piece
        else:
            for chunk in made.chunks:
                yield chunk

    patch.setattr(negotiation, "check_query", take)
    patch.setattr(downloads, "find_file", file)
    patch.setattr(downloads, "read_pieces", pieces)


async def ask(town: AttackedTeam, **question: str) -> list[dict[str, str]] | None:
    """The rows of an answer; None where the question is refused."""
    asked = "&".join(f"{name}={value}" for name, value in question.items())
    partner = town.partners["other"]
    answer = await partner.get(f"/records/{town.period}/files/records.csv?{asked}")
    if answer.status_code == 400:
        return None
    assert answer.status_code == 200
    header, *lines = answer.text.splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


@with_and_without
@everywhere
async def test_two_windows_an_hour_apart_show_nobody(besieged: Attacked, name: str, rule: bool) -> None:
    """Off: a window of the partner's own choice is protected and sent, and another an hour longer."""
    town = await besieged(name)
    await town.cut("records")
    targets = list(islice((incident for incident in town.known[200:] if alone_in_its_hour(incident, town)), 4))
    learned = 0
    with pytest.MonkeyPatch.context() as patch:
        if not rule:
            answers_questions(town, patch)
        for target in targets:
            ends = target.occurred_at + timedelta(minutes=1)
            shorter, longer = [await ask(town, until=f"{end:%Y-%m-%dT%H:%MZ}") for end in (ends - HOUR, ends)]
            if shorter is not None and longer is not None:
                new = outcomes(longer)
                new.subtract(outcomes(shorter))
                learned += [of for of, n in new.items() if n > 0] == [outcome(known_of(target))]
    assert len(targets) == 4
    assert learned == 0 if rule else learned >= 3


def alone_in_its_hour(target: ReleaseMember, town: AttackedTeam) -> bool:
    ends = target.occurred_at + timedelta(minutes=1)
    return target.person_id != HEAVY and sum(ends - HOUR <= incident.occurred_at < ends for incident in town.known) == 1


@with_and_without
@everywhere
async def test_overlapping_filters_do_not_tell_of_the_few_between_them(
    besieged: Attacked, name: str, rule: bool
) -> None:
    """Off: areas of the partner's own choice are protected and sent; all of them but one tell of that one."""
    town = await besieged(name)
    await town.cut("records")
    few = min(m.AREA.classes, key=lambda area: sum(known_of(row)["area"] == area for row in town.known))
    there = Counter(outcome(known_of(incident)) for incident in town.known if known_of(incident)["area"] == few)
    with pytest.MonkeyPatch.context() as patch:
        if not rule:
            answers_questions(town, patch)
        whole = await ask(town, areas=",".join(m.AREA.classes))
        others = await ask(town, areas=",".join(area for area in m.AREA.classes if area != few))
    learned: Counter[tuple[str, ...]] = Counter()
    if whole is not None and others is not None:
        learned = outcomes(whole) - outcomes(others)
    assert 0 < there.total() < 60
    assert not learned if rule else (learned & there).total() >= 0.9 * there.total()


@with_and_without
async def test_two_selections_of_areas_differ_by_ten_people_or_by_nobody(besieged: Attacked, rule: bool) -> None:
    """Off: an agreement selects incidents of an area instead of published areas."""
    town = await besieged("1400-20")
    await town.cut("records")
    with pytest.MonkeyPatch.context() as patch:
        if not rule:
            patch.setattr("triage.exports.rendering.extract", by_incident(town))
        partners = [
            await town.team.partner(areas=tuple(area for area in m.AREA.classes if area != left_out))
            for left_out in m.AREA.classes
        ]
    everybody = {member.incident_id: member for member in (await town.pull(town.partners["other"])).members}
    sizes = []
    for partner in partners:
        theirs = {member.incident_id for member in (await town.pull(partner)).members}
        differs = [person for incident, person in everybody.items() if incident not in theirs]
        sizes += [distinct(differs)] if differs else []
    await town.leave(*partners)
    assert sizes
    assert min(sizes) >= 10 if rule else min(sizes) < 10


def by_incident(town: AttackedTeam) -> Callable[[RecordsRelease, Selection, bytes], Extract]:
    honest = selection.extract

    def extract(release: RecordsRelease, wanted: Selection, key: bytes) -> Extract:
        whole = honest(release, Selection(wanted.partner, wanted.body, wanted.columns), key)
        area_of = [known_of(town.people[release.rows[n].incident_id])["area"] for n in whole.numbers]
        kept = [at for at, area in enumerate(area_of) if area in wanted.areas]
        return Extract(whole.columns, tuple(whole.rows[i] for i in kept), tuple(whole.numbers[i] for i in kept))

    return extract


# --- what a row tells


@off_where_groups_are_many
async def test_two_known_incidents_do_not_single_out_a_person(besieged: Attacked, name: str, rule: bool) -> None:
    """Off: the reference is made from the person, so that the file has trajectories."""
    town = await besieged(name)
    await town.cut("records")
    with pytest.MonkeyPatch.context() as patch:
        if not rule:
            refer_to_people(town, patch)
        partner = await town.team.partner()
    files = defaultdict(list)
    for row in await partner.rows(f"records/{town.period}"):
        files[row["row_ref"]].append(row)
    await town.leave(partner)
    mine = defaultdict(list)
    for member in town.known:
        if member.person_id:
            mine[member.person_id].append(known_of(member))
    targets = [incidents[:2] for incidents in mine.values() if len(incidents) > 1]
    named = sum(
        sum(len(rows) > 1 and all(any(fits(r, known) for r in rows) for known in two) for rows in files.values()) == 1
        for two in targets
    )
    assert named == 0 if rule else named > 0.05 * len(targets)


def refer_to_people(town: AttackedTeam, patch: pytest.MonkeyPatch) -> None:
    person_of: dict[int, UUID | None] = {}
    reference, honest = selection.reference, selection.extract

    def extract(release: RecordsRelease, wanted: Selection, key: bytes) -> Extract:
        person_of.update({row.number: town.people[row.incident_id].person_id for row in release.rows})
        return honest(release, wanted, key)

    def by_person(key: bytes, number: int) -> str:
        person = person_of.get(number)
        return reference(key, number if person is None else person.int % 2**63)

    patch.setattr("triage.exports.rendering.extract", extract)
    patch.setattr(selection, "reference", by_person)


# --- what a group tells


@with_and_without
@everywhere
async def test_a_group_is_ten_people_and_not_ten_rows(besieged: Attacked, name: str, rule: bool) -> None:
    pulled = await (await besieged(name)).records(off(rule, count_people=False))
    short = [group for group in pulled.groups if distinct(member for _, member in group) < 10]
    assert pulled.rows
    assert not short if rule else short


@with_and_without
@everywhere
async def test_one_frequent_attender_is_no_landmark(besieged: Attacked, name: str, rule: bool) -> None:
    town = await besieged(name)
    pulled = await town.records(off(rule, rows_per_person=50))
    own = sum(member.person_id == HEAVY for member in pulled.members)
    all_of_them = sum(member.person_id == HEAVY for member in town.known)
    assert all_of_them > ROWS_OF_ONE[name]
    assert own == (ROWS_OF_ONE[name] if rule else all_of_them)


@with_and_without
@everywhere
async def test_no_group_tells_one_outcome_of_all_its_people(besieged: Attacked, name: str, rule: bool) -> None:
    """Off, the groups are the smallest there can be: one of this file may be mixed by chance."""
    pulled = await (await besieged(name)).records(off(rule, l=1, alpha=1.0, k=2))
    told = [
        group for group in pulled.groups if len({DISPOSAL_FOR_POLICE.label[row["disposal"]] for row, _ in group}) == 1
    ]
    assert not told if rule else told


@with_and_without
async def test_no_group_tells_that_nearly_everybody_was_detained(besieged: Attacked, rule: bool) -> None:
    smallest = {"k": 1, "l": 1, "decoy_rate": 0.0}
    pulled = await (await besieged(MEDIUM)).records(smallest | off(rule, alpha=1.0), "police")
    shares = [sum(row["disposal"] == "power_used" for row, _ in group) / len(group) for group in pulled.groups]
    assert max(shares) <= 0.8 if rule else max(shares) > 0.8


@off_where_groups_are_many
async def test_a_coarser_column_does_not_make_a_group_alike(besieged: Attacked, name: str, rule: bool) -> None:
    """Off: only the full columns are checked, and the police file gets used or not."""
    pulled = await (await besieged(name)).records(off(rule, views=VIEWS[:2]), "police")
    alike = [group for group in pulled.groups if len({row["disposal"] for row, _ in group}) == 1]
    assert not alike if rule else alike


@off_where_groups_are_many
async def test_the_file_does_not_show_that_nobody_of_a_kind_was_there(
    besieged: Attacked, name: str, rule: bool
) -> None:
    town = await besieged(name)
    pulled = await town.records(off(rule, pool_absent=False))
    seen = {tuple(row[column] for column in GROUP[:4]) for row in pulled.rows}
    kinds = product(m.AREA.classes, m.AGE.classes, m.SEX.classes, m.ETHNIC_GROUP.classes)
    proved = {kind for kind in kinds if not any(all(map(covers, GROUP, labels, kind)) for labels in seen)}
    there = {tuple(known_of(member)[column] for column in GROUP[:4]) for member in town.known}
    assert not proved & there
    assert not proved if rule else proved


@with_and_without
@everywhere
async def test_who_knows_the_outcome_does_not_learn_how_the_call_came_in(
    besieged: Attacked, name: str, rule: bool
) -> None:
    pulled = await (await besieged(name)).records(off(rule, shuffle=False))
    told = right = 0
    for target in pulled.members:
        known = known_of(target)
        theirs = [row for group in pulled.groups if fits(group[0][0], known) for row, _ in group]
        sources = {row["source"] for row in theirs if outcome(row) == outcome(known)}
        if len(sources) == 1:
            told += 1
            right += sources == {source_of(target)}
    common = Counter(map(source_of, pulled.members)).most_common(1)[0][1] / len(pulled.members)
    assert told > 30
    assert right < (common + 0.15) * told if rule else right == told


def source_of(member: ReleaseMember) -> str:
    return m.SOURCE.of(member.referral_source)


@with_and_without
async def test_a_hidden_value_is_hardly_evidence_of_an_outcome(besieged: Attacked, rule: bool) -> None:
    """Where size cannot be why an attribute is hidden, the outcomes are; unless some are hidden for no reason.

    Nearly all decoys instead of the 8 in 100 of the method: a quarter of this size has too few groups for rare ones;
    the rate of the method itself is measured on a large force in `tests/exports`.
    """
    pulled = await (await besieged(MEDIUM)).records({"decoy_rate": 0.9 if rule else 0.0})
    suspicious = informative = 0
    for parts in hidden_parts(pulled):
        large = [part for part in parts if distinct(part) >= 10]
        if len(parts) > 1 and len(large) > 1:
            suspicious += 1
            informative += any(not mixed(part) for part in large)
    assert suspicious > 5 if rule else suspicious >= informative
    share = informative / suspicious if suspicious else 1.0
    assert share < 0.5 if rule else share > 0.5


def hidden_parts(pulled: Pulled) -> Iterator[list[list[ReleaseMember]]]:
    """For every attribute that a group does not show: its members by the classes they truly have."""
    for group in pulled.groups:
        for column in ("ethnic_group", "shift", "month"):
            if group[0][0][column] == m.NOT_SHOWN:
                parts = defaultdict(list)
                for _, member in group:
                    parts[known_of(member)[column]].append(member)
                yield list(parts.values())


def mixed(members: Sequence[ReleaseMember]) -> bool:
    for view in VIEWS:
        values = Counter(view.label[known_of(x)[view.column]] for x in members)
        if len(values) < 2 or max(values[value] for value in CONFIG.harmful) > 0.8 * len(members):
            return False
    return True


@off_where_groups_are_many
async def test_the_order_of_rows_does_not_tell_the_order_of_events(besieged: Attacked, name: str, rule: bool) -> None:
    """Off: rows leave in the order in which they are frozen, and are frozen in the order in which they occurred."""
    town = await besieged(name)
    if rule:
        pulled = await town.records()
    else:
        await town.cut("records", {"sort": False}, in_order_of_events)
        pulled = await town.pull(town.partners["other"])
    pairs = [
        earlier.occurred_at < two.occurred_at for group in pulled.groups for (_, earlier), (_, two) in pairwise(group)
    ]
    share = sum(pairs) / len(pairs)
    assert 0.44 < share < 0.56 if rule else share > 0.99


def in_order_of_events(patch: pytest.MonkeyPatch) -> None:
    honest, unsorted = selection.extract, snapshots.snapshot

    async def by_time(*asked: Any) -> list[Any]:
        return sorted(await unsorted(*asked), key=lambda row: row.member.occurred_at)

    def as_frozen(release: RecordsRelease, wanted: Selection, key: bytes) -> Extract:
        pulled = honest(release, wanted, key)
        pairs = sorted(zip(pulled.numbers, pulled.rows, strict=True))
        return Extract(pulled.columns, tuple(row for _, row in pairs), tuple(n for n, _ in pairs))

    patch.setattr(snapshots, "snapshot", by_time)
    patch.setattr("triage.exports.rendering.extract", as_frozen)


# --- what is beside the files


QUESTIONS = ["area=luton_north", "from=2025-04-01", "as_of=2025-07-01", "limit=1", "q=s136", "cursor=x", "total=1"]


@pytest.mark.parametrize("asked", QUESTIONS)
async def test_a_question_is_refused_in_the_same_words_whether_or_not_there_are_rows(
    besieged: Attacked, asked: str
) -> None:
    town = await besieged(MEDIUM)
    await town.cut("records")
    partner = town.partners["other"]
    answers = [
        await partner.get(f"/records/{period}{path}?{asked}")
        for period in (town.period, "2031-Q1")
        for path in ("", "/files/records.csv")
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.content for answer in answers}) == 1


async def test_a_release_that_is_being_frozen_is_as_one_that_is_not_there(exporting: ExportTeam) -> None:
    partner = await exporting.partner()
    async with as_owner(exporting.running.url, exporting.team_id) as owner:
        await releases.lock_releases(owner, exporting.team_id)
        answer = await partner.get("/records/2025-Q1")
        assert (answer.status_code, answer.content) == (404, (await partner.get("/records/1999")).content)
    assert await partner.offers() == []
