"""`PUT /v1/entries/{id}`: what is stored, what counts as the same, what is refused, and what a refusal tells."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from support.cast import Json
from support.phones import DAY, HOUR, MINUTE, S136, Crew, entry, fields, notice_codes, now, refused
from uuid_utils.compat import uuid7

from triage import codes


async def quarantined(crew: Crew) -> list[tuple[str, str]]:
    """What waits in quarantine: entry id and problem."""
    rows = await crew.fetch("SELECT entry_id, problem FROM quarantine WHERE team_id = $1 ORDER BY received_at, id")
    return [(str(row["entry_id"]), msgspec.json.decode(row["problem"])["code"]) for row in rows]


def changed(body: Json, **content: object) -> Json:
    """The body under the same id with other content."""
    other: Json = msgspec.to_builtins(body | content)
    return other


# --- the same, and not the same ---


async def test_a_new_entry_is_201_and_the_same_again_200_with_the_same_answer(crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford", note="Calm.")
    first = await crew.officer.put(body)
    again = await crew.officer.put(body)
    assert (first.status_code, again.status_code) == (201, 200)
    receipt = first.json()
    assert (receipt["id"], receipt["incident_id"], receipt["seq"]) == (body["id"], body["incident_id"], 1)
    assert receipt["status"] == "stored"
    assert again.json() == receipt | {"status": "duplicate"}


async def test_key_order_white_space_null_and_equivalent_offsets_are_the_same_content(crew: Crew) -> None:
    body = entry(
        "officer", uuid7(), captured_at="2026-11-21T22:04:10Z", area="bedford", occurred_at="2026-11-21T21:58:00Z"
    )
    await crew.officer.store(body)
    backwards = dict(reversed(body.items())) | {"sex": None, "occurred_at": "2026-11-21T23:58:00+02:00"}
    backwards["captured_at"] = "2026-11-21T22:04:10.000+00:00"
    again = await crew.officer.put_raw(body["id"], msgspec.json.format(msgspec.json.encode(backwards), indent=8))
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")


async def test_author_and_device_are_no_part_of_the_content(crew: Crew) -> None:
    body = entry("outcome", uuid7())
    await crew.officer.store(body)
    again = await crew.paramedic.put(body)
    assert (again.status_code, again.json()["seq"]) == (200, 1)


async def test_other_content_is_409_and_its_author_is_told_which_fields_differ(crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford", sex="male", note="Calm.", intent=S136)
    await crew.officer.store(body)
    other = changed(body, sex="female", note="Not calm.", intent=S136 | {"confidence": 1}, log_ref="BP-1")
    answer = await crew.officer.put(other)
    assert refused(answer) == (409, "entry_conflict")
    assert fields(answer.json()) == ["intent.confidence", "log_ref", "note", "sex"]
    assert "female" not in answer.text and "Not calm" not in answer.text
    assert await quarantined(crew) == [(body["id"], "entry_conflict")]
    [held] = await crew.officer.entries(body["incident_id"])
    assert (held["sex"], held["note"]) == ("male", "Calm.")


async def test_an_id_reused_by_another_author_tells_him_nothing_of_what_is_held(crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford")
    await crew.officer.store(body)
    answer = await crew.other_officer.put(changed(body, area="luton_east"))
    assert refused(answer) == (409, "entry_conflict")
    assert "errors" not in answer.json()


async def test_an_erased_entry_is_410_even_with_the_same_content(crew: Crew) -> None:
    body = entry("officer", uuid7(), note="To be erased.")
    await crew.officer.store(body)
    await crew.fetch("UPDATE entry SET sealed = NULL, erased_at = now() WHERE team_id = $1 RETURNING id")
    assert refused(await crew.officer.put(body)) == (410, "entry_erased")


async def test_another_teams_ids_are_never_revealed(crew: Crew, other_crew: Crew) -> None:
    body = entry("officer", uuid7(), area="bedford")
    await crew.officer.store(body)
    theirs = await other_crew.officer.put(changed(body, area="luton_east"))
    assert (theirs.status_code, theirs.json()["seq"]) == (201, 1)
    assert (await crew.officer.incident(body["incident_id"]))["area"] == "bedford"


async def test_an_id_in_the_body_must_equal_the_path(crew: Crew) -> None:
    body = entry("officer", uuid7())
    answer = await crew.officer.put_raw(uuid7(), msgspec.json.encode(body))
    assert refused(answer) == (422, "invalid")
    assert fields(answer.json()) == ["id"]
    without = {name: value for name, value in body.items() if name != "id"}
    assert (await crew.officer.put_raw(body["id"], msgspec.json.encode(without))).status_code == 201


# --- who may write what ---


@pytest.mark.parametrize(
    ("kind", "writers"),
    [
        ("officer", {"officer", "sergeant"}),
        ("intent", {"officer", "sergeant"}),
        ("nurse", {"nurse", "clinical_lead"}),
        ("paramedic", {"paramedic"}),
        ("outcome", {"officer", "sergeant", "nurse", "clinical_lead", "paramedic"}),
        ("follow_up", {"officer", "sergeant", "nurse", "clinical_lead", "paramedic"}),
    ],
)
async def test_contacts_and_intents_come_from_their_own_profession(crew: Crew, kind: str, writers: set[str]) -> None:
    for name in ("officer", "sergeant", "nurse", "clinical_lead", "paramedic"):
        answer = await getattr(crew, name).put(entry(kind, uuid7()))
        if name in writers:
            assert answer.status_code == 201, name
        else:
            assert refused(answer) == (403, "wrong_profession"), name


async def test_roles_without_incidents_write_none(crew: Crew) -> None:
    for phone in (crew.partner, crew.auditor, crew.admin):
        assert refused(await phone.put(entry("outcome", uuid7()))) == (403, "forbidden")
    assert await crew.fetch("SELECT 1 FROM quarantine WHERE team_id = $1") == []


async def test_a_refused_entry_is_kept_in_quarantine_once(crew: Crew) -> None:
    wrong = entry("nurse", uuid7())
    for _ in range(2):
        assert refused(await crew.officer.put(wrong)) == (403, "wrong_profession")
    impossible = entry("officer", uuid7(), age=131)
    assert refused(await crew.officer.put(impossible)) == (422, "invalid")
    broken = uuid7()
    assert refused(await crew.officer.put_raw(broken, b'{"kind": "officer"')) == (400, "malformed")
    assert await quarantined(crew) == [
        (wrong["id"], "wrong_profession"),
        (impossible["id"], "invalid"),
        (str(broken), "malformed"),
    ]


async def test_what_is_quarantined_is_sealed(crew: Crew) -> None:
    await crew.officer.put(entry("officer", uuid7(), age=131, car="atlantis"))
    [row] = await crew.fetch("SELECT sealed, problem FROM quarantine WHERE team_id = $1")
    assert b"atlantis" not in row["sealed"] and "atlantis" not in row["problem"]


# --- amendments and withdrawals ---


async def test_an_amendment_replaces_the_content_and_the_original_stays_readable(crew: Crew) -> None:
    incident = uuid7()
    original = await crew.officer.tell("outcome", incident, disposal="community_follow_up")
    amendment = await crew.officer.tell(
        "amendment", incident, amends=original["id"], entry={"kind": "outcome", "disposal": "carer_or_home"}
    )
    assert (await crew.officer.incident(incident))["outcome"]["disposal"] == "carer_or_home"
    first, second = await crew.officer.entries(incident)
    assert first["disposal"] == "community_follow_up"
    assert first["amendments"] == [{"id": amendment["id"], "seq": 2, "how": "amends"}]
    assert second["entry"]["disposal"] == "carer_or_home"


async def test_only_the_author_or_the_lead_of_his_profession_changes_an_entry(crew: Crew) -> None:
    incident = uuid7()
    police = await crew.officer.tell("officer", incident, sex="male")
    nursing = await crew.nurse.tell("nurse", incident, sex="male")
    for phone, target in (
        (crew.other_officer, police),
        (crew.nurse, police),
        (crew.clinical_lead, police),
        (crew.officer, nursing),
        (crew.sergeant, nursing),
        (crew.other_nurse, nursing),
        (crew.paramedic, nursing),
    ):
        withdrawal = entry("withdrawal", incident, withdraws=target["id"])
        assert refused(await phone.put(withdrawal)) == (403, "not_yours")
        content = {"kind": target["kind"], "sex": "female"}
        assert refused(await phone.put(entry("amendment", incident, amends=target["id"], entry=content))) == (
            403,
            "not_yours",
        )
    await crew.sergeant.tell("amendment", incident, amends=police["id"], entry={"kind": "officer", "sex": "female"})
    await crew.clinical_lead.tell("amendment", incident, amends=nursing["id"], entry={"kind": "nurse", "sex": "female"})
    assert (await crew.officer.incident(incident))["sex"] == "female"


@pytest.mark.parametrize("kind", ["outcome", "detention"])
async def test_what_health_sees_of_the_police_is_not_theirs_to_change(crew: Crew, kind: str) -> None:
    incident = uuid7()
    police = await crew.officer.tell(kind, incident)
    content = {name: value for name, value in police.items() if name not in ("id", "incident_id", "captured_at")}
    content.pop("codes_version")
    for phone in (crew.nurse, crew.paramedic, crew.clinical_lead):
        withdrawal = entry("withdrawal", incident, withdraws=police["id"])
        amendment = entry("amendment", incident, amends=police["id"], entry=content)
        assert refused(await phone.put(withdrawal)) == (403, "not_yours")
        assert refused(await phone.put(amendment)) == (403, "not_yours")


async def test_nobody_but_its_author_changes_a_judgement(crew: Crew) -> None:
    incident = uuid7()
    nursing = await crew.nurse.tell("nurse", incident, s136_justified="yes", told_intent=False)
    changing = entry("amendment", incident, amends=nursing["id"], entry={"kind": "nurse", "s136_justified": "no"})
    answer = await crew.clinical_lead.put(changing)
    assert refused(answer) == (403, "not_yours")
    assert fields(answer.json()) == ["entry.s136_justified"]
    assert (await crew.nurse.put(changing)).status_code == 201
    repeating = {"kind": "nurse", "s136_justified": "no", "area": "bedford"}
    await crew.clinical_lead.tell("amendment", incident, amends=nursing["id"], entry=repeating)
    assert (await crew.nurse.incident(incident))["area"] == "bedford"


async def test_an_amendment_keeps_the_kind_of_what_it_amends(crew: Crew) -> None:
    incident = uuid7()
    body = await crew.officer.tell("officer", incident)
    other_kind = entry("amendment", incident, amends=body["id"], entry={"kind": "outcome", "disposal": "signposted"})
    answer = await crew.officer.put(other_kind)
    assert (refused(answer), fields(answer.json())) == ((422, "invalid"), ["entry.kind"])


async def test_an_amendment_belongs_to_the_incident_of_what_it_amends_whatever_id_it_is_sent_under(crew: Crew) -> None:
    here, there = uuid7(), uuid7()
    body = await crew.officer.tell("officer", here, area="bedford")
    amendment = entry("amendment", there, amends=body["id"], entry={"kind": "officer", "area": "luton_east"})
    receipt = await crew.officer.store(amendment)
    assert ("target_not_held", "amends") not in notice_codes(receipt)
    assert (receipt["incident_id"], receipt["incident"]["id"]) == (str(here), str(here))
    assert (await crew.officer.incident(here))["area"] == "luton_east"
    assert (await crew.officer.get(f"/v1/incidents/{there}")).status_code == 404


async def test_an_amendment_sent_under_a_linked_id_stays_with_its_entry_when_the_two_are_parted(crew: Crew) -> None:
    first, second = sorted((uuid7(), uuid7()))
    await crew.officer.tell("officer", first, area="bedford")
    outcome = await crew.officer.tell("outcome", second, disposal="signposted")
    await crew.officer.tell("same_incident", first, other_incident_id=second)
    corrected = {"kind": "outcome", "disposal": "carer_or_home"}
    await crew.officer.store(entry("amendment", first, amends=outcome["id"], entry=corrected))
    await crew.officer.tell("not_same_incident", first, other_incident_id=second)
    assert (await crew.officer.incident(second))["outcome"]["disposal"] == "carer_or_home"
    assert (await crew.officer.incident(first))["outcome"] is None


async def test_an_amendment_moves_to_its_entry_s_incident_when_that_arrives_and_cursors_bring_both(crew: Crew) -> None:
    here, there = uuid7(), uuid7()
    original = entry("officer", here, area="bedford")
    await crew.officer.tell("outcome", there)
    waiting = entry("amendment", there, amends=original["id"], entry={"kind": "officer", "area": "luton_east"})
    receipt = await crew.officer.store(waiting)
    assert ("target_not_held", "amends") in notice_codes(receipt)
    assert receipt["incident"]["id"] == str(there)
    cursor = (await crew.sergeant.sync())["cursor"]
    assert (await crew.officer.store(original))["incident"]["area"] == "luton_east"
    brought = {
        incident["id"]: incident["revision"] for incident in (await crew.sergeant.sync(cursor=cursor))["incidents"]
    }
    assert brought == {str(here): 2, str(there): 1}
    assert [entry["id"] for entry in await crew.officer.entries(there)] != [waiting["id"]]


async def test_an_amendment_that_comes_before_its_original_is_held_visible_and_takes_effect_later(crew: Crew) -> None:
    incident = uuid7()
    original = entry("officer", incident, area="bedford", sex="male")
    amendment = entry("amendment", incident, amends=original["id"], entry={"kind": "officer", "area": "luton_east"})
    receipt = await crew.officer.store(amendment)
    assert ("target_not_held", "amends") in notice_codes(receipt)
    assert [entry["id"] for entry in await crew.officer.entries(incident)] == [amendment["id"]]
    receipt = await crew.officer.store(original)
    assert receipt["incident"]["area"] == "luton_east"
    assert receipt["incident"]["sex"] is None


async def test_an_amendment_by_somebody_who_may_not_make_it_has_no_effect_when_the_original_comes(crew: Crew) -> None:
    incident = uuid7()
    original = entry("nurse", incident, area="bedford")
    amended = {"kind": "nurse", "area": "luton_east"}
    await crew.other_nurse.tell("amendment", incident, amends=original["id"], entry=amended)
    receipt = await crew.nurse.store(original)
    assert receipt["incident"]["area"] == "bedford"
    assert (await crew.officer.incident(incident))["area"] == "bedford"


async def test_an_amendment_of_what_was_withdrawn_is_stored_and_counts_once_it_is_in_force_again(crew: Crew) -> None:
    incident = uuid7()
    body = await crew.officer.tell("officer", incident, area="bedford")
    withdrawal = await crew.officer.tell("withdrawal", incident, withdraws=body["id"])
    amendment = entry("amendment", incident, amends=body["id"], entry={"kind": "officer", "area": "luton_east"})
    receipt = await crew.officer.store(amendment)
    assert (receipt["incident"]["status"], receipt["incident"]["area"]) == ("withdrawn", "unknown")
    await crew.officer.tell("withdrawal", incident, withdraws=withdrawal["id"])
    assert (await crew.officer.incident(incident))["area"] == "luton_east"


async def test_a_withdrawal_may_itself_be_withdrawn(crew: Crew) -> None:
    incident = uuid7()
    body = await crew.officer.tell("officer", incident, area="bedford")
    first = await crew.officer.tell("withdrawal", incident, withdraws=body["id"])
    assert (await crew.officer.incident(incident))["status"] == "withdrawn"
    second = await crew.officer.tell("withdrawal", incident, withdraws=first["id"])
    assert (await crew.officer.incident(incident))["status"] == "open"
    await crew.officer.tell("withdrawal", incident, withdraws=second["id"])
    assert (await crew.officer.incident(incident))["status"] == "withdrawn"
    assert len(await crew.officer.entries(incident)) == 4


# --- links ---


async def test_links_in_a_circle_are_one_incident_under_every_id(crew: Crew) -> None:
    ids = sorted(uuid7() for _ in range(3))
    for id_ in ids:
        await crew.officer.tell("officer", id_, area="bedford")
    for id_, next_one in zip(ids, ids[1:] + ids[:1], strict=True):
        await crew.officer.tell("same_incident", id_, other_incident_id=next_one)
    views = [await crew.officer.incident(id_) for id_ in ids]
    assert views[0] == views[1] == views[2]
    assert views[0]["id"] == str(ids[0])
    assert views[0]["linked_ids"] == [str(id_) for id_ in ids]
    assert [incident["id"] for incident in await crew.officer.incidents()] == [str(ids[0])]


async def test_one_link_of_a_circle_taken_back_leaves_them_joined_with_a_conflict(crew: Crew) -> None:
    ids = sorted(uuid7() for _ in range(3))
    for id_ in ids:
        await crew.officer.tell("officer", id_, area="bedford")
    for id_, next_one in zip(ids, ids[1:] + ids[:1], strict=True):
        await crew.officer.tell("same_incident", id_, other_incident_id=next_one)
    await crew.officer.tell("not_same_incident", ids[0], other_incident_id=ids[1], captured_at=now())
    view = await crew.sergeant.incident(ids[1])
    assert "conflict:link" in view["flags"]
    assert len(view["linked_ids"]) == 3


@pytest.mark.parametrize("how", ["not_same_incident", "withdrawal"])
@pytest.mark.parametrize("linked_from", [0, 1])
async def test_a_link_taken_back_leaves_two_incidents_for_everybody_who_had_one(
    crew: Crew, how: str, linked_from: int
) -> None:
    small, large = sorted(uuid7() for _ in range(2))
    here, there = (small, large) if linked_from == 0 else (large, small)
    await crew.officer.tell("officer", small, area="bedford", sex="female")
    await crew.officer.tell("officer", large, area="luton_east", sex="male")
    apart = {phone.staff_id: await phone.incident(small) for phone in (crew.officer, crew.nurse, crew.sergeant)}
    link = await crew.officer.tell("same_incident", here, other_incident_id=there)
    followers = (crew.officer, crew.nurse, crew.sergeant)
    for phone in followers:
        await phone.follow()
        assert list(phone.holds) == [str(small)]
    named = (
        {"other_incident_id": there, "captured_at": now()} if how == "not_same_incident" else {"withdraws": link["id"]}
    )
    await crew.officer.tell(how, here, **named)
    for phone in followers:
        await phone.follow()
        assert sorted(phone.holds) == [str(small), str(large)]
        for incident, area in ((small, "bedford"), (large, "luton_east")):
            view = await phone.incident(incident)
            assert (view["id"], view["area"], view["linked_ids"]) == (str(incident), area, [])
            assert view == phone.holds[str(incident)]
        assert (await phone.incident(small))["sex"] == apart[phone.staff_id]["sex"]


@pytest.mark.parametrize("how", ["not_same_incident", "withdrawal"])
@pytest.mark.parametrize("said_from", [0, 1])
async def test_two_incidents_stay_two_whichever_of_them_the_link_was_taken_back_from(
    crew: Crew, how: str, said_from: int
) -> None:
    small, large = ids = sorted(uuid7() for _ in range(2))
    await crew.officer.tell("officer", small, area="bedford")
    await crew.officer.tell("officer", large, area="luton_east")
    link = await crew.officer.tell("same_incident", small, other_incident_id=large)
    here, there = ids[said_from], ids[1 - said_from]
    named = {"withdraws": link["id"]} if how == "withdrawal" else {"other_incident_id": there}
    await crew.officer.tell(how, here, captured_at=now(), **named)
    for _ in range(2):
        for incident, area in ((small, "bedford"), (large, "luton_east")):
            receipt = await crew.nurse.store(entry("follow_up", incident))
            for view in (
                receipt["incident"],
                await crew.officer.incident(incident),
                await crew.sergeant.incident(incident),
            ):
                assert (view["id"], view["area"], view["linked_ids"]) == (str(incident), area, [])
    assert {incident["id"] for incident in (await crew.other_nurse.sync())["incidents"]} == {str(id_) for id_ in ids}
    await crew.officer.tell("same_incident", large, other_incident_id=small, captured_at=now())
    assert (await crew.officer.incident(large))["linked_ids"] == [str(id_) for id_ in ids]


async def test_a_link_of_three_taken_back_under_the_id_they_answer_to(crew: Crew) -> None:
    ids = sorted(uuid7() for _ in range(3))
    for id_ in ids:
        await crew.officer.tell("officer", id_)
    await crew.officer.tell("same_incident", ids[1], other_incident_id=ids[0])
    link = await crew.officer.tell("same_incident", ids[2], other_incident_id=ids[1])
    await crew.officer.tell("withdrawal", ids[0], withdraws=link["id"])
    for id_ in (*ids, *ids):
        receipt = await crew.officer.store(entry("follow_up", id_))
        assert receipt["incident"]["linked_ids"] == ([] if id_ == ids[2] else [str(i) for i in ids[:2]])


async def test_an_id_that_only_a_link_named_is_nobodys_once_the_link_is_taken_back(crew: Crew) -> None:
    empty, held = sorted(uuid7() for _ in range(2))
    await crew.officer.tell("officer", held, area="bedford")
    link = await crew.officer.tell("same_incident", held, other_incident_id=empty)
    await crew.nurse.follow()
    assert list(crew.nurse.holds) == [str(empty)]
    assert (await crew.nurse.incident(held))["id"] == str(empty)
    await crew.officer.tell("withdrawal", held, withdraws=link["id"])
    await crew.nurse.follow()
    assert list(crew.nurse.holds) == [str(held)]
    assert refused(await crew.nurse.get(f"/v1/incidents/{empty}")) == (404, "not_found")
    assert [incident["id"] for incident in await crew.nurse.incidents()] == [str(held)]
    await crew.officer.tell("officer", empty, area="luton_east")
    assert (await crew.nurse.incident(empty))["area"] == "luton_east"
    assert (await crew.nurse.incident(held))["area"] == "bedford"


async def test_who_was_one_with_a_linked_person_is_no_longer_of_that_person(crew: Crew) -> None:
    small, large = sorted(uuid7() for _ in range(2))
    person = uuid7()
    for incident in (small, large):
        await crew.officer.tell("officer", incident)
    await crew.officer.tell("person_link", small, person_id=person)
    link = await crew.officer.tell("same_incident", small, other_incident_id=large)
    of_person = "SELECT incident_id FROM incident_person WHERE team_id = $1"
    assert {row["incident_id"] for row in await crew.fetch(of_person)} == {small, large}
    await crew.officer.tell("withdrawal", large, withdraws=link["id"])
    assert {row["incident_id"] for row in await crew.fetch(of_person)} == {small}


async def test_an_id_that_only_a_withdrawn_link_named_concerns_nobody_and_changes_no_more(crew: Crew) -> None:
    held, empty, person = uuid7(), uuid7(), uuid7()
    await crew.officer.tell("officer", held)
    await crew.officer.tell("person_link", held, person_id=person)
    link = await crew.officer.tell("same_incident", held, other_incident_id=empty)
    await crew.officer.tell("withdrawal", held, withdraws=link["id"])
    of_person = "SELECT incident_id FROM incident_person WHERE team_id = $1"
    assert {row["incident_id"] for row in await crew.fetch(of_person)} == {held}
    of_empty = "SELECT seq, status FROM incident WHERE team_id = $1 AND id = $2"
    before = await crew.fetch(of_empty, empty)
    await crew.officer.tell("officer", held, area="bedford")
    assert await crew.fetch(of_empty, empty) == before


async def test_an_incident_cannot_be_linked_to_itself(crew: Crew) -> None:
    incident = uuid7()
    answer = await crew.officer.put(entry("same_incident", incident, other_incident_id=incident))
    assert (refused(answer), fields(answer.json())) == ((422, "invalid"), ["other_incident_id"])


# --- the limits ---


async def test_an_incident_takes_at_most_500_entries_and_the_501st_is_kept_in_quarantine(crew: Crew) -> None:
    incident = uuid7()
    answer = await crew.officer.sync(*(entry("follow_up", incident) for _ in range(499)))
    assert answer["counts"] == {"stored": 499, "duplicate": 0, "refused": 0, "quarantined": 0}
    last = entry("outcome", incident)
    receipt = await crew.officer.store(last)
    assert receipt["seq"] == 500
    over = entry("follow_up", incident)
    assert refused(await crew.officer.put(over)) == (409, "incident_full")
    assert await quarantined(crew) == [(over["id"], "incident_full")]
    assert (await crew.officer.put(last)).status_code == 200


# --- clocks ---


async def test_without_sent_at_the_skew_is_the_excess_over_the_time_of_receipt(crew: Crew) -> None:
    ahead = await crew.officer.store(entry("officer", uuid7(), captured_at=now() + 47 * MINUTE))
    assert 46 * 60_000 < ahead["clock_skew_ms"] <= 47 * 60_000
    assert notice_codes(ahead) == {("clock_skew", "captured_at"), ("captured_in_future", "captured_at")}
    assert "clock_skew" in ahead["incident"]["flags"]
    ordinary = await crew.officer.store(entry("officer", uuid7()))
    assert (ordinary["clock_skew_ms"], notice_codes(ordinary)) == (None, set())


async def test_a_phone_47_minutes_ahead_is_measured_both_times_kept_and_the_corrected_one_compared(crew: Crew) -> None:
    incident, wrong = uuid7(), now() + 47 * MINUTE
    body = entry("officer", incident, captured_at=wrong - MINUTE, occurred_at=wrong - 10 * MINUTE)
    receipt = await crew.officer.store(body, triage_sent_at=wrong.isoformat())
    assert abs(receipt["clock_skew_ms"] - 47 * 60_000) < 30_000
    assert ("clock_skew", "captured_at") in notice_codes(receipt)
    [held] = await crew.officer.entries(incident)
    assert held["captured_at"] == body["captured_at"]
    assert held["clock_skew_ms"] == receipt["clock_skew_ms"]
    [row] = await crew.fetch("SELECT occurred_at FROM incident WHERE team_id = $1 AND NOT blind")
    assert abs(row["occurred_at"] - (now() - 10 * MINUTE)) < MINUTE


async def test_a_phone_set_to_2019_is_measured_flagged_and_its_incident_is_todays(crew: Crew) -> None:
    incident, wrong = uuid7(), datetime(2019, 1, 1, 0, 30, tzinfo=UTC)
    body = entry("officer", incident, captured_at=wrong, occurred_at=wrong - HOUR)
    answer = await crew.officer.sync(body, sent_at=wrong)
    assert answer["results"][0]["notices"][0]["code"] == "clock_skew"
    view = await crew.officer.incident(incident)
    [as_sent] = await crew.officer.entries(incident)
    assert as_sent["occurred_at"] == "2018-12-31T23:30:00Z"
    assert view["occurred_at"] >= (now() - 2 * HOUR).isoformat()
    assert "clock_skew" in view["flags"]
    assert view["operational_day"] >= (now() - 2 * DAY).date().isoformat()
    assert [incident["id"] for incident in await crew.officer.incidents(**{"from": (now() - DAY).isoformat()})] == [
        str(incident)
    ]


async def test_a_phone_that_stands_at_1970_is_corrected_and_flagged_and_what_its_user_typed_is_left(crew: Crew) -> None:
    incident, wrong = uuid7(), datetime(1970, 1, 1, 0, 30, tzinfo=UTC)
    body = entry("officer", incident, captured_at=wrong, occurred_at=wrong - 20 * MINUTE)
    typed = now() - 5 * MINUTE
    outcome = entry("outcome", incident, captured_at=wrong, decided_at=typed)
    assert refused(await crew.officer.put(body)) == (422, "invalid")
    receipt = await crew.officer.store(body, triage_sent_at=wrong.isoformat())
    assert notice_codes(receipt) == {("clock_skew", "captured_at")}
    answer = await crew.officer.sync(outcome, sent_at=wrong)
    assert answer["counts"]["stored"] == 1
    view = await crew.officer.incident(incident)
    assert abs(datetime.fromisoformat(view["occurred_at"]) - (now() - 20 * MINUTE)) < MINUTE
    assert datetime.fromisoformat(view["outcome"]["decided_at"]) == typed
    assert "clock_skew" in view["flags"]
    [as_sent, _] = await crew.officer.entries(incident)
    assert as_sent["captured_at"] == "1970-01-01T00:30:00Z"


async def test_a_time_that_is_impossible_once_it_is_corrected_is_refused(crew: Crew) -> None:
    wrong = now() + 73 * 365 * DAY
    body = entry("officer", uuid7(), captured_at=wrong, occurred_at=now() - 4 * DAY)
    answer = await crew.officer.put(body, triage_sent_at=wrong.isoformat())
    assert (refused(answer), fields(answer.json())) == ((422, "invalid"), ["occurred_at"])


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T00:00:00Z"])
async def test_an_impossible_clock_is_refused_whole(crew: Crew, sent_at: str) -> None:
    answer = await crew.officer.put(entry("officer", uuid7()), triage_sent_at=sent_at)
    assert refused(answer) == (400, "invalid_parameter")
    answer = await crew.officer.post_sync(entry("officer", uuid7()), sent_at=sent_at)
    assert refused(answer) == (422, "invalid")
    assert await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1") == []


@pytest.mark.parametrize("sent_at", ["2026-11-21T22:00:00", "yesterday", ""])
async def test_a_clock_that_cannot_be_read_is_refused(crew: Crew, sent_at: str) -> None:
    answer = await crew.officer.put(entry("officer", uuid7()), triage_sent_at=sent_at)
    assert refused(answer) == (400, "invalid_parameter")


@pytest.mark.parametrize("offset", ["+23:59", "-16:00", "+14:00"])
async def test_a_time_of_any_offset_is_stored_and_shown_in_utc(crew: Crew, offset: str) -> None:
    """PostgreSQL takes none beyond 15:59."""
    at = datetime.fromisoformat(f"2026-11-21T22:00:00{offset}")
    shown = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    receipt = await crew.officer.store(entry("officer", uuid7(), captured_at=at, occurred_at=at))
    assert receipt["incident"]["occurred_at"] == shown
    assert (await crew.officer.incident(UUID(receipt["incident_id"])))["occurred_at"] == shown


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("name", ["captured_at", "occurred_at"])
async def test_years_1_and_9999_are_impossible(crew: Crew, name: str, at: str) -> None:
    answer = await crew.officer.put(entry("officer", uuid7(), **{name: at}))
    assert (refused(answer), fields(answer.json())) == ((422, "invalid"), [name])


@pytest.mark.parametrize("sent_at", ["2000-01-01T00:00:00Z", "2100-12-31T00:00:00Z"])
async def test_a_clock_at_the_edge_of_what_is_possible_breaks_nothing(crew: Crew, sent_at: str) -> None:
    incident = uuid7()
    await crew.officer.store(
        entry("officer", incident, captured_at=sent_at, occurred_at=sent_at, intent=S136), triage_sent_at=sent_at
    )
    await crew.officer.store(
        entry("outcome", incident, captured_at="2100-12-31T00:00:00Z", decided_at="2000-01-01T00:00:00Z")
    )
    for phone in crew.field_and_leads:
        assert (await phone.incident(incident))["outcome"]["disposal"] == "community_follow_up"


# --- notices ---


async def test_a_retired_code_is_stored_and_read_as_todays_with_a_notice(
    crew: Crew, retired: tuple[str, str, str]
) -> None:
    name, code, replaced_by = retired
    incident = uuid7()
    receipt = await crew.officer.store(entry("officer", incident, **{name: code}))
    assert notice_codes(receipt) == {("retired_code", name)}
    assert receipt["incident"][name] == replaced_by


async def test_what_is_unlawful_is_stored_with_a_notice_and_put_before_the_sergeant(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, age=15, location_type="own_home")
    receipt = await crew.officer.store(
        entry("detention", incident, event="arrived_site", place_of_safety="police_station")
    )
    assert ("under_18_police_station", "place_of_safety") in notice_codes(receipt)
    assert "under_18_police_station" in (await crew.sergeant.incident(incident))["flags"]
    incidents = await crew.sergeant.incidents(flag="under_18_police_station")
    assert [incident["id"] for incident in incidents] == [str(incident)]


async def test_a_note_that_may_name_somebody_is_stored_and_its_author_told(crew: Crew) -> None:
    receipt = await crew.officer.store(entry("officer", uuid7(), note="Lives at LU1 2AB, call 07700 900123"))
    assert ("possible_identifier", "note") in notice_codes(receipt)
    assert "LU1" not in msgspec.json.encode(receipt["notices"]).decode()


async def test_notices_are_told_to_the_author_alone(crew: Crew) -> None:
    """They rest on what the author may see: another's could tell a nurse of an intent."""
    incident = uuid7()
    await crew.officer.store(entry("officer", incident, location_type="own_home", intent=S136))
    [own] = await crew.officer.entries(incident)
    assert {notice["code"] for notice in own["notices"]} == {"power_location_conflict"}
    for phone in crew.field_and_leads[1:]:
        [seen] = await phone.entries(incident)
        assert seen["notices"] == []


