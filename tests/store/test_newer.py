"""What a newer app sent waits for a version that understands it, and is then taken by the service itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import msgspec
from msgspec import structs
from support.cast import Json
from support.phones import Crew, RunningService, entry, refused

from triage import codes
from triage.store.log import newer

TOMORROW = "area_of_tomorrow"


@contextmanager
def a_version_that_understands() -> Iterator[None]:
    """The same service with one more code."""
    document = msgspec.json.decode(codes.document(), type=codes.Document)
    [first, *_] = document.lists["area"]
    lists = document.lists | {"area": (*document.lists["area"], structs.replace(first, code=TOMORROW))}
    with codes.reading(msgspec.json.encode(structs.replace(document, lists=lists))):
        yield


async def take(service: RunningService, crew: Crew) -> int:
    return await newer.take_understood(service.service.quarantine, service.service.log, crew.team_id)


async def waiting(crew: Crew) -> list[Json]:
    items: list[Json] = (await crew.sergeant.see("/v1/quarantine"))["items"]
    return items


async def test_it_is_no_lead_s_to_release_and_waits_on_while_nobody_understands_it(
    service: RunningService, crew: Crew
) -> None:
    body = entry("officer", uuid4(), area=TOMORROW)
    assert refused(await crew.officer.put(body)) == (400, "newer_than_service")
    [item] = await waiting(crew)
    assert (item["entry_id"], item["problem"]["code"]) == (body["id"], "newer_than_service")
    assert refused(await crew.sergeant.post(f"/v1/quarantine/{item['id']}/release")) == (409, "newer_than_service")
    assert await take(service, crew) == 0
    assert len(await waiting(crew)) == 1


async def test_it_is_taken_as_its_author_s_with_the_instant_at_which_it_was_first_held(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid4()
    body = entry("officer", incident, area=TOMORROW)
    await crew.officer.put(body)
    [item] = await waiting(crew)
    with a_version_that_understands():
        assert await take(service, crew) == 1
        assert await take(service, crew) == 0
    [stored] = await crew.officer.entries(incident)
    assert (stored["id"], stored["area"], stored["released_by"]) == (body["id"], TOMORROW, None)
    assert str(crew.officer.staff_id) in str(stored["author"])
    assert stored["received_at"] == item["received_at"]
    assert await waiting(crew) == []


async def test_where_the_app_sent_it_again_without_what_is_new_it_becomes_an_amendment_and_no_second_contact(
    service: RunningService, crew: Crew
) -> None:
    incident = uuid4()
    body = entry("officer", incident, area=TOMORROW, sex="male")
    await crew.officer.put(body)
    await crew.officer.store({name: value for name, value in body.items() if name != "area"})
    with a_version_that_understands():
        assert await take(service, crew) == 1
        view = await crew.officer.incident(incident)
    assert (view["area"], view["sex"], len(view["contributions"])) == (TOMORROW, "male", 1)
    original, amendment = await crew.officer.entries(incident)
    assert (amendment["kind"], amendment["amends"]) == ("amendment", original["id"])
    assert amendment["captured_at"] == original["captured_at"]
    assert amendment["received_at"] < original["received_at"]


async def test_other_content_under_its_id_is_left_to_the_lead(service: RunningService, crew: Crew) -> None:
    incident = uuid4()
    body = entry("officer", incident, area=TOMORROW, sex="male")
    await crew.officer.put(body)
    await crew.officer.store({name: value for name, value in body.items() if name != "area"} | {"sex": "female"})
    with a_version_that_understands():
        assert await take(service, crew) == 0
    assert len(await waiting(crew)) == 1


async def test_a_year_of_waiting_is_beside_the_thirty_days_and_the_device_s_limit(crew: Crew) -> None:
    await crew.officer.put(entry("officer", uuid4(), area=TOMORROW))
    await crew.officer.put(entry("officer", uuid4(), age=131))
    rows = await crew.fetch("SELECT newer FROM quarantine WHERE team_id = $1 ORDER BY received_at")
    assert [row["newer"] for row in rows] == [True, False]
