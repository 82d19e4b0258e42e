"""The synthetic months: repeatable, sound under the contract, and with every case in them."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TypeVar, get_args
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET
from support.cast import BEDFORDSHIRE
from support.story import whole_view

from triage import codes, times
from triage.demo import CAST, Callers, DemoEntry, bulk, generate
from triage.log import decode
from triage.log import entries as e
from triage.log.canonical import canonical, with_current_codes
from triage.log.incident import fold, person_events
from triage.log.links import components
from triage.log.view import Grade, IncidentView, Status
from triage.people.identifiers import normalise
from triage.people.notes import likely_identifiers

STARTS = date(2026, 10, 20)
HALF_A_YEAR_AGO = date(2026, 5, 20)
ENDS = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
MEMBERS = {member.key: member for member in CAST.members}
SEEDS = (1, 2, 3)
E = TypeVar("E", bound=e.Entry)


@cache
def a_month(seed: int = 1) -> tuple[DemoEntry, ...]:
    return tuple(generate(CAST, STARTS, ENDS, seed=seed))


@cache
def half_a_year() -> tuple[DemoEntry, ...]:
    return tuple(generate(CAST, HALF_A_YEAR_AGO, ENDS))


def sent_of(kind: type[e.Entry], log: tuple[DemoEntry, ...]) -> list[DemoEntry]:
    return [sent for sent in log if isinstance(sent.entry, kind)]


def of(kind: type[E], log: tuple[DemoEntry, ...]) -> list[E]:
    return [sent.entry for sent in log if isinstance(sent.entry, kind)]


def captured(sent: DemoEntry) -> datetime:
    """When it was captured, by the service's clock."""
    return sent.entry.captured_at - timedelta(milliseconds=sent.skew_ms)


def test_the_same_seed_tells_the_same_month() -> None:
    assert tuple(generate(CAST, STARTS, ENDS, seed=1)) == a_month(1)
    assert tuple(generate(CAST, STARTS, ENDS, seed=2)) != a_month(1)


def test_a_later_end_only_adds_to_what_began_long_before_the_end() -> None:
    longer = tuple(generate(CAST, STARTS, ENDS + timedelta(days=2)))
    settled = ENDS - timedelta(hours=36)

    def before(log: tuple[DemoEntry, ...]) -> list[DemoEntry]:
        return [sent for sent in log if sent.sent_at < settled]

    assert before(longer) == before(a_month())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_entry_is_one_the_service_takes(seed: int) -> None:
    for sent in a_month(seed):
        taken = decode.decode_item(msgspec.json.encode(sent.entry))
        assert msgspec.to_builtins(taken) == msgspec.to_builtins(sent.entry)


@pytest.mark.parametrize("seed", SEEDS)
def test_entries_come_in_order_of_receipt_by_the_end_and_after_they_were_captured(seed: int) -> None:
    log = a_month(seed)
    assert all(earlier.sent_at <= other.sent_at for earlier, other in pairwise(log))
    assert log[-1].sent_at <= ENDS
    assert min(sent.sent_at for sent in log) >= times.period_bounds(times.period_of("daily", STARTS))[0]
    assert all(captured(sent) <= sent.sent_at + timedelta(seconds=5) for sent in log)


