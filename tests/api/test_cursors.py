"""What a phone that follows cursors holds: what it may, nothing missed, nothing kept too long.

Time is an argument of `sync.pull`, so that what changes by time alone is asked for and not waited for.
"""

import asyncio
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from support.cast import Json
from support.installation import InstalledService
from support.phones import DAY, HOUR, MINUTE, S136, Crew, Phone, RunningService, entry, now, refused
from uuid_utils.compat import uuid7

from triage.store.log import pull, review_lists
from triage.store.log.cursor import Cursor


class Follower:
    """A phone that pulls at instants of its own choosing."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.cursor: Cursor | None = None
        self.holds: dict[str, Json] = {}

    async def pull(self, at: datetime) -> tuple[set[str], set[str]]:
        """What came and what went."""
        service = self.phone.service
        came: set[str] = set()
        went: set[str] = set()
        more = True
        while more:
            actor = await self.phone.actor()
            start = await pull.begin(service.database, actor, self.cursor, at)
            told = await pull.pull(service.database, service.incidents, actor, self.cursor, at, start)
            views = [msgspec.json.decode(body) for body in told.incidents]
            self.holds |= {view["id"]: view for view in views}
            came |= {view["id"] for view in views}
            went |= {str(view) for view in told.gone}
            for incident_id in went:
                self.holds.pop(incident_id, None)
            self.cursor, more = told.cursor, told.more
        return came, went


async def followers(crew: Crew, at: datetime) -> list[Follower]:
    """Everybody who reads incidents, up to date at this instant."""
    followers = [Follower(phone) for phone in crew.field_and_leads]
    for follower in followers:
        await follower.pull(at)
    return followers


# --- what comes and what goes ---


async def test_a_phone_that_starts_afresh_gets_what_is_in_scope_in_pages(crew: Crew, small_pages: int) -> None:
    incidents = {str(uuid7()) for _ in range(2 * small_pages + 1)}
    for incident in incidents:
        await crew.officer.tell("officer", UUID(incident))
    seen: set[str] = set()
    sizes: list[int] = []
    cursor, more = None, True
    while more:
        told = await crew.nurse.sync(cursor=cursor)
        cursor, more = told["cursor"], told["more"]
        sizes.append(len(told["incidents"]))
        seen |= {incident["id"] for incident in told["incidents"]}
    assert seen == incidents
    assert sizes == [small_pages, small_pages, 1]


async def test_changes_come_in_pages_and_what_changed_between_two_pages_comes_too(crew: Crew, small_pages: int) -> None:
    incidents = [uuid7() for _ in range(2 * small_pages)]
    await crew.nurse.follow()
    for incident in incidents:
        await crew.officer.tell("officer", incident)
    first = await crew.nurse.sync(cursor=crew.nurse.cursor)
    assert first["more"] is True
    again = UUID(first["incidents"][0]["id"])
    await crew.officer.tell("officer", again, area="bedford")
    crew.nurse.cursor = first["cursor"]
    came = await crew.nurse.follow()
    assert sorted(came) == sorted(
        {str(incident) for incident in incidents} - {incident["id"] for incident in first["incidents"]} | {str(again)}
    )
    assert crew.nurse.holds[str(again)]["area"] == "bedford"


async def test_a_pull_without_news_is_empty(crew: Crew) -> None:
    await crew.officer.tell("officer", uuid7())
    await crew.nurse.follow()
    told = await crew.nurse.sync(cursor=crew.nurse.cursor)
    assert (told["incidents"], told["gone"], told["more"]) == ([], [], False)


async def test_the_senders_own_change_is_in_the_answer(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.follow()
    told = await crew.officer.sync(entry("officer", incident, area="bedford"), cursor=crew.officer.cursor)
    assert [(incident["id"], incident["area"]) for incident in told["incidents"]] == [(str(incident), "bedford")]


async def test_an_incident_absorbed_by_a_link_goes_and_its_root_comes(crew: Crew) -> None:
    small, large = sorted((uuid7(), uuid7()))
    for incident in (small, large):
        await crew.officer.tell("officer", incident)
    for phone in crew.field_and_leads:
        await phone.follow()
    await crew.officer.tell("same_incident", small, other_incident_id=large)
    for phone in crew.field_and_leads:
        told = await phone.sync(cursor=phone.cursor)
        assert [incident["linked_ids"] for incident in told["incidents"]] == [[str(small), str(large)]]
        assert told["gone"] == [str(large)]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("outcome", {"disposal": "deceased"}),
        ("follow_up", {"event": "died"}),
        ("detention", {"event": "ended", "result": "died"}),
    ],
)
async def test_after_a_death_the_incident_goes_from_field_phones_and_stays_with_the_leads(
    crew: Crew, kind: str, content: Json
) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    for phone in crew.field_and_leads:
        await phone.follow()
    body = entry(kind, incident, **content)
    receipt = await crew.sergeant.store(body)
    assert receipt["incident"]["id"] == str(incident)
    for phone in crew.field_and_leads:
        await phone.follow()
        lead = phone in (crew.sergeant, crew.clinical_lead)
        assert list(phone.holds) == ([str(incident)] if lead else [])
        if not lead:
            assert refused(await phone.get(f"/v1/incidents/{incident}")) == (404, "not_found")
            assert refused(await phone.get(f"/v1/incidents/{incident}/entries")) == (404, "not_found")
            assert await phone.incidents() == []
    await crew.sergeant.tell("withdrawal", incident, withdraws=body["id"])
    for phone in crew.field_and_leads:
        await phone.follow()
        assert list(phone.holds) == [str(incident)]


async def test_an_officer_who_records_a_death_is_told_that_it_is_stored_and_no_more(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    receipt = await crew.officer.store(entry("outcome", incident, disposal="deceased"))
    assert (receipt["status"], receipt["incident"]) == ("stored", None)


# --- time alone ---


async def test_what_leaves_scope_by_time_alone_goes(crew: Crew) -> None:
    """Open incidents after 28 days; others 72 hours after they changed."""
    at = now()
    still_open, closed = uuid7(), uuid7()
    await crew.officer.tell("officer", still_open, occurred_at=at - 20 * DAY)
    await crew.officer.tell("officer", closed, occurred_at=at - 20 * DAY)
    await crew.officer.tell("outcome", closed, decided_at=at - 20 * DAY)
    for follower in await followers(crew, at + MINUTE):
        assert set(follower.holds) == {str(still_open), str(closed)}
        assert (await follower.pull(at + 71 * HOUR))[1] == set()
        assert (await follower.pull(at + 73 * HOUR))[1] == {str(closed)}
        assert (await follower.pull(at + 7 * DAY))[1] == set()
        assert (await follower.pull(at + 8 * DAY + HOUR))[1] == {str(still_open)}
        fresh = Follower(follower.phone)
        await fresh.pull(at + 9 * DAY)
        assert fresh.holds == {}


async def test_what_went_comes_back_when_it_changes(crew: Crew) -> None:
    at = now()
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=at - 40 * DAY)
    follower = Follower(crew.nurse)
    await follower.pull(at + 80 * HOUR)
    assert follower.holds == {}
    await crew.officer.tell("follow_up", incident)
    await follower.pull(at + MINUTE)
    assert list(follower.holds) == [str(incident)]


async def test_an_outcome_overdue_comes_by_time_alone(crew: Crew) -> None:
    at = now()
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=at - 11 * HOUR)
    for follower in await followers(crew, at + MINUTE):
        assert "outcome_overdue" not in follower.holds[str(incident)]["flags"]
        assert (await follower.pull(at + 59 * MINUTE))[0] == set()
        assert (await follower.pull(at + 61 * MINUTE))[0] == {str(incident)}
        assert "outcome_overdue" in follower.holds[str(incident)]["flags"]
        assert (await follower.pull(at + 62 * MINUTE))[0] == set()


async def test_an_expiry_comes_by_time_alone(crew: Crew) -> None:
    at = now()
    incident = uuid7()
    await crew.officer.tell("officer", incident, occurred_at=at - 24 * HOUR)
    await crew.officer.tell("outcome", incident, disposal="s136_removed", decided_at=at - 24 * HOUR)
    await crew.officer.tell("detention", incident, at=at - 23 * HOUR)
    for follower in await followers(crew, at + MINUTE):
        assert "expiry_passed_no_end" not in follower.holds[str(incident)]["flags"]
        assert (await follower.pull(at + 2 * HOUR))[0] == {str(incident)}
        assert "expiry_passed_no_end" in follower.holds[str(incident)]["flags"]


async def test_a_grade_that_leaves_p_comes_to_those_who_see_grades(crew: Crew) -> None:
    at = now()
    incident = uuid7()
    decided = at - 23 * HOUR
    formed = decided - HOUR
    intent = S136 | {"formed_at": formed}
    await crew.officer.tell("officer", incident, captured_at=formed, location_type="street_or_park", occurred_at=formed)
    await crew.officer.tell("intent", incident, captured_at=formed, intent=intent)
    await crew.officer.tell("outcome", incident, captured_at=decided, decided_at=decided)
    sergeant = Follower(crew.sergeant)
    await sergeant.pull(at + MINUTE)
    assert sergeant.holds[str(incident)]["diversion"]["s136"]["grade"] == "P"
    await sergeant.pull(at + 2 * HOUR)
    assert sergeant.holds[str(incident)]["diversion"]["s136"]["grade"] == "B"


async def test_what_time_changes_comes_in_pages_too(crew: Crew, small_pages: int) -> None:
    at = now()
    incidents = {str(uuid7()) for _ in range(2 * small_pages + 1)}
    for incident in incidents:
        await crew.officer.tell("officer", UUID(incident), occurred_at=at - 11 * HOUR)
    follower = Follower(crew.officer)
    await follower.pull(at + MINUTE)
    assert (await follower.pull(at + 2 * HOUR))[0] == incidents
    assert all("outcome_overdue" in view["flags"] for view in follower.holds.values())


# --- cursors that are none ---


@pytest.mark.parametrize("cursor", ["rubbish", "=", "é", "A" * 80, "0", " ", "../..", "A" * 100_000])
async def test_a_cursor_that_is_none_is_400_and_nothing_is_taken(crew: Crew, cursor: str) -> None:
    answer = await crew.officer.post_sync(entry("officer", uuid7()), cursor=cursor)
    assert refused(answer) == (400, "cursor_malformed")
    assert await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1") == []


async def test_a_cursor_with_one_letter_changed_is_none(crew: Crew) -> None:
    cursor = (await crew.officer.sync())["cursor"]
    for place in range(0, len(cursor) - 1, 7):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert refused(await crew.officer.post_sync(cursor=changed)) == (400, "cursor_malformed")


async def test_a_cursor_of_another_team_is_unknown(crew: Crew, other_crew: Crew) -> None:
    await other_crew.officer.tell("officer", uuid7())
    await crew.officer.tell("officer", uuid7())
    cursor = (await other_crew.officer.sync())["cursor"]
    body = entry("officer", uuid7())
    answer = await crew.officer.post_sync(body, cursor=cursor)
    assert refused(answer) == (410, "cursor_unknown")
    assert answer.json()["resync"] is True
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1
    again = await crew.officer.sync(body, cursor=None)
    assert again["counts"]["stored"] == 1


# --- never missed, whatever commits at the same time ---


KINDS = (
    *("officer", "nurse", "nurse", "intent", "outcome", "detention", "amendment", "withdrawal", "withdrawal"),
    *("same_incident", "not_same_incident", "person_link"),
)


class RandomWriter:
    """Somebody who sends whatever a seed says about a few incidents."""

    def __init__(
        self, crew: Crew, processes: list[RunningService], seed: int, incidents: list[UUID], people: list[UUID]
    ):
        self.random = Random(seed)
        self.phones = [phone.on(process) for phone in crew.field_and_leads for process in processes]
        self.incidents = incidents
        self.people = people
        self.sent: list[tuple[Phone, Json]] = []

    async def write(self, times: int) -> None:
        for _ in range(times):
            phone = self.random.choice(self.phones)
            body = self.body()
            answer = await phone.put(body)
            if answer.status_code == 201:
                self.sent.append((phone, body))
            else:
                assert answer.status_code in (403, 422), answer.text

    def body(self) -> Json:
        incident = self.random.choice(self.incidents)
        kind = self.random.choice(KINDS)
        return entry(kind, incident, **self.content(kind, incident))

    def content(self, kind: str, incident: UUID) -> dict[str, Any]:
        pick = self.random.choice
        match kind:
            case "officer" | "nurse":
                shared = {"area": pick(["bedford", "luton_east"]), "log_ref": pick([None, "BP-1", "BP-2"])}
                judged = {"s136_justified": pick([None, "yes"])} if kind == "nurse" else {}
                return shared | judged | {"occurred_at": now() - pick([MINUTE, 13 * HOUR, 40 * DAY])}
            case "same_incident" | "not_same_incident":
                return {"other_incident_id": pick([other for other in self.incidents if other != incident])}
            case "person_link":
                return {"person_id": pick(self.people)}
            case "withdrawal":
                return {"withdraws": pick(self.sent)[1]["id"] if self.sent else uuid7()}
            case "amendment":
                entry = {"kind": "outcome", "disposal": pick(["signposted", "s136_removed", "deceased"])}
                return {"amends": pick(self.sent)[1]["id"] if self.sent else uuid7(), "entry": entry}
            case "outcome":
                return {"disposal": pick(["signposted", "s136_removed", "community_follow_up"])}
        return {}


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_follows_cursors_holds_what_a_fresh_phone_gets(
    crew: Crew, service: RunningService, another: RunningService, small_pages: int, seed: int
) -> None:
    incidents, people = [uuid7() for _ in range(8)], [uuid7() for _ in range(2)]
    processes = [service, another]
    writers = [RandomWriter(crew, processes, seed * 10 + n, incidents, people) for n in range(3)]
    following = [phone.on(processes[n % 2]) for n, phone in enumerate(crew.field_and_leads)]
    writing = asyncio.gather(*(writer.write(30) for writer in writers))
    while not writing.done():
        await asyncio.gather(*(phone.follow() for phone in following))
    await writing
    for phone in following:
        await phone.follow()
        fresh = phone.on(service)
        await fresh.follow()
        assert phone.holds == fresh.holds
        for incident, view in phone.holds.items():
            assert await fresh.incident(incident) == view


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pages of three, so that a few incidents fill several."""
    monkeypatch.setattr(pull, "PAGE", 3)
    return 3


