"""What later entries make of a published period: the next edition, which says what changed and why."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from support.published import MINUTE, MONDAY, SUNDAY, TEN, considered, edition, latest, value, values
from support.team_log import TEAM, TeamLog, incident_id, open_team_log

from triage import codes
from triage.jobs.publish import PublishOptions, publish_due
from triage.store.summaries import publications, recompute, scopes
from triage.summaries import editions
from triage.times import PeriodKind, parse_period


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


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


async def test_a_later_edition_of_a_late_summary_is_late_in_the_list_too(team: TeamLog) -> None:
    await considered(team)
    await publish_due(team.database, SUNDAY + timedelta(hours=1))
    await considered(team, 2)
    await publish_due(team.database, MONDAY)
    async with team.database.team(TEAM) as connection:
        [_, listed] = await publications.list_latest(connection, TEAM, kind="daily")
    assert (listed.period, listed.edition, listed.late) == ("2026-11-21", 2, True)
    assert (await latest(team, "daily", "2026-11-21")).late


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