@pytest.mark.parametrize("seed", SEEDS)
def test_ids_are_of_version_7_and_never_used_twice(seed: int) -> None:
    ids = [sent.entry.id for sent in a_month(seed)]
    assert len(set(ids)) == len(ids)
    assert {id_.version for id_ in ids if id_} == {7}
    for sent in a_month(seed):
        assert sent.entry.id
        assert sent.entry.id.int >> 80 == sent.entry.captured_at.timestamp() * 1_000


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_writes_only_what_his_profession_may(seed: int) -> None:
    for sent in a_month(seed):
        writes = {"officer": "police", "intent": "police", "nurse": "nurse", "paramedic": "paramedic"}
        kind = str(sent.entry.__struct_config__.tag)
        assert MEMBERS[sent.author].profession == writes.get(kind, MEMBERS[sent.author].profession)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_author_or_his_lead_changes_an_entry(seed: int) -> None:
    author = {sent.entry.id: MEMBERS[sent.author] for sent in a_month(seed)}
    for sent in sent_of(e.Amendment, a_month(seed)) + sent_of(e.Withdrawal, a_month(seed)):
        assert isinstance(sent.entry, (e.Amendment, e.Withdrawal))
        wrote = author[sent.entry.amends if isinstance(sent.entry, e.Amendment) else sent.entry.withdraws]
        lead = CAST.sergeant if wrote.profession == "police" else CAST.clinical_lead
        assert MEMBERS[sent.author] in (wrote, lead)


def test_half_a_year_has_the_mix_of_such_a_team() -> None:
    log = half_a_year()
    first = {contact.incident_id: contact for contact in reversed(of(e.Contact, log))}
    outcomes = Counter(outcome.disposal for outcome in of(e.Outcome, log))

    def share(number: int) -> float:
        return number / len(first)

    assert 3.6 <= len(first) / (ENDS.date() - HALF_A_YEAR_AGO).days <= 4.8
    assert 5 <= share(len(log)) <= 6.8
    assert 0.09 <= share(outcomes["s136_removed"] + outcomes["s136_kept"]) <= 0.15
    assert 0.52 <= share(sum((contact.area or "").startswith("luton") for contact in first.values())) <= 0.72
    assert 0.05 <= share(sum(contact.area is None for contact in first.values())) <= 0.1
    assert 0.8 <= share(len(of(e.Nurse, log))) <= 1
    assert 0.55 <= share(len(of(e.Paramedic, log))) <= 0.85
    assert 0.3 <= share(outcomes["community_follow_up"] + outcomes["carer_or_home"]) <= 0.5
    assert 0.05 <= share(outcomes["ed_voluntary"]) <= 0.2
    assert 0.005 <= share(outcomes["arrest_custody"]) <= 0.03


def test_shifts_cross_midnight() -> None:
    starts = {contact.occurred_at for contact in of(e.Contact, half_a_year()) if contact.occurred_at}
    hours = {at.astimezone(times.LONDON).hour for at in starts if at.year == ENDS.year}
    assert hours >= {14, 22, 23, 0, 1}


def test_phones_are_out_of_step_and_out_of_coverage() -> None:
    log = a_month()
    skewed = Counter(round(sent.skew_ms / 60_000) for sent in log)
    assert skewed[0] > 0.95 * len(log)
    assert skewed[47] >= 2
    assert any(sent.entry.captured_at.year == 2019 for sent in log)
    assert sum(sent.sent_at - captured(sent) > timedelta(hours=3) for sent in log) >= 3
    assert any(sent.device == 1 for sent in log)


def test_something_is_still_running_at_the_end() -> None:
    log = a_month()
    ended = {event.incident_id for event in of(e.Detention, log) if event.event == "ended"}
    arrived = [event for event in of(e.Detention, log) if event.event == "arrived_site"]
    left = [event.at + timedelta(hours=24) - ENDS for event in arrived if event.incident_id not in ended]
    assert any(timedelta(0) < time_left < timedelta(hours=4) for time_left in left)
    assert any(time_left < timedelta(0) for time_left in left)
    lately = {sent.entry.incident_id for sent in log if sent.sent_at > ENDS - timedelta(hours=3)}
    assert lately - {outcome.incident_id for outcome in of(e.Outcome, log)}


def held(log: tuple[DemoEntry, ...]) -> list[e.StoredEntry]:
    """The log as the service holds it. Nobody was shown an intent, so every judgement counts as blind."""
    keys = list(MEMBERS)
    return [
        e.StoredEntry(
            seq=seq,
            id=sent.entry.id or UUID(int=0),
            entry=with_current_codes(sent.entry),
            received_at=sent.sent_at,
            author=UUID(int=keys.index(sent.author) + 1),
            profession=MEMBERS[sent.author].profession,
            role=MEMBERS[sent.author].role,
            skew_ms=sent.skew_ms,
            blind=isinstance(sent.entry, e.Nurse),
        )
        for seq, sent in enumerate(log, 1)
    ]