async def test_a_cursor_of_another_epoch_is_unknown_before_anything_is_taken(installation: InstalledService) -> None:
    crew = installation.crew
    await crew.officer.tell("officer", uuid7())
    before = await crew.officer.sync()
    await crew.fetch("UPDATE installation SET epoch = gen_random_uuid() WHERE $1::uuid IS NOT NULL")
    body = entry("officer", uuid7())
    answer = await crew.officer.post_sync(body, cursor=before["cursor"])
    assert refused(answer) == (410, "cursor_unknown")
    assert answer.json()["resync"] is True
    assert len(await crew.fetch("SELECT 1 FROM entry WHERE team_id = $1")) == 1
    again = await crew.officer.sync(body, cursor=None)
    assert (again["counts"]["stored"], again["epoch"] == before["epoch"]) == (1, False)
    assert (await crew.officer.sync(cursor=again["cursor"]))["incidents"] == []


# --- what is moved by something hidden ---


async def linked_pair(crew: Crew) -> tuple[UUID, UUID]:
    """Two incidents of one person; nobody has judged in either."""
    person = (await crew.officer.post("/v1/people", {"police_ref": "B/123"})).json()["person_id"]
    pair = uuid7(), uuid7()
    for incident in pair:
        await crew.officer.tell("officer", incident)
        await crew.officer.tell("person_link", incident, person_id=person)
    return pair


