"""An edition comes out of its log again, and what is kept beside the log says the same as the log."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from msgspec import structs
from support.cast import BEDFORDSHIRE
from support.published import MONDAY, SUNDAY, TEN, considered, latest
from support.team_log import STARTS_ON, TEAM, TeamLog, incident_id, open_team_log

from triage.demo import CAST, generate
from triage.jobs.publish import publish, publish_due
from triage.store.summaries import facts, publications, recompute, scopes
from triage.store.summaries.facts import FactReader
from triage.summaries import editions
from triage.summaries.editions import EditionTerms, Summary
from triage.summaries.facts import Profile, profile_at
from triage.summaries.schedule import slot
from triage.terms import Terms
from triage.times import parse_period


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


async def test_the_incidents_behind_a_figure_are_those_of_its_edition_and_not_of_today(team: TeamLog) -> None:
    await considered(team, 1)
    await considered(team, 2)
    await publish_due(team.database, SUNDAY)
    first = await latest(team, "daily", "2026-11-21")
    await considered(team, 3)
    changed = {"disposal": "signposted", "decided_at": SUNDAY, "decided_by": "officer"}
    await team.tell("officer_1", "outcome", 1, SUNDAY, **changed)
    await publish_due(team.database, MONDAY)
    second = await latest(team, "daily", "2026-11-21")

    async def behind(summary: Summary, name: str) -> set[UUID] | None:
        async with team.database.team(TEAM) as connection, connection.transaction(isolation="repeatable_read"):
            lines = await scopes.incidents_behind(connection, await team.team(), summary, [name])
        return set(lines[name]) if lines else None

    incident, two, three = map(incident_id, (1, 2, 3))
    assert await behind(first, "outcomes/carer_or_home") == {incident, two}
    assert await behind(second, "outcomes/carer_or_home") == {two, three}
    assert await behind(second, "outcomes/signposted") == {incident}
    assert await behind(first, "considered_by_grade/P") == {incident, two}  # as it stood then
    assert await behind(first, "incidents") == {incident, two}
    assert await behind(first, "action_needed/unlinked") == {incident, two}
    for untraceable in ("outcomes/nothing", "nothing", "completeness/police", "chase_list"):
        assert await behind(second, untraceable) is None, untraceable


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"rules": "DIV-0"}, "rule set DIV-0"),
        ({"measures_version": 99}, "needs measures 99"),
        ({"codes_digest": "00" * 32}, "not kept here"),
        ({"codes_digest": "", "codes_version": 1}, "not kept here"),
    ],
)
async def test_what_this_program_cannot_compute_again_is_refused(
    team: TeamLog, changed: dict[str, Any], why: str
) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    summary = structs.replace(await latest(team, "daily", "2026-11-21"), **changed)
    async with team.database.team(TEAM) as connection:
        with pytest.raises(recompute.OtherRules, match=why):
            await recompute.recompute(connection, await team.team(), summary)


async def test_an_edition_records_the_terms_it_was_made_under_and_is_computed_again_under_them(team: TeamLog) -> None:
    """A zone changed since, or a date of law set since, changes no number of an old edition."""
    last_day = date(2026, 12, 31)
    now_under = await team.team()
    then = structs.replace(now_under, terms=Terms(police_station_allowed_until=last_day))
    await considered(team)
    await publish(team.database, then, slot(parse_period("weekly", "2026-W47"), then.calendar), MONDAY)
    summary = await latest(team, "weekly", "2026-W47")
    assert summary.terms == EditionTerms(zone="Europe/London", day_start_hour=6, police_station_allowed_until=last_day)
    elsewhere = Terms(ZoneInfo("Pacific/Auckland"), 9)
    calendar = structs.replace(now_under.calendar, zone=elsewhere.zone, day_start_hour=9)
    moved = structs.replace(now_under, terms=elsewhere, calendar=calendar)
    flows = tuple(each for each in summary.measures if each.kind == "flow")
    async with team.database.team(TEAM) as connection:
        assert await recompute.recompute(connection, moved, summary) == flows
        unrecorded = structs.replace(summary, terms=None)
        assert await recompute.recompute(connection, moved, unrecorded) != flows


async def test_kept_facts_give_the_same_numbers_as_facts_made_anew(db_url: str, tmp_path: Path) -> None:
    now = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    async with open_team_log(db_url, tmp_path) as team:
        await team.send(generate(CAST, STARTS_ON, now))
        await publish_due(team.database, now)
        summary = await latest(team, "monthly", "2026-10")
        async with team.database.team(TEAM) as connection:
            kept = await connection.fetchval("SELECT count(*) FROM incident_fact")
            await connection.execute("UPDATE incident_fact SET version = 'old'")
            slot = scopes.slot_of(summary)
            loaded = await scopes.load_scope(connection, await team.team(), slot, now)
        assert kept > 100 and len(loaded.fresh) > 40
        assert editions.compute_measures(loaded.scope) == summary.measures


async def pools(team: TeamLog, as_at: datetime) -> tuple[Counter[Profile], Counter[Profile]]:
    """The month before, by profile: as the database counts it, and from facts made anew."""
    starts, ends = as_at - timedelta(days=30), as_at + timedelta(days=1)
    async with team.database.team(TEAM) as connection:
        counted = await FactReader(connection, TEAM, terms=BEDFORDSHIRE).profiles(starts, ends, as_at)
        made = await FactReader(connection, TEAM, version="none is kept under this", terms=BEDFORDSHIRE).between(
            starts, ends
        )
    return counted, Counter(profile_at(fact, as_at) for fact in made if fact.counts)


async def test_what_the_database_counts_is_what_the_entries_add_up_to_however_far_it_was_kept(
    db_url: str, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    async with open_team_log(db_url, tmp_path) as team:
        month = list(generate(CAST, STARTS_ON, now))
        await team.send(month[: len(month) // 2])
        counted, made = await pools(team, now)  # nothing is kept yet
        assert counted == made and counted.total() > 50
        await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
        assert await pools(team, now) == (made, made)
        await team.send(month[len(month) // 2 :])  # more of the same incidents, and others
        counted, made = await pools(team, now)
        assert counted == made and counted.total() > 100 and {profile.grade for profile in made} >= {"P", "A", "B"}
        await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
        assert await pools(team, now) == (made, made)
        async with team.database.team(TEAM) as connection:
            assert (
                await facts.position(connection, TEAM, editions.rules_in_force(terms=BEDFORDSHIRE))
                == (await scopes.head(connection, TEAM)).seq
            )


async def test_an_incident_that_moves_or_is_absorbed_is_counted_where_it_is_now(team: TeamLog) -> None:
    first = await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", sex="female")
    await team.tell("nurse_1", "nurse", 2, TEN, occurred_at=TEN, area="luton_west", sex="female")
    await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
    assert [pool.total() for pool in await pools(team, SUNDAY)] == [2, 2]
    await team.tell("sergeant", "same_incident", 2, SUNDAY, other_incident_id=incident_id(1), reason="same")
    assert [pool.total() for pool in await pools(team, SUNDAY)] == [1, 1]
    await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
    assert [pool.total() for pool in await pools(team, SUNDAY)] == [1, 1]
    wrong = {"kind": "officer", "area": "luton_west", "occurred_at": TEN - timedelta(days=300)}
    await team.tell("officer_1", "amendment", 1, SUNDAY, amends=first, reason="wrong_time", entry=wrong)
    await team.tell("sergeant", "not_same_incident", 2, SUNDAY, other_incident_id=incident_id(1), reason="apart")
    assert [pool.total() for pool in await pools(team, SUNDAY)] == [1, 1]  # the nurse's; the officer's was long ago
    await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
    assert [pool.total() for pool in await pools(team, SUNDAY)] == [1, 1]


async def test_facts_kept_under_other_rules_are_not_counted(team: TeamLog) -> None:
    await considered(team)
    await facts.bring_up_to_date(team.database, TEAM, BEDFORDSHIRE)
    async with team.database.team(TEAM) as connection:
        await connection.execute("UPDATE incident_fact SET version = 'of another program', profile = '[null]'")
    counted, made = await pools(team, SUNDAY)
    assert counted == made and counted.total() == 1


async def test_an_edition_comes_out_the_same_from_its_log_alone_though_the_log_went_on(
    db_url: str, tmp_path: Path
) -> None:
    early, late = datetime(2026, 11, 8, 7, 5, tzinfo=UTC), datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    async with open_team_log(db_url, tmp_path) as team:
        month = list(generate(CAST, STARTS_ON, late))
        await team.send(entry for entry in month if entry.sent_at <= early)
        await publish_due(team.database, early)
        await team.send(entry for entry in month if entry.sent_at > early)
        restated = [edition for edition in await publish_due(team.database, late) if edition.edition == 2]
        assert restated
        async with team.database.team(TEAM) as connection:
            for kind, period in [("monthly", "2026-10"), *((edition.kind, edition.period) for edition in restated)]:
                for body in await publications.all_editions(connection, TEAM, kind, period):
                    summary = editions.decode(body)
                    flows = tuple(measure for measure in summary.measures if measure.kind == "flow")
                    assert await recompute.recompute(connection, await team.team(), summary) == flows