@cache
def views(seed: int) -> tuple[IncidentView, ...]:
    """Every incident of the month, links followed, as it stands at its end for somebody who sees everything."""
    entries = held(a_month(seed))
    statements = [entry for entry in entries if isinstance(entry.entry, e.SameIncident | e.NotSameIncident)]
    root = {id_: component.id for component in components(statements) for id_ in component.incident_ids}
    groups: dict[UUID, list[e.StoredEntry]] = {}
    for entry in entries:
        groups.setdefault(root.get(entry.entry.incident_id, entry.entry.incident_id), []).append(entry)
    alone = {id_: fold(group, terms=BEDFORDSHIRE) for id_, group in groups.items()}
    related = {
        id_: [
            event
            for other in alone.values()
            if other is not own and set(own.people) & set(other.people)
            for event in person_events(other)
        ]
        for id_, own in alone.items()
    }
    return tuple(whole_view(fold(group, related[id_], terms=BEDFORDSHIRE), ENDS) for id_, group in groups.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_reaches_every_grade_and_every_reason_for_none(seed: int) -> None:
    diversions = [view.diversion for view in views(seed) if view.diversion is not UNSET]
    s136 = {graded.s136.grade or graded.s136.reason for graded in diversions}
    custody = {graded.custody.grade or graded.custody.reason for graded in diversions}
    grades, reasons = set(get_args(Grade)), {"none", "used", "substituted", "not_safe", "not_seen"}
    assert s136 == grades | reasons | {"corrected"}
    assert custody == grades | reasons
    assert {graded.s136.window for graded in diversions} >= {None, "checked", "not_traceable"}
    assert {graded.custody.sub_type for graded in diversions} == {None, "pre_arrest", "post_arrest"}
    assert {graded.ed_avoided for graded in diversions} == {None, True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_raises_what_somebody_must_look_at(seed: int) -> None:
    assert {view.status for view in views(seed)} == set(get_args(Status))
    assert {flag for view in views(seed) for flag in view.flags} >= {
        "clock_running",
        "clock_skew",
        "conflict:disposal",
        "conflict:presenting",
        "expiry_passed_no_end",
        "intent_withdrawn",
        "invalid_extension",
        "late",
        "mca_by_police",
        "outcome_overdue",
        "power_location_conflict",
        "power_not_held",
        "under_18",
        "under_18_police_station",
    }
    assert any(len(view.linked_ids) == 2 for view in views(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_has_every_case_of_recording(seed: int) -> None:
    log = a_month(seed)
    assert {type(sent.entry) for sent in log} == set(e.AnyEntry.__args__)
    assert any(sent.entry.test for sent in log)
    contacts, events = of(e.Contact, log), of(e.Detention, log)
    assert any(codes.retired("ethnicity", contact.ethnicity or "", ENDS.date()) for contact in contacts)
    assert Counter(link.person_id for link in of(e.PersonLink, log))[Callers(seed).regulars[0].id] >= 5
    incidents_of = {contact.log_ref: set[UUID]() for contact in contacts if contact.log_ref}
    for contact in contacts:
        if contact.log_ref:
            incidents_of[contact.log_ref].add(contact.incident_id)
    assert any(len(ids) == 2 for ids in incidents_of.values())
    assert {event.event for event in events} == {code.code for code in codes.list("detention_event")}
    assert {event.ground for event in events} == {None, "condition", "no_bed"}
    assert {event.power for event in events} == {"s135", "s136"}
    assert "police_station" in {event.place_of_safety for event in events}


def test_the_people_are_ones_the_service_can_look_up() -> None:
    linked = {link.person_id for link in of(e.PersonLink, a_month())}
    known = Callers(1).find(linked)
    assert {person.id for person in known} == linked
    assert all(normalise(person.identity, ENDS.date()) for person in known)
    identities = [person.identity for person in known]
    assert len({identity.nhs_number or identity.police_ref for identity in identities}) == len(identities)


def test_most_people_call_once_and_enough_are_known_for_a_partner_to_see_something() -> None:
    links = Counter(link.person_id for link in of(e.PersonLink, half_a_year()))
    contacts = {contact.incident_id for contact in of(e.Contact, half_a_year())}
    assert sum(links.values()) > 0.55 * len(contacts)
    assert sum(count == 1 for count in links.values()) > 0.7 * len(links)


def by_week(log: tuple[DemoEntry, ...]) -> list[int]:
    """How often s136 was used in each whole week."""
    used = [outcome for outcome in of(e.Outcome, log) if (outcome.disposal or "").startswith("s136")]
    weeks = Counter((outcome.captured_at.date() - HALF_A_YEAR_AGO).days // 7 for outcome in used)
    return [weeks[week] for week in range(max(weeks))]


def test_cases_are_spread_over_the_month_and_vary_in_number() -> None:
    weeks = by_week(half_a_year())
    assert weeks.count(0) <= 1 and max(weeks) <= 3 * sum(weeks) / len(weeks)
    every_fourth = [sum(weeks[start::4]) / len(weeks[start::4]) for start in range(4)]
    assert max(every_fourth) < 2 * min(every_fourth)


def test_after_a_change_of_model_s136_is_used_less() -> None:
    changes_on = date(2026, 8, 20)
    changed = tuple(generate(CAST, HALF_A_YEAR_AGO, ENDS, changes_on=changes_on))

    def uses(log: tuple[DemoEntry, ...]) -> tuple[int, int]:
        at = [o.captured_at.date() for o in of(e.Outcome, log) if (o.disposal or "").startswith("s136")]
        return sum(day < changes_on for day in at), sum(day >= changes_on for day in at)

    assert uses(changed)[0] == uses(half_a_year())[0]
    assert uses(changed)[1] < uses(half_a_year())[1]


def test_no_note_could_name_somebody() -> None:
    notes = {contact.note for contact in of(e.Contact, half_a_year()) if contact.note}
    assert len(notes) > 5
    assert not [note for note in notes if likely_identifiers(note)]


@pytest.mark.parametrize(("n_incidents", "years"), [(1, 1), (250, 2), (1_500, 0.5)])
def test_bulk_gives_so_many_incidents_in_order_of_receipt(n_incidents: int, years: float) -> None:
    copies = list(bulk(n_incidents, years))
    # two phones without signal may have made an id each for the same incident
    assert n_incidents <= len({copy.incident_id for copy in copies}) <= n_incidents * 1.06
    assert len({copy.id for copy in copies}) == len(copies)
    assert all(earlier.sent_at <= other.sent_at for earlier, other in pairwise(copies))
    assert copies[-1].sent_at - copies[0].sent_at <= timedelta(days=366 * years)
    for copy in copies:
        entry = decode.decode(copy.body, copy.id)
        assert (entry.incident_id, entry.__struct_config__.tag) == (copy.incident_id, copy.kind)
        assert canonical(entry).body == copy.body


def test_bulk_of_a_year_long_past_is_of_people_who_are_born() -> None:
    copies = list(bulk(150, 1, starts=date(2008, 1, 1)))
    entries = [decode.decode(copy.body, copy.id) for copy in copies]  # raises for an age below zero
    assert Counter(entry.captured_at.year for entry in entries).most_common(1)[0][0] == 2008
    assert len({entry.age for entry in entries if isinstance(entry, e.Contact) and entry.age}) > 10


def test_bulk_is_the_same_for_the_same_seed() -> None:
    assert list(bulk(150, 1, seed=4)) == list(bulk(150, 1, seed=4)) != list(bulk(150, 1, seed=5))