async def test_a_later_arrest_moves_no_incident_of_the_person_for_those_who_may_not_know_of_it(crew: Crew) -> None:
    here, other = await linked_pair(crew)
    await crew.officer.tell("officer", other, legal_status="arrested", legal_status_at=now() - 20 * MINUTE)
    await crew.officer.tell("outcome", other, decided_at=now() - 10 * MINUTE)
    phones = (crew.nurse, crew.paramedic, crew.clinical_lead)
    for phone in (*phones, crew.sergeant):
        await phone.follow()
    await crew.officer.tell("follow_up", here, event="later_arrest", at=now() - 5 * MINUTE)
    for phone in phones:
        assert (await phone.sync(cursor=phone.cursor))["incidents"] == []
    assert str(other) in await crew.sergeant.follow()  # it reverses a grade
    await crew.officer.tell("follow_up", here, event="later_s136")  # what they may know of moves it
    for phone in phones:
        assert str(other) in await phone.follow()


async def test_a_later_arrest_elsewhere_shows_in_no_grade_to_a_blind_lead(crew: Crew) -> None:
    here, other = await linked_pair(crew)
    await crew.officer.tell("officer", other, legal_status="arrested", legal_status_at=now() - 20 * MINUTE)
    await crew.officer.tell("outcome", other, decided_at=now() - 10 * MINUTE)
    before = await crew.clinical_lead.incident(other)
    await crew.officer.tell("follow_up", here, event="later_arrest", at=now() - 5 * MINUTE)
    assert (await crew.sergeant.incident(other))["diversion"]["custody"]["grade"] == "R"
    assert await crew.clinical_lead.incident(other) == before


