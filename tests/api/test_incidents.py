"""The incident list, one incident, its entries: what is there, for whom, in which order, and what reading leaves."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
import msgspec
import pytest
from support.cast import Json
from support.phones import DAY, HOUR, MINUTE, S136, Crew, Phone, RunningService, entry, now, refused
from uuid_utils.compat import uuid7

from triage.store.log.incidents import NAMES_LAST


async def pages(phone: Phone, **query: Any) -> list[list[str]]:
    """Every page of the list, by following `Link: rel="next"`."""
    served_pages = []
    asked: dict[str, Any] | None = query
    while asked is not None:
        answer = await phone.get("/v1/incidents", **asked)
        assert answer.status_code == 200, answer.text
        served_pages.append([incident["id"] for incident in answer.json()["incidents"]])
        asked = following(answer)
    return served_pages


def following(answer: httpx.Response) -> dict[str, Any] | None:
    """The query of the next page."""
    if "next" not in answer.links:
        assert "link" not in answer.headers
        return None
    address = urlsplit(answer.links["next"]["url"])
    assert address.path == "/v1/incidents"
    return dict(parse_qsl(address.query))


async def told(phone: Phone, at: datetime, **content: Any) -> str:
    """A new incident that occurred at an instant."""
    return str((await phone.tell("officer", uuid7(), occurred_at=at, **content))["incident_id"])


async def test_a_new_name_is_shown_within_a_bound_of_time(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    actor = await service.service.sign_in.authenticate(crew.sergeant.token)

    async def name(at: datetime) -> str:
        _, view = await service.service.incidents.find(actor, incident, at)
        return str(msgspec.json.decode(view.body)["contributions"][0]["author"]["name"])

    before = await name(now())
    await crew.fetch(
        "UPDATE staff SET name = 'Newly Named' WHERE team_id = $1 AND staff_id = $2", crew.officer.staff_id
    )
    assert await name(now()) == before != "Newly Named"
    assert await name(now() + 2 * NAMES_LAST + MINUTE) == "Newly Named"


# --- who reads at all ---


@pytest.mark.parametrize("name", ["auditor", "admin", "partner"])
async def test_roles_without_incidents_read_none(crew: Crew, name: str) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    for path in ("/v1/incidents", f"/v1/incidents/{incident}", f"/v1/incidents/{incident}/entries"):
        assert refused(await getattr(crew, name).get(path)) == (403, "forbidden")


async def test_another_teams_incident_is_not_found(crew: Crew, other_crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    for path in (f"/v1/incidents/{incident}", f"/v1/incidents/{incident}/entries", f"/v1/incidents/{uuid7()}"):
        for phone in other_crew.field_and_leads:
            assert refused(await phone.get(path)) == (404, "not_found")
    assert await other_crew.officer.incidents() == []
    assert await other_crew.consultations() == []


async def test_an_incident_that_holds_an_intent_only_is_not_there_for_health(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("intent", incident)
    for phone in (crew.nurse, crew.paramedic, crew.clinical_lead):
        for path in (f"/v1/incidents/{incident}", f"/v1/incidents/{incident}/entries"):
            assert refused(await phone.get(path)) == (404, "not_found")
        assert await phone.incidents() == []
        assert (await phone.sync())["incidents"] == []
    assert (await crew.other_officer.incident(incident))["status"] == "open"


# --- one incident ---


async def test_an_unchanged_incident_is_304_and_leaves_no_trace(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    first = await crew.nurse.get(f"/v1/incidents/{incident}")
    assert len(await crew.consultations()) == 1
    held = {"if-none-match": first.headers["etag"]}
    again = await crew.nurse.get(f"/v1/incidents/{incident}", headers=held)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert len(await crew.consultations()) == 1
    await crew.officer.tell("outcome", incident)
    changed = await crew.nurse.get(f"/v1/incidents/{incident}", headers=held)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_the_entity_tag_is_of_the_bytes_that_this_reader_gets(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, intent=S136, presenting=["self_harm"])
    await crew.nurse.tell("nurse", incident, presenting=["acute_distress"])
    by_body: dict[bytes, str] = {}
    for phone in crew.field_and_leads:
        answer = await phone.get(f"/v1/incidents/{incident}")
        assert answer.headers["cache-control"] == "no-store"
        assert by_body.setdefault(answer.content, answer.headers["etag"]) == answer.headers["etag"]
    assert len(set(by_body.values())) == len(by_body) > 2


async def test_every_linked_id_answers_with_the_same_bytes(crew: Crew) -> None:
    ids = [uuid7() for _ in range(3)]
    for id_ in ids:
        await crew.officer.tell("officer", id_)
    for id_ in ids[1:]:
        await crew.officer.tell("same_incident", id_, other_incident_id=ids[0])
    answers = {(await crew.nurse.get(f"/v1/incidents/{id_}")).content for id_ in ids}
    assert len(answers) == 1
    entries = [await crew.nurse.entries(id_) for id_ in ids]
    assert entries[0] == entries[1] == entries[2]
    assert [entry["seq"] for entry in entries[0]] == [1, 2, 3, 4, 5]


# --- its entries ---


async def test_entries_come_in_the_order_of_the_log_with_their_place_in_the_chain(crew: Crew) -> None:
    incident = uuid7()
    sent = [
        await crew.officer.tell("officer", incident, note="Calm."),
        await crew.nurse.tell("nurse", incident),
        await crew.paramedic.tell("paramedic", incident, news2=3),
    ]
    listed = await crew.officer.entries(incident)
    assert [entry["id"] for entry in listed] == [body["id"] for body in sent]
    assert [entry["seq"] for entry in listed] == [1, 2, 3]
    rows = await crew.fetch("SELECT link FROM entry WHERE team_id = $1 ORDER BY seq")
    assert [entry["link"] for entry in listed] == [row["link"].hex() for row in rows]
    assert [entry["profession"] for entry in listed] == ["police", "nurse", "paramedic"]
    assert [entry["author"] for entry in listed] == [
        str(phone.staff_id) for phone in (crew.officer, crew.nurse, crew.paramedic)
    ]
    assert listed[0]["captured_at"] == sent[0]["captured_at"]


async def test_a_note_is_read_by_its_own_side_only(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, note="Police only.", intent=S136 | {"referrer": "PC 1234"})
    await crew.nurse.tell("nurse", incident, note="Health only.", s136_justified="yes")
    seen = {}
    for phone in crew.field_and_leads:
        answer = await phone.get(f"/v1/incidents/{incident}/entries")
        seen[phone.staff_id] = ("Police only." in answer.text, "Health only." in answer.text, "PC 1234" in answer.text)
        assert "*" not in {entry.get("note") for entry in answer.json()["entries"]}
    for phone in (crew.officer, crew.other_officer, crew.sergeant):
        assert seen[phone.staff_id] == (True, False, True)
    for phone in (crew.nurse, crew.other_nurse, crew.paramedic, crew.clinical_lead):
        assert seen[phone.staff_id] == (False, True, False)


async def test_an_erased_note_is_absent(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, note="Gone.")
    await crew.fetch("UPDATE entry SET sealed = NULL, erased_at = now() WHERE team_id = $1 RETURNING 1")
    answer = await crew.officer.get(f"/v1/incidents/{incident}/entries")
    assert answer.status_code == 200
    assert "Gone." not in answer.text


# --- the list ---


async def test_the_list_is_newest_first(crew: Crew) -> None:
    at = now()
    ids = [await told(crew.officer, at - n * HOUR) for n in (3, 1, 2)]
    assert [incident["id"] for incident in await crew.nurse.incidents()] == [ids[1], ids[2], ids[0]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_incident_once_also_where_times_are_equal(crew: Crew, limit: int) -> None:
    at = now() - DAY
    ids = {await told(crew.officer, at - (n // 3) * MINUTE) for n in range(7)}
    served_pages = await pages(crew.nurse, limit=limit)
    assert [len(page) for page in served_pages] == [limit] * (7 // limit) + [7 % limit] * (7 % limit > 0)
    flat = [incident_id for page in served_pages for incident_id in page]
    assert len(flat) == 7
    assert set(flat) == ids
    assert flat == [incident["id"] for incident in await crew.nurse.incidents()]


async def test_the_next_page_is_unmoved_by_what_comes_on_top(crew: Crew) -> None:
    at = now() - DAY
    for n in range(4):
        await told(crew.officer, at - n * HOUR)
    every = [incident["id"] for incident in await crew.nurse.incidents()]
    first = await crew.nurse.get("/v1/incidents", limit=2)
    await told(crew.officer, at)
    following_page = await crew.nurse.get("/v1/incidents", **(following(first) or {}))
    assert [incident["id"] for incident in following_page.json()["incidents"]] == every[2:]


async def test_filters_choose_and_are_kept_from_page_to_page(crew: Crew) -> None:
    at = now().replace(microsecond=0)
    first = await told(crew.officer, at - 3 * HOUR, area="bedford", log_ref="BP-1")
    second = await told(crew.officer, at - 2 * HOUR, area="luton_east", log_ref="BP-1")
    third = await told(crew.officer, at - 14 * HOUR, area="luton_east", log_ref="BP-3")
    await crew.officer.tell("outcome", UUID(first))

    async def those(**query: Any) -> list[str]:
        return [incident["id"] for incident in await crew.nurse.incidents(**query)]

    assert await those(status="closed") == [first]
    assert await those(status="open") == [second, third]
    assert await those(area="luton_east") == [second, third]
    assert await those(log_ref="BP-1") == [second, first]
    assert await those(log_ref="BP-1", area="bedford") == [first]
    assert await those(flag="outcome_overdue") == [third]
    assert set(await those(flag="possible_duplicate")) == {first, second}
    assert await those(flag="no_such_flag") == []
    bounds = {"from": (at - 3 * HOUR).isoformat(), "to": (at - 2 * HOUR).isoformat()}
    assert await those(**bounds) == [first]
    assert await those(**{"from": bounds["from"]}) == [second, first]
    assert await pages(crew.nurse, log_ref="BP-1", limit=1) == [[second], [first]]
    assert await pages(crew.nurse, flag="possible_duplicate", limit=1) == [[second], [first]]


@pytest.mark.parametrize("name", ["from", "to", "status", "limit", "summary"])
async def test_a_filter_that_cannot_be_read_is_named_as_it_was_sent(crew: Crew, name: str) -> None:
    query: dict[str, Any] = {name: "x"}
    answer = await crew.officer.get("/v1/incidents", **query)
    assert refused(answer) == (400, "invalid_parameter")
    assert answer.json()["detail"] == f"{name} cannot be read."


async def test_withdrawn_incidents_are_listed_as_such_and_absorbed_ones_not(crew: Crew) -> None:
    withdrawn, kept, absorbed = uuid7(), uuid7(), uuid7()
    body = await crew.officer.tell("officer", withdrawn)
    await crew.officer.tell("withdrawal", withdrawn, withdraws=body["id"])
    await crew.officer.tell("officer", kept)
    await crew.officer.tell("same_incident", kept, other_incident_id=absorbed)
    assert [incident["id"] for incident in await crew.nurse.incidents(status="withdrawn")] == [str(withdrawn)]
    assert len(await crew.nurse.incidents()) == 2
    assert refused(await crew.nurse.get("/v1/incidents", status="absorbed")) == (400, "invalid_parameter")


async def test_a_filter_on_what_the_reader_may_not_see_finds_nothing(crew: Crew) -> None:
    """An officer is not shown disagreements, and a flag that only an intent raises is hidden from health."""
    incident = uuid7()
    await crew.officer.tell("officer", incident, sex="male", location_type="street_or_park")
    await crew.nurse.tell("nurse", incident, sex="female")
    await crew.officer.tell("intent", incident, intent=S136 | {"location_type": "own_home"})
    assert len(await crew.sergeant.incidents(flag="conflict:sex")) == 1
    assert await crew.officer.incidents(flag="conflict:sex") == []
    assert await crew.nurse.incidents(flag="conflict:sex") == []
    assert len(await crew.officer.incidents(flag="power_location_conflict")) == 1
    for phone in (crew.nurse, crew.paramedic, crew.clinical_lead):
        assert await phone.incidents(flag="power_location_conflict") == []


# --- what reading leaves ---


async def test_each_reading_request_leaves_one_row_that_names_what_was_served(crew: Crew) -> None:
    first, second = sorted((uuid7(), uuid7()))
    for incident in (first, second):
        await crew.officer.tell("officer", incident)
    cursor = (await crew.nurse.sync())["cursor"]
    await crew.nurse.incidents()
    await crew.nurse.incident(first)
    await crew.nurse.entries(second)
    await crew.nurse.sync(cursor=cursor)
    await crew.nurse.incidents(status="closed")
    await crew.nurse.get("/v1/incidents/" + str(uuid7()))
    assert [(row["query"], sorted(row["ids"])) for row in await crew.consultations()] == [
        ("sync", [first, second]),
        ("list", [first, second]),
        ("incident", [first]),
        ("entries", [second]),
    ]
    assert {(row["actor"], row["role"], row["device"]) for row in await crew.consultations()} == {
        (crew.nurse.staff_id, "nurse", crew.nurse.device_id)
    }


async def test_storing_an_entry_is_its_own_record_and_no_consultation(crew: Crew) -> None:
    body: Json = entry("officer", uuid7())
    await crew.officer.store(body)
    assert await crew.consultations() == []


async def test_a_team_s_own_zone_and_start_of_day_name_the_operational_day(crew: Crew) -> None:
    await crew.fetch("UPDATE team SET zone = 'Europe/London', day_start_hour = 9 WHERE team_id = $1")
    incident = uuid7()
    body = await crew.officer.tell("officer", incident, occurred_at="2026-11-23T07:30:00+00:00")
    assert body["occurred_at"].startswith("2026-11-23")
    assert (await crew.officer.incident(incident))["operational_day"] == "2026-11-22"


async def test_those_who_wrote_are_called_by_name(crew: Crew) -> None:
    incident = uuid7()
    receipt = await crew.officer.store(entry("officer", incident))
    for view in (receipt["incident"], await crew.nurse.incident(incident)):
        [contribution] = view["contributions"]
        assert contribution["author"] == {"id": str(crew.officer.staff_id), "name": "officer", "role": "officer"}


@pytest.mark.parametrize("asked", ["bp 0117", "BP-0117", "bp–0117", "BP0117"])
async def test_a_log_reference_is_found_whatever_its_case_blanks_and_dashes(crew: Crew, asked: str) -> None:
    incident_id, other = uuid7(), uuid7()
    await crew.officer.tell("officer", incident_id, log_ref="BP-01 17")
    await crew.officer.tell("officer", other, log_ref="BP-0118")
    assert [incident["id"] for incident in await crew.sergeant.incidents(log_ref=asked)] == [str(incident_id)]


async def test_an_amendment_of_the_note_alone_is_read_by_whose_side_the_note_is(crew: Crew) -> None:
    """What is stored of a text says not what it reads, so two texts cannot be taken for the same."""
    incident = uuid7()
    told = await crew.officer.tell("officer", incident, area="bedford", note="Calm.")
    content = {"kind": "officer", "area": "bedford", "note": "Not calm at all."}
    amendment = await crew.officer.tell("amendment", incident, amends=told["id"], entry=content)
    listed = {entry["id"]: entry for entry in await crew.sergeant.entries(incident)}
    assert listed[amendment["id"]]["entry"]["note"] == "Not calm at all."
    assert amendment["id"] not in {entry["id"] for entry in await crew.nurse.entries(incident)}
