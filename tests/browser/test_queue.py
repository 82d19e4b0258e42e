"""The queue: likely duplicates, records that disagree, the quarantine, and lists of what lacks something."""

from html import unescape

import pytest
from browsing import Browser, forms, signed_in, text
from scenes import reported_twice
from support.phones import HOUR, Crew, RunningService, entry, now
from uuid_utils.compat import uuid7

from triage.pages import queue
from triage.store.log import review_lists


async def test_two_sides_of_a_likely_duplicate_are_next_to_each_other(service: RunningService, crew: Crew) -> None:
    first, other = await reported_twice(crew)
    for reader in (crew.sergeant, crew.clinical_lead):
        async with signed_in(service, reader, crew.team_id) as browser:
            page = await browser.read("/review/queue")
        assert "May be one incident: 1" in page and str(first) in page and str(other) in page
        assert "Written by differs Police Nurse" in text(page)


async def test_records_that_disagree_are_next_to_each_other(service: RunningService, crew: Crew) -> None:
    incident = uuid7()
    wrong = await crew.officer.tell("officer", incident, area="bedford", sex="male")
    await crew.nurse.tell("nurse", incident, area="bedford", sex="female")
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        said = text(await sergeant.read("/review/queue"))
        assert "Records that disagree: 1" in said and "Male" in said and "Female" in said
        on_its_page = text(await sergeant.read(f"/review/incidents/{incident}"))
        assert "Records disagree on sex" in on_its_page and "(shown)" in on_its_page
        right = {name: wrong[name] for name in ("kind", "area")} | {"sex": "female"}
        await crew.officer.tell("amendment", incident, amends=wrong["id"], entry=right)
        assert "Records that disagree" not in text(await sergeant.read("/review/queue"))


async def quarantined(crew: Crew) -> str:
    """An entry that came from a nurse's phone under an id already taken by other content: refused, and kept."""
    body = entry("nurse", uuid7(), area="bedford", sex="female")
    await crew.nurse.store(body)
    assert (await crew.nurse.put(body | {"sex": "male"})).status_code == 409
    return str(body["incident_id"])


async def item_id(browser: Browser) -> str:
    [path] = [to for to, _ in forms(await browser.read("/review/queue")) if to.endswith("/release")]
    return path.split("/")[3]


async def discard_path(browser: Browser) -> str:
    [path] = [to for to, _ in forms(await browser.read("/review/queue")) if to.endswith("/discard")]
    return path


async def test_each_side_has_a_quarantine_of_its_own(service: RunningService, crew: Crew) -> None:
    await quarantined(crew)
    async with (
        signed_in(service, crew.sergeant, crew.team_id) as sergeant,
        signed_in(service, crew.clinical_lead, crew.team_id) as lead,
    ):
        item = await item_id(lead)
        page = await sergeant.read("/review/queue")
        assert item not in page and "What was sent" not in page
        csrf = forms(page)[0][1]["csrf"]
        for action in ("release", "discard"):
            answer = await sergeant.send(f"/review/quarantine/{item}/{action}", {"csrf": csrf})
            assert answer.status_code == 404
        assert item == await item_id(lead)
        assert "1 in quarantine" in text(await lead.read("/review"))
        assert "in quarantine" not in text(await sergeant.read("/review"))


async def test_what_was_sent_stands_beside_what_is_stored(service: RunningService, crew: Crew) -> None:
    await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        said = text(await lead.read("/review/queue"))
    assert "What was sent, and what is stored" in said and "Sex Male Female" in said


async def test_release_puts_it_into_the_log_as_its_authors_once(service: RunningService, crew: Crew) -> None:
    incident = await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page, path = await lead.read("/review/queue"), f"/review/quarantine/{await item_id(lead)}/release"
        assert (await lead.press(page, path)).headers["location"] == "/review/queue"
        assert "Released into the log." in text(await lead.read("/review/queue"))
        assert (await lead.press(page, path)).status_code == 409
    written = [entry for entry in await crew.clinical_lead.entries(incident) if entry["kind"] == "nurse"]
    assert [entry["released_by"] for entry in written] == [None, str(crew.clinical_lead.staff_id)]


async def test_discard_lets_it_go_for_good(service: RunningService, crew: Crew) -> None:
    incident = await quarantined(crew)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page = await lead.read("/review/queue")
        assert (await lead.press(page, await discard_path(lead))).headers["location"] == "/review/queue"
        assert "What was sent" not in await lead.read("/review/queue")
    assert len(await crew.clinical_lead.entries(incident)) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"not json <i>",
        b"[1, [2]]",
        b'{"": {"": "<i>"}, "kind": ["nurse"], "note": 3, "presenting": [[[[[[[1]]]]]]]}',
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"id": "nobody", "kind": "nurse", "captured_at": "9999-12-31T23:59:59-12:00", "age": 1e400}',
        b'{"age": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
    ],
)
async def test_whatever_was_refused_can_be_looked_at_and_discarded(
    service: RunningService, crew: Crew, sent: bytes
) -> None:
    assert (await crew.nurse.put_raw(uuid7(), sent)).status_code in (400, 422)
    async with signed_in(service, crew.clinical_lead, crew.team_id) as lead:
        page = await lead.read("/review/queue")
        assert "What was sent" in page and "<i>" not in page
        await lead.press(page, await discard_path(lead))
        assert "What was sent" not in await lead.read("/review/queue")


async def test_the_queue_counts_all_that_waits_and_pages_the_quarantine(
    service: RunningService, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs, records that disagree and quarantined items beyond the first page of what the database gives."""
    for constant in ("PAGE", "ACTIONS_AT_ONCE"):
        monkeypatch.setattr(review_lists, constant, 2)
    monkeypatch.setattr(queue, "QUARANTINED", 2)
    for n in range(3):
        at = now() - (n + 1) * HOUR
        for _ in range(2):
            await crew.officer.tell("officer", uuid7(), occurred_at=at, area="bedford", log_ref=f"BP-{n}")
        disputed = uuid7()
        await crew.officer.tell("officer", disputed, occurred_at=at - 20 * HOUR, area="luton_east", sex="female")
        await crew.other_officer.tell("officer", disputed, occurred_at=at - 20 * HOUR, area="luton_east", sex="male")
        await crew.officer.put(entry("officer", uuid7(), age=131))
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        first = await sergeant.read("/review/queue")
        assert "May be one incident: 3" in first
        assert "Records that disagree: 3" in first
        assert "In quarantine: 3" in first and "This page holds 2 of 3." in first
        address = unescape(first.partition('href="/review/queue?after=')[2].partition("#")[0])
        rest = await sergeant.read(f"/review/queue?after={address}")
        assert "This page holds 1 of 3." in rest and "Next page" not in rest
        assert (await sergeant.open("/review/queue?after=nowhere")).status_code == 404


@pytest.mark.parametrize("need", ["unlinked", "person"])
async def test_a_list_of_what_lacks_something_goes_beyond_its_first_page(
    service: RunningService, crew: Crew, monkeypatch: pytest.MonkeyPatch, need: str
) -> None:
    monkeypatch.setattr(review_lists, "PAGE", 2)
    for _ in range(5):
        await crew.officer.tell("intent" if need == "unlinked" else "officer", uuid7())
    async with signed_in(service, crew.sergeant, crew.team_id) as sergeant:
        assert "5 incidents" in text(await sergeant.read(f"/review/incidents?need={need}"))
        assert "0 incidents" in text(await sergeant.read(f"/review/incidents?need={need}&area=bedford"))
