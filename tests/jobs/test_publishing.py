"""What is published, when, how often, and what later entries make of it."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from msgspec import structs
from support.cast import BEDFORDSHIRE
from support.logins import KEYS, as_login
from support.team_log import STARTS_ON, TEAM, TeamLog, incident_id, open_team_log

from triage import codes
from triage.demo import CAST, generate
from triage.jobs.publish import PublishOptions, publish, publish_due
from triage.store import outbox
from triage.store.journal import Journal
from triage.store.journal_lines import RowPublished
from triage.store.statements import Statement
from triage.store.summaries import calendars, facts, publications, recompute, scopes
from triage.store.summaries.facts import FactReader
from triage.summaries import editions
from triage.summaries.editions import Difference, EditionTerms, Summary
from triage.summaries.facts import Profile, profile_at
from triage.summaries.schedule import slot
from triage.terms import Terms
from triage.times import PeriodKind, parse_period

TEN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
"""Saturday evening; the operational day 2026-11-21 ends on Sunday at 06:00 and is due at 07:00."""
SUNDAY = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
MONDAY = SUNDAY + timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


async def edition(team: TeamLog, kind: PeriodKind, period: str, number: int | None = None) -> Summary | None:
    async with team.database.team(TEAM) as connection:
        body = await publications.find_body(connection, TEAM, kind, period, number)
    return None if body is None else editions.decode(body)


async def latest(team: TeamLog, kind: PeriodKind, period: str) -> Summary:
    published = await edition(team, kind, period)
    assert published
    return published


def value(summary: Summary, code: str, row: str | None = None) -> int | float | None:
    measure = next(measure for measure in summary.measures if measure.code == code)
    if row is None:
        assert not isinstance(measure.value, type(...))
        return measure.value  # type: ignore[return-value]
    assert isinstance(measure.rows, tuple)
    return next((line.value for line in measure.rows if line.code == row), 0)


def values(summary: Summary) -> list[Difference]:
    """The changes of values; what they are of, and their rates and intervals, change with them."""
    return [change for change in summary.changes if change.part == "value"]


async def considered(team: TeamLog, incident: int = 1, at: datetime = TEN) -> None:
    """A person in the street, an officer who would have used s136, and care at home instead."""
    tests = {"mental_disorder": True, "immediate_need": True, "necessary": True}
    intent = {"power": "s136", "confidence": 3, "formed_at": at, "source": "self", "tests": tests}
    await team.tell(
        "officer_1",
        "officer",
        incident,
        at,
        occurred_at=at,
        area="luton_west",
        location_type="street_or_park",
        intent=intent,
    )
    await team.tell(
        "officer_1",
        "outcome",
        incident,
        at + 20 * MINUTE,
        disposal="carer_or_home",
        decided_at=at + 19 * MINUTE,
        decided_by="officer",
    )


async def test_nothing_is_published_before_it_is_due(team: TeamLog) -> None:
    await considered(team)
    assert await publish_due(team.database, SUNDAY - MINUTE) == []
    assert await edition(team, "daily", "2026-11-21") is None


async def test_a_day_is_published_when_due_and_never_twice(team: TeamLog) -> None:
    await considered(team)
    [published] = await publish_due(team.database, SUNDAY)
    assert (published.kind, published.period, published.edition, published.late) == ("daily", "2026-11-21", 1, False)
    assert await publish_due(team.database, SUNDAY) == []
    assert await publish_due(team.database, SUNDAY + MINUTE) == []


async def test_an_edition_says_from_which_log_it_was_computed(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    async with team.database.team(TEAM) as connection:
        head = await scopes.head(connection, TEAM)
    assert (summary.as_at_seq, summary.chain_head) == (head.seq, head.link.hex()) == (2, head.link.hex())
    assert summary.as_at == summary.published_at == SUNDAY
    assert (summary.rules, summary.codes_version, summary.late) == ("DIV-1", 2, False)
    assert value(summary, "incidents") == 1
    assert value(summary, "considered_by_grade", "P") == 1


@pytest.mark.parametrize(("minutes", "late"), [(15, False), (16, True)])
async def test_late_is_more_than_a_quarter_of_an_hour(team: TeamLog, minutes: int, late: bool) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY + minutes * MINUTE)
    assert (await latest(team, "daily", "2026-11-21")).late is late


async def test_what_was_missed_is_caught_up_oldest_first(team: TeamLog) -> None:
    await considered(team)
    published = await publish_due(team.database, SUNDAY + timedelta(days=16))
    daily = [edition.period for edition in published if edition.kind == "daily"]
    assert daily == sorted(daily) and daily[0] == "2026-11-21" and len(daily) == 17
    assert [edition.period for edition in published if edition.kind == "weekly"] == ["2026-W47", "2026-W48", "2026-W49"]
    assert [edition.period for edition in published if edition.kind == "monthly"] == ["2026-11"]
    dues = [(await latest(team, edition.kind, edition.period)).due_at for edition in published]
    assert dues == sorted(dues)


async def test_an_outcome_known_later_leads_to_a_second_edition_that_says_what_changed(team: TeamLog) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west")
    await publish_due(team.database, SUNDAY)
    at = TEN + timedelta(hours=20)
    await team.tell("nurse_1", "outcome", 1, at, disposal="signposted", decided_at=TEN + 30 * MINUTE)
    published = await publish_due(team.database, MONDAY)
    assert ("2026-11-21", 2) in [(edition.period, edition.edition) for edition in published]
    second = await latest(team, "daily", "2026-11-21")
    assert (value(second, "outcomes", "signposted"), second.previous, second.as_at) == (1, 1, MONDAY)
    [change] = [value for value in values(second) if value.line == "outcomes/signposted"]
    assert (change.old, change.new, change.why, change.kinds) == (0, 1, "entries", ("outcome",))
    first = await edition(team, "daily", "2026-11-21", 1)
    assert first and value(first, "outcomes", "signposted") == 0


async def test_a_change_of_what_a_figure_is_of_restates_it_though_its_value_stays(team: TeamLog) -> None:
    place = {"power": "s136", "place_of_safety": "health_based"}
    for incident, minutes in ((1, 40), (2, 90)):
        if incident == 2:
            await publish_due(team.database, SUNDAY)
        await team.tell("officer_1", "officer", incident, TEN, occurred_at=TEN, area="luton_west")
        await team.tell("officer_1", "detention", incident, TEN, event="arrived_site", at=TEN, **place)
        over = TEN + minutes * MINUTE
        await team.tell("officer_1", "detention", incident, over, event="handover_complete", at=over, **place)
    # the second stay, which came late, is over the target: one of two within it instead of one of one
    await publish_due(team.database, SUNDAY + timedelta(days=16))
    first, second = [await edition(team, "monthly", "2026-11", 1), await latest(team, "daily", "2026-11-21")]
    assert first and second.edition == 2
    changed = {(change.line, change.part): (change.old, change.new) for change in second.changes}
    assert changed["handover_minutes/health_based/median", "of"] == (1, 2)
    within = next(measure for measure in first.measures if measure.code == "handover_within_target")
    assert (within.value, within.known) == (1, 2)


async def test_a_late_stay_over_the_target_restates_a_month_whose_count_within_it_stays(team: TeamLog) -> None:
    due = datetime(2026, 12, 3, 7, 0, tzinfo=UTC)
    place = {"power": "s136", "place_of_safety": "health_based"}
    for incident, minutes in ((1, 40), (2, 90)):
        await team.tell("officer_1", "detention", incident, TEN, event="arrived_site", at=TEN, **place)
        over = TEN + minutes * MINUTE
        if incident == 2:
            await publish_due(team.database, due)
        await team.tell("officer_1", "detention", incident, over, event="handover_complete", at=over, **place)
    await publish_due(team.database, due + timedelta(days=1))
    second = await latest(team, "monthly", "2026-11")
    [known, missing] = [change for change in second.changes if change.line == "handover_within_target"]
    assert (known.part, known.old, known.new, known.kinds) == ("known", 1, 2, ("detention",))
    assert (missing.part, missing.old, missing.new) == ("missing", 1, 0)
    assert value(second, "handover_within_target") == 1


async def test_an_edition_says_what_of_the_period_the_log_covers(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, datetime(2026, 12, 3, 7, 0, tzinfo=UTC))
    day, month = await latest(team, "daily", "2026-11-21"), await latest(team, "monthly", "2026-11")
    assert (day.covered_from, day.covered_to, day.notes) == (date(2026, 11, 21), date(2026, 11, 21), (editions.LATE,))
    assert (month.covered_from, month.covered_to) == (date(2026, 11, 21), date(2026, 11, 30))
    assert "covers only 21 November 2026 to 30 November 2026" in month.notes[0]


async def test_a_later_edition_of_a_late_summary_is_late_in_the_list_too(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY + timedelta(hours=1))
    await considered(team, 2)
    await publish_due(team.database, MONDAY)
    async with team.database.team(TEAM) as connection:
        [_, listed] = await publications.list_latest(connection, TEAM, kind="daily")
    assert (listed.period, listed.edition, listed.late) == ("2026-11-21", 2, True)
    assert (await latest(team, "daily", "2026-11-21")).late


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


async def test_time_alone_restates_nothing_but_its_share_is_marked_in_the_next_edition(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    assert [
        edition.edition for edition in await publish_due(team.database, MONDAY) if edition.period == "2026-11-21"
    ] == []
    await team.tell("officer_2", "officer", 2, MONDAY, occurred_at=TEN, area="bedford")
    await publish_due(team.database, MONDAY + timedelta(days=1))
    second = await latest(team, "daily", "2026-11-21")
    why = {value.line: (value.old, value.new, value.why) for value in values(second)}
    assert why["considered_by_grade/P"] == (1, 0, "time")
    assert why["considered_by_grade/B"] == (0, 1, "time")
    assert why["incidents"] == (1, 2, "entries")


async def test_snapshots_stay_as_first_published(team: TeamLog) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west")
    await publish_due(team.database, SUNDAY)
    await team.tell("nurse_1", "outcome", 1, SUNDAY, disposal="signposted", decided_at=TEN + MINUTE)
    await publish_due(team.database, MONDAY)
    first, second = [await edition(team, "daily", "2026-11-21", n) for n in (1, 2)]
    assert first and second and value(first, "open_outcomes", "over_12_h") == 0
    snapshots = [[measure for measure in measure.measures if measure.kind == "snapshot"] for measure in (first, second)]
    assert snapshots[0] == snapshots[1] != []


async def test_at_most_one_edition_of_a_period_a_day(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    for hour in range(1, 5):
        await considered(team, 1 + hour, TEN + hour * MINUTE)
        await publish_due(team.database, MONDAY + timedelta(hours=hour))
    summary = await latest(team, "daily", "2026-11-21")
    assert (summary.edition, value(summary, "incidents")) == (2, 2)
    await publish_due(team.database, MONDAY + timedelta(days=1))
    summary = await latest(team, "daily", "2026-11-21")
    assert (summary.edition, value(summary, "incidents")) == (3, 5)


async def test_a_daily_is_restated_for_35_days(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    ended = SUNDAY - timedelta(hours=1)
    await considered(team, 2)
    after = await publish_due(team.database, ended + timedelta(days=35))
    assert "2026-11-21" not in [edition.period for edition in after]
    before = await publish_due(team.database, ended + timedelta(days=35) - MINUTE)
    assert ("2026-11-21", 2) in [(edition.period, edition.edition) for edition in before]


async def test_a_link_and_an_amendment_restate_too(team: TeamLog) -> None:
    await considered(team, 1)
    nurse = await team.tell("nurse_1", "nurse", 2, TEN, occurred_at=TEN, area="luton_west")
    await publish_due(team.database, SUNDAY)
    assert value(await latest(team, "daily", "2026-11-21"), "incidents") == 2
    await team.tell("sergeant", "same_incident", 2, SUNDAY, other_incident_id=incident_id(1), reason="same")
    await publish_due(team.database, MONDAY)
    second = await latest(team, "daily", "2026-11-21")
    assert value(second, "incidents") == 1
    assert {kind for change in second.changes for kind in change.kinds} == {"same_incident"}
    replacement = {"kind": "nurse", "area": "bedford", "occurred_at": TEN + timedelta(days=1)}
    await team.tell("nurse_1", "amendment", 2, MONDAY, amends=nurse, reason="wrong_area", entry=replacement)
    await publish_due(team.database, MONDAY + timedelta(days=1))
    third = await latest(team, "daily", "2026-11-21")
    assert third.edition == 3 and {kind for change in third.changes for kind in change.kinds} == {"amendment"}


async def whys(team: TeamLog, kind: PeriodKind, period: str) -> dict[str, tuple[str, ...]]:
    """The kinds of entries that changed each line of the latest edition."""
    return {value.line: value.kinds for value in values(await latest(team, kind, period)) if value.why == "entries"}


async def test_each_line_names_the_kinds_of_entries_that_changed_it_and_no_others(team: TeamLog) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", sex="female")
    await publish_due(team.database, SUNDAY)
    await team.tell("nurse_1", "nurse", 1, SUNDAY, occurred_at=TEN, area="luton_west", referral_source="police_999")
    await team.tell("nurse_1", "outcome", 1, SUNDAY, disposal="signposted", decided_at=TEN + 30 * MINUTE)
    await team.tell("officer_2", "officer", 2, SUNDAY, occurred_at=TEN, area="bedford")
    place = {"power": "s136", "place_of_safety": "health_based"}
    await team.tell("officer_2", "detention", 2, SUNDAY, event="arrived_site", at=TEN, **place)
    await team.tell("officer_2", "detention", 2, SUNDAY, event="handover_complete", at=TEN + 45 * MINUTE, **place)
    await team.tell("officer_2", "officer", 3, SUNDAY, occurred_at=SUNDAY, area="bedford")  # of another day
    await team.tell("officer_2", "detention", 3, SUNDAY, event="began", at=SUNDAY, power="s136")
    await publish_due(team.database, MONDAY)
    why = await whys(team, "daily", "2026-11-21")
    assert why["outcomes/signposted"] == why["powers_used/none"] == ("outcome",)
    assert why["incidents"] == why["incidents_by_area/bedford"] == ("officer",)
    changed = {value.line: value for value in values(await latest(team, "daily", "2026-11-21"))}
    median = changed["handover_minutes/health_based/median"]
    assert (median.old, median.new, median.kinds) == (None, 45, ("detention", "officer"))
    # there was none before, which is not zero; the contact says of which day it is
    assert median.label == "Handover by place of safety: Health-based place of safety, median"
    assert why["completeness/nurse"] == ("nurse",)
    assert why["completeness_by_field/area"] == ("officer",)  # the nurse's only said it again
    assert why["completeness_by_field/referral_source"] == ("nurse",)


async def test_two_kinds_that_each_suffice_are_both_named(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    await team.tell("nurse_1", "nurse", 2, SUNDAY, occurred_at=TEN, area="bedford")
    await team.tell("officer_1", "officer", 2, SUNDAY, occurred_at=TEN, area="bedford")
    await publish_due(team.database, MONDAY)
    assert (await whys(team, "daily", "2026-11-21"))["incidents"] == ("nurse", "officer")


async def test_what_another_incident_of_the_person_tells_is_named(team: TeamLog) -> None:
    person = str(incident_id(99))
    for incident, at in ((1, TEN), (2, TEN + timedelta(hours=12))):
        await considered(team, incident, at)
        await team.tell("nurse_1", "person_link", incident, at, person_id=person, reason="identified")
    await publish_due(team.database, MONDAY + timedelta(days=1))
    at = TEN + timedelta(hours=13)
    used = {"disposal": "s136_removed", "decided_at": at, "decided_by": "officer"}
    await team.tell("officer_1", "outcome", 2, MONDAY + timedelta(days=1), **used)
    await publish_due(team.database, MONDAY + timedelta(days=2))
    assert (await whys(team, "daily", "2026-11-21"))["considered_by_grade/R"] == ("outcome",)


async def test_parting_and_unlinking_are_named(team: TeamLog) -> None:
    await considered(team, 1)
    await team.tell("nurse_1", "nurse", 2, TEN, occurred_at=TEN, area="luton_west")
    await team.tell("sergeant", "same_incident", 2, TEN, other_incident_id=incident_id(1), reason="same")
    await publish_due(team.database, SUNDAY)
    await team.tell("sergeant", "not_same_incident", 2, SUNDAY, other_incident_id=incident_id(1), reason="apart")
    await team.tell("officer_1", "follow_up", 1, SUNDAY, event="seen_again", at=SUNDAY)
    await publish_due(team.database, MONDAY)
    assert (await whys(team, "daily", "2026-11-21"))["incidents"] == ("not_same_incident",)


async def test_an_amendment_that_moves_an_incident_to_another_day_changes_both_days(team: TeamLog) -> None:
    wrong = await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west")
    await publish_due(team.database, MONDAY)
    right = {"kind": "officer", "area": "luton_west", "occurred_at": TEN + timedelta(hours=12)}
    await team.tell("officer_1", "amendment", 1, MONDAY, amends=wrong, reason="wrong_time", entry=right)
    await publish_due(team.database, MONDAY + timedelta(days=1))
    for day, incidents in (("2026-11-21", 0), ("2026-11-22", 1)):
        assert value(await latest(team, "daily", day), "incidents") == incidents
        assert (await whys(team, "daily", day))["incidents"] == ("amendment",)


async def test_a_change_of_the_code_lists_is_named_and_the_old_edition_still_comes_out_under_the_old_lists(
    team: TeamLog, tmp_path: Path
) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", sex="female")
    await publish_due(team.database, SUNDAY)
    first = await latest(team, "daily", "2026-11-21")
    owned = tmp_path / "codes.toml"
    newer = '[[versions]]\nversion = 3\nvalid_from = 2026-11-22\nnote = "West becomes central."\n\n[lists.area]'
    west = 'luton_west = { label = "Luton: west", '
    replaced = west + 'valid_to = 2026-11-21, replaced_by = "luton_central", '
    owned.write_text(codes.SHIPPED.read_text().replace("[lists.area]", newer).replace(west, replaced))
    codes.load(owned)
    try:
        await publish_due(team.database, MONDAY)
        second = await latest(team, "daily", "2026-11-21")
        assert (second.codes_version, value(second, "incidents_by_area", "luton_central")) == (3, 1)
        why = await whys(team, "daily", "2026-11-21")
        assert why["incidents_by_area/luton_central"] == why["incidents_by_area/luton_west"] == ("code_lists",)
        async with team.database.team(TEAM) as connection:
            for summary in (first, second):
                flows = tuple(measure for measure in summary.measures if measure.kind == "flow")
                assert await recompute.recompute(connection, await team.team(), summary) == flows
        assert codes.version == 3
    finally:
        codes.load()


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


async def test_a_total_of_the_force_entered_later_gives_the_rate_in_the_next_edition(
    db_url: str, tmp_path: Path
) -> None:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 7, 1)) as team:
        await considered(team, 1, datetime(2026, 7, 4, 22, 0, tzinfo=UTC))
        due = datetime(2026, 10, 15, 6, 0, tzinfo=UTC)
        await publish_due(team.database, due)
        first = await latest(team, "quarterly", "2026-Q2")
        assert value(first, "s136_per_100_000", "force") is None
        quarter = parse_period("quarterly", "2026-Q2")
        for day, s136 in ((1, 140), (3, 141)):
            entered = due + timedelta(days=day)
            async with team.database.team(TEAM) as connection:
                await scopes.enter_force_total(connection, TEAM, quarter, s136, "force return", entered)
            await publish_due(team.database, entered + timedelta(days=1))
        third = await latest(team, "quarterly", "2026-Q2")
        assert (third.edition, value(third, "s136_per_100_000", "force")) == (3, 20.0)
        changes = [(change.line, change.part, change.kinds) for change in third.changes]
        assert changes == [("s136_per_100_000/force", part, ("force_total",)) for part in ("value", "low", "high")]
        async with team.database.team(TEAM) as connection:
            for body in await publications.all_editions(connection, TEAM, "quarterly", "2026-Q2"):
                summary = editions.decode(body)
                flows = tuple(measure for measure in summary.measures if measure.kind == "flow")
                assert await recompute.recompute(connection, await team.team(), summary) == flows
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("UPDATE force_total SET s136 = 0")


async def test_training_is_in_no_number(team: TeamLog) -> None:
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west", test=True)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert value(summary, "incidents") == 0 and not summary.silent


async def test_a_day_on_which_nobody_was_heard_from_is_no_data(team: TeamLog) -> None:
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert summary.silent and value(summary, "incidents") is None
    assert "not the same as zero" in summary.notes[0]


async def test_a_day_without_incidents_on_which_a_phone_was_heard_is_zero(team: TeamLog) -> None:
    async with team.database.team(TEAM) as connection:
        await connection.execute("UPDATE device SET last_seen_at = $1", TEN)
    await publish_due(team.database, SUNDAY)
    summary = await latest(team, "daily", "2026-11-21")
    assert not summary.silent and value(summary, "incidents") == 0


async def test_the_night_of_25_hours_is_one_day_published_once(db_url: str, tmp_path: Path) -> None:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 10, 24)) as team:
        for incident, hour in enumerate((0, 1), 1):  # 01:30 BST and 01:30 GMT
            await considered(team, incident, datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        assert await publish_due(team.database, datetime(2026, 10, 25, 6, 59, tzinfo=UTC)) == []
        await publish_due(team.database, datetime(2026, 10, 25, 7, 0, tzinfo=UTC))
        summary = await latest(team, "daily", "2026-10-24")
    assert value(summary, "incidents") == 2
    assert summary.ends_at - summary.starts_at == timedelta(hours=25)


async def test_the_night_of_23_hours_is_one_day_published_once(db_url: str, tmp_path: Path) -> None:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 3, 28)) as team:
        await considered(team, 1, datetime(2026, 3, 29, 4, 59, tzinfo=UTC))
        await considered(team, 2, datetime(2026, 3, 29, 5, 1, tzinfo=UTC))
        await publish_due(team.database, datetime(2026, 3, 29, 6, 0, tzinfo=UTC))
        summary = await latest(team, "daily", "2026-03-28")
    assert (value(summary, "incidents"), summary.ends_at - summary.starts_at) == (1, timedelta(hours=23))


async def test_a_due_time_of_the_teams_own_counts_from_then_on(team: TeamLog) -> None:
    await considered(team)
    async with team.database.team(TEAM) as connection:
        await calendars.set_schedule(connection, TEAM, "daily", time(9, 30), 1)
    assert await publish_due(team.database, SUNDAY) == []
    assert len(await publish_due(team.database, SUNDAY + timedelta(hours=2, minutes=30))) == 1


async def test_days_tile_though_the_teams_zone_changes(team: TeamLog) -> None:
    await considered(team, 1)
    await publish_due(team.database, SUNDAY)
    gap = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)  # between the old end of the day and its new start
    await considered(team, 2, gap)
    owner = await asyncpg.connect(team.url)
    try:
        await owner.execute("UPDATE team SET zone = 'Atlantic/Azores'")
    finally:
        await owner.close()
    await publish_due(team.database, MONDAY + timedelta(hours=1))
    first, second = [await latest(team, "daily", f"2026-11-2{n}") for n in (1, 2)]
    assert second.starts_at == first.ends_at and value(second, "incidents") == 1


async def test_a_failed_run_is_no_data_and_is_tried_again(team: TeamLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await considered(team)

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(editions, "compute_measures", fail)
        assert await publish_due(team.database, SUNDAY) == []
    async with team.database.team(TEAM) as connection:
        [listed] = await publications.list_latest(connection, TEAM)
        failed = await publications.find_failed(connection, TEAM, "daily", "2026-11-21")
    assert (listed.edition, listed.problem) == (0, "run_failed")
    assert failed and failed.measures == () and "No data" in failed.notes[0]
    [published] = await publish_due(team.database, SUNDAY + MINUTE)
    assert published.edition == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE summary_edition SET body = '\\x00000000'",
        "DELETE FROM summary_edition",
        "TRUNCATE summary_edition CASCADE",
    ],
)
async def test_not_even_the_owner_alters_an_edition(team: TeamLog, statement: str) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    owner = await asyncpg.connect(team.url)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)
    finally:
        await owner.close()
    async with team.database.team(TEAM) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_another_teams_editions_are_not_there(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    async with team.database.no_team() as connection:
        assert await connection.fetchval("SELECT count(*) FROM summary_edition") == 0


async def test_a_publication_and_its_messages_are_one(team: TeamLog) -> None:
    async with team.database.team(TEAM) as connection:
        await outbox.add_destination(connection, TEAM, "email", "sergeant@example.org", ["summary"])
        await outbox.add_destination(connection, TEAM, "webhook", "https://example.org/hook", ["alert"])
    await considered(team)
    await publish_due(team.database, SUNDAY, PublishOptions(public_url="https://triage.example.org"))
    async with team.database.team(TEAM) as connection:
        [row] = await connection.fetch("SELECT key, payload FROM outbox")
    summary = await latest(team, "daily", "2026-11-21")
    assert row["key"] == "summary daily 2026-11-21 internal 1"
    assert summary.chain_head and summary.chain_head.encode() in row["payload"]
    assert b"https://triage.example.org/review/summaries/daily/2026-11-21?edition=1" in row["payload"]
    assert b"luton" not in row["payload"] and b"value" not in row["payload"]


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


async def test_an_edition_is_in_the_journal_as_it_was_stored(team: TeamLog) -> None:
    await considered(team)
    journal = Journal.at(as_login(team.url, KEYS))
    await publish_due(team.database, SUNDAY, PublishOptions(journal=journal))
    run, kept = await journal.read("published summary_run", "published summary_edition")
    assert isinstance(run, RowPublished) and isinstance(kept, RowPublished)
    assert (run.table, kept.table, kept.team_id) == ("summary_run", "summary_edition", TEAM)
    async with team.database.team(TEAM) as connection:
        query = "SELECT e = json_populate_record(null::summary_edition, $1::json) FROM summary_edition e"
        assert await connection.fetchval(query, bytes(kept.row).decode()) is True


async def test_later_entries_are_gathered_before_a_period_is_looked_at_again(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY)
    gathering = PublishOptions(gather=timedelta(hours=1))
    await team.tell("officer_1", "officer", 2, SUNDAY, occurred_at=SUNDAY, area="bedford")
    await publish_due(team.database, MONDAY, gathering)  # looked at, and nothing of that day has changed
    await considered(team, 3)
    assert await publish_due(team.database, MONDAY + 59 * MINUTE, gathering) == []
    [again] = await publish_due(team.database, MONDAY + 60 * MINUTE, gathering)
    assert (again.period, again.edition) == ("2026-11-21", 2)


@pytest.mark.parametrize("family", ["summaries", "facts"])
async def test_every_statement_fits_the_schema_and_the_services_rights(team: TeamLog, family: str) -> None:
    async with team.database.team(TEAM) as connection:
        for name, statement in Statement.declared.items():
            if name.startswith(f"{family}."):
                await connection.prepare(statement.sql)