# --- the receipt ---


async def test_the_incident_in_a_receipt_is_the_one_that_is_served(crew: Crew) -> None:
    """Also where it has a likely duplicate, or a person whose other incidents grade it."""
    person = uuid7()
    earlier, later = uuid7(), uuid7()
    at = now() - 3 * DAY
    await crew.officer.tell("intent", earlier, captured_at=at, intent=S136 | {"formed_at": at})
    await crew.officer.tell(
        "officer", earlier, captured_at=at, occurred_at=at, log_ref="BP-9", location_type="street_or_park"
    )
    await crew.officer.tell("outcome", earlier, captured_at=at + HOUR, decided_at=at + HOUR)
    await crew.officer.tell("person_link", earlier, person_id=person)
    await crew.officer.tell("officer", later, occurred_at=at + 20 * HOUR, log_ref="BP-9", legal_status="s136")
    await crew.officer.tell("person_link", later, person_id=person)
    contact = entry("follow_up", earlier)
    for phone in (crew.sergeant, crew.officer):
        answers = [await phone.put(contact), await phone.put(contact)]
        served = await phone.incident(earlier)
        assert "possible_duplicate" in served["flags"]
        for answer in answers:
            assert answer.json()["incident"] == served
    assert (await crew.sergeant.incident(earlier))["diversion"]["s136"]["grade"] == "R"


