"""Which incident ids are one incident, and whom an incident concerns."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from support.cast import BEDFORDSHIRE
from support.story import ANOTHER, COLLEAGUE, INCIDENT, NURSE, OFFICER, SERGEANT, Story

from triage.log.incident import fold
from triage.log.links import Component, component_of, components, families

A, B, C, D = (UUID(int=number) for number in range(1, 5))
ANNA, BEN = UUID(int=901), UUID(int=902)


class Statements(Story):
    def same(self, first: UUID, other: UUID, captured: float, by: UUID = NURSE) -> None:
        self.tell("same_incident", captured, by=by, incident_id=first, other_incident_id=other, reason="same_log")

    def apart(self, first: UUID, other: UUID, captured: float, by: UUID = NURSE) -> None:
        self.tell("not_same_incident", captured, by=by, incident_id=first, other_incident_id=other, reason="in_error")

    def take_back(self, number: int, incident: UUID, captured: float) -> None:
        stored = self.stored[number]
        self.tell(
            "withdrawal", captured, by=stored.author, incident_id=incident, withdraws=stored.id, reason="in_error"
        )

    def groups(self) -> list[tuple[UUID, ...]]:
        return [component.incident_ids for component in components(self.stored)]


def test_the_component_is_named_by_its_smallest_id() -> None:
    said = Statements()
    said.same(C, B, 1)
    said.same(A, C, 2)
    assert components(said.stored) == (Component(A, (A, B, C), False),)


def test_ids_joined_to_nothing_stand_alone() -> None:
    said = Statements()
    said.apart(B, A, 1)
    assert said.groups() == [(A,), (B,)]
    assert component_of(D, said.stored) == Component(D, (D,), False)


def test_the_latest_statement_about_a_pair_is_in_force_whichever_way_round() -> None:
    said = Statements()
    said.same(A, B, 1)
    said.apart(B, A, 2)
    assert said.groups() == [(A,), (B,)]
    said.same(A, B, 3)
    assert said.groups() == [(A, B)]


def test_latest_is_by_capture_not_by_arrival() -> None:
    said = Statements()
    said.apart(A, B, 5)
    said.same(A, B, 4)
    assert said.groups() == [(A,), (B,)]


def test_of_two_captured_at_once_the_larger_entry_id_is_in_force() -> None:
    said = Statements()
    said.same(A, B, 5)
    said.apart(A, B, 5)
    assert said.groups() == [(A,), (B,)]


def test_latest_is_by_the_services_clock() -> None:
    said = Statements()
    said.tell("same_incident", 60, skew_ms=59 * 60_000, incident_id=A, other_incident_id=B, reason="same_log")
    said.apart(A, B, 5)
    assert said.groups() == [(A,), (B,)]


def test_apart_yet_joined_through_a_third_is_a_conflict() -> None:
    said = Statements()
    said.same(A, B, 1)
    said.same(B, C, 2)
    said.apart(A, C, 3)
    assert components(said.stored) == (Component(A, (A, B, C), True),)


def test_a_statement_withdrawn_says_nothing() -> None:
    said = Statements()
    said.same(A, B, 1)
    said.take_back(0, B, 2)
    assert said.groups() == [(A,), (B,)]


def test_a_withdrawal_counts_only_once_a_statement_connects_it_with_what_it_withdraws() -> None:
    said = Statements()
    said.same(A, B, 1)
    said.take_back(0, C, 2)
    assert said.groups() == [(A, B)]
    said.apart(B, C, 3)
    assert said.groups() == [(A,), (B,), (C,)]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF")), max_size=8), st.data())
def test_a_familys_statements_alone_decide_within_it(pairs: list[tuple[bool, str, str]], data: st.DataObject) -> None:
    said = Statements()
    ids = {letter: UUID(int=number) for number, letter in enumerate("ABCDEF", 1)}
    for number, (same, first, other) in enumerate(pairs):
        if first != other:
            (said.same if same else said.apart)(ids[first], ids[other], number)
        elif said.stored:
            said.take_back(data.draw(st.integers(0, len(said.stored) - 1)), ids[first], number)
    family_of = families(said.stored)
    linked: list[Component] = []
    for family in set(family_of.values()):
        linked += components(stored for stored in said.stored if family_of.get(stored.entry.incident_id) == family)
    assert sorted(linked, key=lambda component: component.id) == list(components(said.stored))


@given(st.randoms(use_true_random=False))
def test_components_do_not_depend_on_the_order_of_statements(random: object) -> None:
    said = Statements()
    for number, (first, other) in enumerate([(A, B), (B, C), (C, D), (A, C), (B, D)]):
        said.same(first, other, number % 3)
        said.apart(first, other, number % 4)
    expected = components(said.stored)
    random.shuffle(said.stored)  # type: ignore[attr-defined]
    assert components(said.stored) == expected


# --- the incident of linked ids ------------------------------------------------------------------------------------


def two_ids() -> Statements:
    """An officer and a nurse who logged one incident under two ids."""
    story = Statements()
    story.officer(10, area="bedford", sex="male")
    story.nurse(20, incident_id=ANOTHER, area="bedford", sex="male")
    return story


def test_two_ids_joined_are_counted_once() -> None:
    story = two_ids()
    story.same(ANOTHER, INCIDENT, 30)
    view = story.view()
    assert (view.id, view.linked_ids) == (INCIDENT, (INCIDENT, ANOTHER))
    assert {contribution.profession for contribution in view.contributions} == {"police", "nurse"}
    assert view.flags == ("outcome_overdue",)


def test_an_incident_without_links_lists_none() -> None:
    story = Story()
    story.officer(10)
    assert story.view().linked_ids == ()


def test_an_undone_link_leaves_two() -> None:
    story = two_ids()
    story.same(ANOTHER, INCIDENT, 30)
    story.apart(ANOTHER, INCIDENT, 40)
    alone = [stored for stored in story.stored if stored.entry.incident_id == ANOTHER]
    assert fold(alone, terms=BEDFORDSHIRE).view.linked_ids == ()
    assert fold(alone, terms=BEDFORDSHIRE).id == ANOTHER


def test_a_conflict_of_links_is_flagged() -> None:
    story = Statements(A)
    story.officer(1)
    story.same(A, B, 1)
    story.same(B, C, 2)
    story.apart(A, C, 3)
    assert "conflict:link" in story.flags()


# --- people --------------------------------------------------------------------------------------------------------


def test_the_latest_statement_about_a_person_is_in_force() -> None:
    story = Story()
    story.tell("person_link", 10, person_id=ANNA, reason="identified_later")
    story.tell("person_link", 11, person_id=BEN, reason="identified_later")
    assert story.incident().people == (ANNA, BEN)
    story.tell("person_unlink", 12, person_id=ANNA, reason="wrong_person")
    assert story.incident().people == (BEN,)
    story.tell("person_unlink", 9, person_id=BEN, reason="wrong_person")
    assert story.incident().people == (BEN,)


def test_a_person_link_withdrawn_links_nobody() -> None:
    story = Story()
    link = story.tell("person_link", 10, by=OFFICER, person_id=ANNA, reason="identified_later")
    story.withdraw(link, 11, by=COLLEAGUE)
    assert story.incident().people == (ANNA,)
    story.withdraw(link, 12, by=SERGEANT)
    assert story.incident().people == ()
