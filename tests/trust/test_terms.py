"""The day on which police stations cease to be places of safety is a date that the owner sets."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support.cast import Json
from support.phones import entry, notice_codes, running_service

from triage import codes
from triage.databases import CodeListsError
from triage.store.access.staff import as_owner
from triage.store.summaries import calendars, facts, scopes
from triage.terms import Terms
from triage.times import due_at, operational_day

YESTERDAY = operational_day(datetime.now(UTC)) - timedelta(days=1)
DAY_BEFORE = YESTERDAY - timedelta(days=1)
AUTHORISED: Json = {
    "place_of_safety": "police_station",
    "authorised_rank": "inspector",
    "station_tests": {"imminent_risk": True, "no_other_place": True, "healthcare_available": True},
}


@pytest.mark.parametrize(("until", "lawful"), [(None, True), (DAY_BEFORE, False)])
async def test_summaries_go_by_the_date_of_the_service_that_makes_them(
    db_url: str, tmp_path: Path, until: date | None, lawful: bool
) -> None:
    async with running_service(db_url, tmp_path, police_station_allowed_until=until) as service:
        crew, database = await service.enrol_crew(), service.service.database
        at = due_at(YESTERDAY, time(22))
        await crew.officer.store(entry("detention", uuid4(), event="entered", at=at, captured_at=at, **AUTHORISED))
        team = await calendars.team(database, crew.team_id)
        other = Terms(police_station_allowed_until=DAY_BEFORE if lawful else None)
        await facts.bring_up_to_date(database, team.team_id, team.terms)
        async with database.team(crew.team_id) as connection:
            [fact] = await scopes.incidents_between(connection, team, YESTERDAY, YESTERDAY + timedelta(days=1))
            [under_other] = await facts.FactReader(connection, team.team_id, other).between(
                at - timedelta(days=1), at + timedelta(days=1)
            )
    assert ("station_not_authorised" not in fact.flags) is lawful
    assert ("station_not_authorised" in under_other.flags) is lawful  # what is kept under one date serves no other


@pytest.mark.parametrize(("until", "lawful"), [(None, True), (YESTERDAY, False)])
async def test_after_its_last_day_a_station_is_no_place_for_anybody(
    db_url: str, tmp_path: Path, until: date | None, lawful: bool
) -> None:
    async with running_service(db_url, tmp_path, police_station_allowed_until=until) as service:
        crew = await service.enrol_crew()
        receipt = await crew.officer.store(entry("detention", uuid4(), **AUTHORISED))
    assert (("station_not_authorised", "place_of_safety") not in notice_codes(receipt)) is lawful
    assert ("station_not_authorised" not in receipt["incident"]["flags"]) is lawful


async def test_the_day_of_a_view_is_the_teams(db_url: str, tmp_path: Path) -> None:
    async with running_service(db_url, tmp_path) as service:
        crew = await service.enrol_crew()
        async with as_owner(crew.owner_url, crew.team_id) as owner:
            await owner.execute("UPDATE team SET day_start_hour = 9 WHERE team_id = $1", crew.team_id)
        incident, at = uuid4(), datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
        receipt = await crew.officer.store(entry("officer", incident, occurred_at=at))
        assert receipt["incident"]["operational_day"] == "2026-11-21"
        assert (await crew.nurse.incident(incident))["operational_day"] == "2026-11-21"
        author = receipt["incident"]["contributions"][0]["author"]
        assert (author["id"], author["role"]) == (str(crew.officer.staff_id), "officer")
        assert author["name"]


async def test_an_owners_code_lists_are_put_in_force(db_url: str, tmp_path: Path) -> None:
    lists = tmp_path / "codes.toml"
    shipped = codes.SHIPPED.read_text(encoding="utf-8")
    lists.write_text(shipped.replace('label = "Luton: north"', 'label = "Luton, the north"'), encoding="utf-8")
    try:
        async with running_service(db_url, tmp_path, code_lists=lists):
            assert codes.list("area")["luton_north"].label == "Luton, the north"
    finally:
        codes.load()


async def test_code_lists_that_lack_a_code_stop_the_start_and_say_which(db_url: str, tmp_path: Path) -> None:
    lists = tmp_path / "codes.toml"
    shipped = codes.SHIPPED.read_text(encoding="utf-8")
    lists.write_text(shipped.replace('male = { label = "Male" }\n', ""), encoding="utf-8")
    with pytest.raises(CodeListsError, match="TRIAGE_CODE_LISTS: code list sex lacks male"):
        async with running_service(db_url, tmp_path, code_lists=lists):
            pass
