"""The day on which police stations cease to be places of safety is a date that the owner sets."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support.logins import KEYS, SERVICE, as_login
from support.phones import entry, notice_codes, running_service

from triage import codes
from triage.databases import CodeListsError, databases
from triage.settings import Settings, load
from triage.store.access.staff import as_owner
from triage.terms import BEDFORDSHIRE

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(autouse=True)
def as_shipped() -> Iterator[None]:
    yield
    BEDFORDSHIRE.police_station_allowed_until = None


async def test_the_setting_is_in_force_wherever_the_database_is_used(db_url: str, tmp_path: Path) -> None:
    assert load({"TRIAGE_POLICE_STATION_ALLOWED_UNTIL": "2027-03-31"}).police_station_allowed_until == date(2027, 3, 31)
    chosen = Settings(
        database_url=as_login(db_url, SERVICE),
        keys_database_url=as_login(db_url, KEYS),
        data_dir=tmp_path,
        police_station_allowed_until=date(2027, 3, 31),
    )
    async with databases(chosen):
        assert BEDFORDSHIRE.police_station_allowed_until == date(2027, 3, 31)


@pytest.mark.parametrize(("until", "lawful"), [(None, True), (YESTERDAY, False)])
async def test_after_its_last_day_a_station_is_no_place_for_anybody(
    db_url: str, tmp_path: Path, until: date | None, lawful: bool
) -> None:
    async with running_service(db_url, tmp_path, police_station_allowed_until=until) as service:
        crew = await service.enrol_crew()
        receipt = await crew.officer.store(
            entry(
                "detention",
                uuid4(),
                place_of_safety="police_station",
                authorised_rank="inspector",
                station_tests={"imminent_risk": True, "no_other_place": True, "healthcare_available": True},
            )
        )
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