async def test_seq_is_dense_and_ascending_whatever_was_refused_between(crew: Crew) -> None:
    incident = uuid7()
    seqs = []
    for _ in range(3):
        seqs.append((await crew.officer.store(entry("follow_up", incident)))["seq"])
        await crew.officer.put(entry("nurse", incident))
    assert seqs == [1, 2, 3]


# --- what a nurse can find out by guessing ---


async def test_a_nurse_who_guesses_an_intents_id_learns_nothing_beyond_that_the_id_is_taken(crew: Crew) -> None:
    incident = uuid7()
    intent = await crew.officer.tell("intent", incident)
    taken, free = UUID(intent["id"]), uuid7()
    answers = []
    for guess in (taken, free):
        withdrawal = entry("withdrawal", incident, withdraws=guess)
        amendment = entry("amendment", incident, amends=guess, entry={"kind": "outcome", "disposal": "signposted"})
        receipts = [await crew.nurse.store(withdrawal), await crew.nurse.store(amendment)]
        held = await crew.nurse.post("/v1/sync/held", {"ids": [guess]})
        answers.append(([notice_codes(receipt) for receipt in receipts], list(held.json().values())))
    assert [answers[0][0], answers[0][1][0]] == [answers[1][0], answers[1][1][0]]
    conflict = await crew.nurse.put(changed(entry("nurse", incident), id=taken))
    assert refused(conflict) == (409, "entry_conflict")
    assert "errors" not in conflict.json()
    same = await crew.nurse.put(intent)
    assert refused(same) == (403, "wrong_profession")
    elsewhere = await crew.nurse.store(entry("withdrawal", uuid7(), withdraws=taken))
    assert notice_codes(elsewhere) == {("target_not_held", "withdraws")}
    assert [entry["kind"] for entry in await crew.officer.entries(incident)].count("intent") == 1
    assert (await crew.officer.incident(incident))["intents"][0]["power"] == "s136"


