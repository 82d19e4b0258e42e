"""Who counts as one person, from the links in the log."""

from uuid import UUID

from support.story import Story

from triage.exports.identities import identities

HEALTH, POLICE, THIRD, FOURTH = (UUID(int=n) for n in (1, 2, 3, 4))
NOBODY = UUID(int=99)
REGISTERED = {HEALTH: (HEALTH, 1), POLICE: (POLICE, 2), THIRD: (THIRD, 1), FOURTH: (FOURTH, 2)}


def story(*links: tuple[int, UUID]) -> Story:
    told = Story()
    for incident, person in links:
        told.tell("person_link", 10, incident_id=UUID(int=1000 + incident), person_id=person, reason="identified")
    return told


def test_an_id_that_nobody_registered_is_nobody() -> None:
    assert NOBODY not in identities(story((1, NOBODY)).stored, REGISTERED)


def test_ids_linked_to_one_incident_are_one_person_known_by_both_kinds() -> None:
    people = identities(story((1, HEALTH), (1, POLICE), (2, THIRD)).stored, REGISTERED)
    assert people[HEALTH] == people[POLICE] == (HEALTH, 3)
    assert people[THIRD] == (THIRD, 1)


def test_a_chain_of_incidents_is_one_person() -> None:
    people = identities(story((1, FOURTH), (1, THIRD), (2, THIRD), (2, HEALTH)).stored, REGISTERED)
    assert {people[number] for number in (HEALTH, THIRD, FOURTH)} == {(HEALTH, 3)}


def test_a_link_that_was_taken_back_still_counts() -> None:
    told = story((1, HEALTH), (1, POLICE))
    told.withdraw(told.stored[-1], 20)
    told.tell("person_unlink", 30, incident_id=UUID(int=1001), person_id=HEALTH, reason="linked_in_error")
    assert identities(told.stored, REGISTERED)[POLICE] == (HEALTH, 3)


def test_incidents_that_are_the_same_are_one_incident() -> None:
    told = story((1, HEALTH), (2, POLICE))
    assert identities(told.stored, REGISTERED)[POLICE] == (POLICE, 2)
    told.tell(
        "same_incident", 40, incident_id=UUID(int=1001), other_incident_id=UUID(int=1002), reason="same_log_and_person"
    )
    assert identities(told.stored, REGISTERED)[POLICE] == (HEALTH, 3)
    told.withdraw(told.stored[-1], 50)
    told.tell(
        "not_same_incident", 60, incident_id=UUID(int=1001), other_incident_id=UUID(int=1002), reason="linked_in_error"
    )
    assert identities(told.stored, REGISTERED)[POLICE] == (HEALTH, 3), "they were, when both were linked to it"


def test_two_ids_of_one_registered_person_are_that_person() -> None:
    aliases = {HEALTH: (THIRD, 1), POLICE: (THIRD, 1)}
    people = identities(story((1, HEALTH), (2, POLICE)).stored, aliases)
    assert people[HEALTH] == people[POLICE] == (THIRD, 1)