async def judged(crew: Crew) -> UUID:
    """An incident of which health accounts read what police read, for the nurse has judged; everybody holds it."""
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    await judged_in(crew, incident)
    return incident


async def judged_in(crew: Crew, incident: UUID) -> None:
    await crew.nurse.tell("nurse", incident, assessment="phone", s136_justified="cannot_say")
    for phone in crew.field_and_leads:
        await phone.follow()


HIDDEN: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "health": [
        ("a later arrest", {"by": "officer", "event": "later_arrest"}),
        ("a later arrest, told by a sergeant", {"by": "sergeant", "event": "later_arrest"}),
    ],
    "police": [
        ("a kept appointment", {"by": "nurse", "event": "kept", "referral": "crisis_team"}),
        ("an emergency department later", {"by": "clinical_lead", "event": "later_ed"}),
    ],
}


@pytest.mark.parametrize(
    ("side", "how"),
    [(side, how) for side, cases in HIDDEN.items() for _, how in cases],
    ids=lambda case: str(case)[:40],
)
async def test_what_is_hidden_from_a_side_moves_no_incident_for_it(crew: Crew, side: str, how: dict[str, Any]) -> None:
    incident = await judged(crew)
    before = [await phone.incident(incident) for phone in crew.field_and_leads]
    told = {name: value for name, value in how.items() if name != "by"}
    await getattr(crew, how["by"]).tell("follow_up", incident, **told)
    for phone, seen in zip(crew.field_and_leads, before, strict=True):
        pulled = await phone.sync(cursor=phone.cursor)
        hidden = (await phone.actor()).side == side
        assert (await phone.incident(incident) == seen) is hidden
        assert [view["id"] for view in pulled["incidents"]] == ([] if hidden else [str(incident)])
        assert pulled["gone"] == []