async def test_a_duplicate_sent_by_somebody_else_brings_no_notices_of_its_author(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, location_type="own_home")
    outcome = entry("outcome", incident, disposal="s136_kept")
    assert ("power_location_conflict", "disposal") in notice_codes(await crew.officer.store(outcome))
    assert notice_codes((await crew.nurse.put(outcome)).json()) == set()


@pytest.fixture
def retired() -> tuple[str, str, str]:
    """A list, a code of it that was retired before today, and what replaced it."""
    return next(
        (name, row.code, row.replaced_by)
        for name, codelist in codes.changed().items()
        for row in codelist.codes.values()
        if row.replaced_by and codes.retired(name, row.code, now().date())
    )


@pytest.mark.parametrize("nothing", [UUID(int=0), UUID(int=2**128 - 1)])
async def test_the_nil_and_the_max_uuid_name_nothing(crew: Crew, nothing: UUID) -> None:
    body = entry("officer", uuid7())
    unnamed = {name: value for name, value in body.items() if name != "id"}
    for entry_id, sent in (
        (nothing, unnamed),
        (nothing, body | {"id": str(nothing)}),
        (body["id"], body | {"incident_id": str(nothing)}),
        (body["id"], entry("person_link", uuid7(), person_id=nothing) | {"id": body["id"]}),
    ):
        assert refused(await crew.officer.put_raw(entry_id, msgspec.json.encode(sent))) == (422, "invalid")


async def test_what_an_amendment_puts_in_its_place_must_be_of_ones_profession(crew: Crew) -> None:
    """A judgement by somebody who is no nurse, of an entry that nobody has seen, would show what nurses may not see."""
    judgement = {"kind": "nurse", "s136_justified": "cannot_say"}
    for phone in (crew.paramedic, crew.officer, crew.sergeant):
        body = entry("amendment", uuid7(), amends=uuid7(), entry=judgement)
        assert refused(await phone.put(body)) == (403, "not_yours")
    incident = uuid7()
    written = await crew.paramedic.tell("paramedic", incident)
    amended = {"kind": "paramedic", "news2": 3}
    await crew.clinical_lead.store(entry("amendment", incident, amends=written["id"], entry=amended))