async def test_what_is_told_after_something_hidden_moves_it_once_for_whom_it_was_hidden(crew: Crew) -> None:
    incident = await judged(crew)
    for _ in range(2):
        await crew.officer.tell("follow_up", incident, event="later_arrest")
    assert (await crew.nurse.sync(cursor=crew.nurse.cursor))["incidents"] == []
    await crew.officer.tell("outcome", incident)
    await crew.officer.tell("follow_up", incident, event="later_arrest")
    [view] = (await crew.nurse.sync(cursor=crew.nurse.cursor))["incidents"]
    assert view["outcome"]["disposal"]
    await crew.nurse.follow()
    assert (await crew.nurse.sync(cursor=crew.nurse.cursor))["incidents"] == []


async def test_a_correction_that_hides_what_a_side_saw_moves_the_incident_for_it(crew: Crew) -> None:
    incident = uuid7()
    told = await crew.officer.tell("follow_up", incident, event="later_s136")
    await judged_in(crew, incident)
    content = {"kind": "follow_up", "event": "later_arrest", "at": now().isoformat()}
    await crew.officer.tell("amendment", incident, amends=told["id"], entry=content)
    [view] = (await crew.nurse.sync(cursor=crew.nurse.cursor))["incidents"]
    assert view["follow_ups"] == []


async def test_a_hidden_entry_that_changes_a_grade_moves_the_incident_for_leads_alone(crew: Crew) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident, legal_status="arrested", legal_status_at=now() - 30 * MINUTE)
    await crew.officer.tell("outcome", incident, decided_at=now() - 20 * MINUTE)
    await judged_in(crew, incident)
    await crew.officer.tell("follow_up", incident, event="later_arrest", at=now() - MINUTE)
    assert (await crew.nurse.sync(cursor=crew.nurse.cursor))["incidents"] == []
    [view] = (await crew.clinical_lead.sync(cursor=crew.clinical_lead.cursor))["incidents"]
    assert view["diversion"]["custody"]["grade"] == "R"


async def test_what_was_hidden_keeps_no_incident_longer_on_a_phone(crew: Crew) -> None:
    """It leaves the scope 72 hours after what its reader saw last, not after what was hidden from him."""
    incident = await judged(crew)
    await crew.nurse.tell("outcome", incident)
    await crew.nurse.follow()
    await crew.officer.tell("follow_up", incident, event="later_arrest")
    # the hours pass: what is stored of scopes is put back, as no test can wait
    await crew.fetch("UPDATE audience_position SET scope_until = now() WHERE team_id = $1")
    pulled = await crew.nurse.sync(cursor=crew.nurse.cursor)
    assert (pulled["incidents"], pulled["gone"]) == ([], [str(incident)])
    assert (await crew.nurse.sync())["incidents"] == []
    assert str(incident) in (view["id"] for view in (await crew.officer.sync())["incidents"])


@pytest.mark.parametrize("side", ["police", "health"])
async def test_a_correction_of_what_is_not_held_is_unlinked_for_its_own_side_alone(crew: Crew, side: str) -> None:
    incident = uuid7()
    await crew.officer.tell("officer", incident)
    await crew.nurse.tell("nurse", incident, assessment="phone", s136_justified="cannot_say")  # the lead is not blind
    author, kind = (crew.officer, "officer") if side == "police" else (crew.nurse, "nurse")
    await author.tell("amendment", incident, amends=uuid7(), entry={"kind": kind})
    service = crew.officer.service
    for phone, own in ((crew.sergeant, "police"), (crew.clinical_lead, "health")):
        actor = await phone.actor()
        listed = await review_lists.list_unlinked(service.database, service.incidents, actor, now())
        assert [view.id for view in listed.views] == ([incident] if own == side else [])
        assert listed.total == len(listed.views)
        ends = await review_lists.count_loose_ends(service.database, actor, now())
        assert ends.unlinked == listed.total


EVENTS = ("later_arrest", "later_s136", "later_ed", "kept", "seen_again", "serious_harm")
TOLD = ("officer", "nurse", "intent", "outcome", "follow_up", "follow_up", "amendment", "amendment", "withdrawal")


class Teller:
    """Writes a random story of one incident, with much in it that one side or the blind may not see."""

    def __init__(self, crew: Crew, seed: int, incident: UUID) -> None:
        self.random = Random(seed)
        self.incident = incident
        self.health = (crew.nurse, crew.paramedic, crew.clinical_lead)
        self.phones = (crew.officer, crew.sergeant, *self.health)
        self.crew = crew
        self.told: list[tuple[Phone, str, Json]] = []

    async def tell(self) -> None:
        kind = self.random.choice(TOLD)
        phone, content = self.crew.officer, self.content(kind)
        if kind in ("amendment", "withdrawal"):
            changeable = [each for each in self.told if each[1] in ("follow_up", "officer", "outcome")]
            if not changeable:
                return
            phone, of, target = self.random.choice(changeable)
            reference = "amends" if kind == "amendment" else "withdraws"
            content = {reference: target["id"]}
            content |= {"entry": {"kind": of} | self.content(of)} if kind == "amendment" else {}
        elif kind == "nurse":
            phone = self.crew.nurse
        elif kind not in ("officer", "intent"):
            phone = self.random.choice(self.phones)
        self.told.append((phone, kind, await phone.tell(kind, self.incident, **content)))

    def content(self, kind: str) -> Json:
        pick = self.random.choice
        match kind:
            case "officer":
                offence = pick([None, "alleged_minor"])
                return {
                    "area": "bedford",
                    "sex": pick(["male", "female"]),
                    "offence": offence,
                    "note": pick([None, "x"]),
                }
            case "nurse":
                return {"area": "bedford", "assessment": "phone", "s136_justified": pick([None, None, "yes"])}
            case "outcome":
                return {"disposal": "signposted", "decided_at": (now() - HOUR).isoformat()}
            case "follow_up":
                return {"event": pick(EVENTS), "at": (now() - MINUTE).isoformat()}
        return {}


async def shown_to(phone: Phone, incident: UUID) -> tuple[int, Any, Any]:
    """All that is served of an incident to whoever asks for it."""
    answer = await phone.get(f"/v1/incidents/{incident}")
    entries = await phone.get(f"/v1/incidents/{incident}/entries")
    return answer.status_code, answer.json(), entries.json()


@pytest.mark.parametrize("seed", [*range(6), 11, 50])
async def test_an_incident_moves_for_each_reader_exactly_where_something_that_is_served_differs(
    crew: Crew, seed: int
) -> None:
    incident = uuid7()
    teller = Teller(crew, seed, incident)
    phones = (crew.officer, crew.sergeant, crew.nurse, crew.other_nurse, crew.paramedic, crew.clinical_lead)
    seen = [await shown_to(phone, incident) for phone in phones]
    for phone in phones:
        await phone.follow()
    for _ in range(30):
        await teller.tell()
        for n, phone in enumerate(phones):
            pulled = await phone.sync(cursor=phone.cursor)
            phone.cursor = pulled["cursor"]
            shown = await shown_to(phone, incident)
            moved = [view["id"] for view in pulled["incidents"]] + pulled["gone"]
            same = (shown[0] != 200 and seen[n][0] != 200) or shown == seen[n]
            assert moved == ([] if same else [str(incident)]), (n, teller.told[-1][1:])
            seen[n] = shown
