"""The same person, however typed, is found again; two people, however alike their papers, are not made one."""

import unicodedata
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from triage.people import identifiers
from triage.people.encryption import load_or_create_root
from triage.people.identifiers import BlindIndex, Identifier, IdentifierKind, Identity
from triage.problems import Refused

TODAY = date(2026, 11, 23)
TEAM = UUID("0193a000-0000-7000-8000-00000000000a")
OTHER_TEAM = UUID("0193a000-0000-7000-8000-00000000000b")
NHS = "999 123 4519"  # 999 is the range for tests, given to nobody


def faults(identity: Identity) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        identifiers.normalise(identity, TODAY)
    assert refused.value.problem.status == 422
    return [(error.field, error.code) for error in refused.value.problem.errors]


def kinds(identity: Identity) -> list[IdentifierKind]:
    return [identifier.kind for identifier in identifiers.normalise(identity, TODAY)]


# --- NHS numbers

ten_digits = st.text("0123456789", min_size=10, max_size=10)


def with_check_digit(nine: str) -> str | None:
    """As the data dictionary words it, step by step."""
    remainder = sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    check = {11: 0}.get(11 - remainder, 11 - remainder)
    return None if check == 10 else f"{nine}{check}"


@given(ten_digits)
def test_a_number_holds_only_with_its_own_check_digit(number: str) -> None:
    expected = number == with_check_digit(number[:9]) and len(set(number)) > 1
    assert identifiers.nhs_number_holds(number) == expected


@given(ten_digits, st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_never_holds(digits: str, place: int, shift: int) -> None:
    number = with_check_digit(digits[:9])
    assume(number is not None)
    assert number is not None
    wrong = str((int(number[place]) + shift) % 10)
    assert not identifiers.nhs_number_holds(number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize("number", ["0000000000", "1111111111", "9999999999"])
def test_ten_equal_digits_are_nobody(number: str) -> None:
    assert faults(Identity(nhs_number=number)) == [("nhs_number", "invalid")]


@pytest.mark.parametrize("number", ["", "999123456", "99912345191", "999123456a", "٩٩٩١٢٣٤٥١٩"])
def test_what_is_no_number_is_refused(number: str) -> None:
    assert faults(Identity(nhs_number=number)) == [("nhs_number", "invalid")]


@pytest.mark.parametrize(
    "typed", ["9991234519", "999 123 4519", " 999-123-4519 ", "999.123.4519", "９９９１２３４５１９"]
)
def test_a_number_is_the_same_however_grouped(typed: str) -> None:
    assert identifiers.normalise(Identity(nhs_number=typed), TODAY) == [
        Identifier(IdentifierKind.NHS_NUMBER, "9991234519")
    ]


# --- police references


@pytest.mark.parametrize("reference", ["", "AB1", "UNKNOWN", "000000", "-/-", "1" * 33, "ÄB1234"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    assert faults(Identity(police_ref=reference)) == [("police_ref", "invalid")]


@pytest.mark.parametrize("typed", ["BP/12-3456x", "bp 12 3456X", "BP123456X"])
def test_a_reference_is_the_same_however_written(typed: str) -> None:
    assert identifiers.normalise(Identity(police_ref=typed), TODAY) == [
        Identifier(IdentifierKind.POLICE_REF, "BP123456X")
    ]


# --- never an NHS number with a police reference


def test_a_person_never_holds_both() -> None:
    assert faults(Identity(nhs_number=NHS, police_ref="BP123456X")) == [("police_ref", "with_nhs_number")]


def test_what_may_be_joined() -> None:
    assert not identifiers.joinable(
        [IdentifierKind.NHS_NUMBER, IdentifierKind.NAME_AND_BIRTH, IdentifierKind.POLICE_REF]
    )
    assert identifiers.joinable([IdentifierKind.NHS_NUMBER, IdentifierKind.NAME_AND_BIRTH])
    assert identifiers.joinable([IdentifierKind.POLICE_REF, IdentifierKind.NAME_AND_BIRTH])


# --- names and birth dates


@given(st.text())
def test_normalising_a_name_twice_changes_nothing(name: str) -> None:
    once = identifiers.normalise_name(name)
    assert identifiers.normalise_name(once) == once


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_name_is_the_same_in_every_encoding_of_it(name: str, form: str) -> None:
    encoded = unicodedata.normalize(form, name)  # type: ignore[arg-type]
    assert identifiers.normalise_name(encoded) == identifiers.normalise_name(name)


@given(st.text(st.characters(codec="ascii")))
def test_a_name_is_the_same_in_any_case(name: str) -> None:
    assert identifiers.normalise_name(name.upper()) == identifiers.normalise_name(name.lower())


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("O'Brien", "OBRIEN"),
        ("O’Brien", "o brien"),
        ("Anne-Marie", "Anne Marie"),
        ("Zoë", "Zoe"),
        ("Łukasz", "Lukasz"),
        ("Søren", "Soren"),
        ("Strauß", "STRAUSS"),
        ("  Ng ", "ng"),
    ],
)
def test_a_name_is_the_same_however_typed(name: str, other: str) -> None:
    assert identifiers.normalise_name(name) == identifiers.normalise_name(other)


@pytest.mark.parametrize(("name", "other"), [("Ann", "Anna"), ("राम", "रम"), ("Brown", "Browne")])
def test_names_that_only_look_alike_stay_apart(name: str, other: str) -> None:
    assert identifiers.normalise_name(name) != identifiers.normalise_name(other)


@pytest.mark.parametrize("name", ["", "  ", "-", "'", "?" * 5, "a" * 101])
def test_what_is_no_name_is_refused(name: str) -> None:
    identity = Identity(family_name=name, given_name="Ada", born=date(1990, 2, 3))
    assert faults(identity) == [("family_name", "invalid")]


def test_a_placeholder_makes_nobody_one_person_with_another() -> None:
    identity = Identity(family_name="Unknown", given_name="N/K", born=date(1990, 2, 3))
    assert faults(identity) == [("family_name", "placeholder"), ("given_name", "placeholder")]


@pytest.mark.parametrize("born", [date(1900, 1, 1), date(2026, 11, 24)])
def test_a_birth_date_that_cannot_be_is_refused(born: date) -> None:
    assert faults(Identity(family_name="Sample", given_name="Ada", born=born)) == [("born", "out_of_range")]


@pytest.mark.parametrize(
    "identity",
    [
        Identity(),
        Identity(family_name="Sample", given_name="Ada"),
        Identity(born=date(1990, 2, 3)),
        Identity(family_name="Sample", born=date(1990, 2, 3)),
        Identity(given_name="Ada", born=date(1990, 2, 3)),
    ],
)
def test_part_of_name_and_birth_matches_nobody(identity: Identity) -> None:
    assert faults(identity) == [("", "nothing_to_match")]


def test_a_name_beside_a_number_counts_only_with_the_birth_date() -> None:
    assert kinds(Identity(nhs_number=NHS, family_name="Sample", given_name="Ada")) == [IdentifierKind.NHS_NUMBER]
    whole = Identity(nhs_number=NHS, family_name="Sample", given_name="Ada", born=date(1990, 2, 3))
    assert kinds(whole) == [IdentifierKind.NHS_NUMBER, IdentifierKind.NAME_AND_BIRTH]


def test_parts_cannot_be_shifted_between_family_and_given_name() -> None:
    born = date(1990, 2, 3)
    identifier = identifiers.normalise(Identity(family_name="Li", given_name="Ang", born=born), TODAY)
    other = identifiers.normalise(Identity(family_name="Lia", given_name="Ng", born=born), TODAY)
    assert identifier != other


def test_every_fault_is_named_at_once() -> None:
    identity = Identity(nhs_number="1", police_ref="2", family_name="?", given_name="unknown", born=date(2027, 1, 1))
    assert faults(identity) == [
        ("nhs_number", "invalid"),
        ("police_ref", "invalid"),
        ("police_ref", "with_nhs_number"),
        ("family_name", "invalid"),
        ("given_name", "placeholder"),
        ("born", "out_of_range"),
    ]


# --- the blind index


@pytest.fixture
def index(tmp_path: Path) -> BlindIndex:
    return BlindIndex.of(load_or_create_root(tmp_path / "root.json"))


def test_the_same_value_of_two_kinds_has_two_digests() -> None:
    assert len({identifiers.blind_index(bytes(32), kind, "123456") for kind in IdentifierKind}) == len(IdentifierKind)


def test_each_kind_has_a_key_of_its_own(index: BlindIndex) -> None:
    assert set(index.keys) == set(IdentifierKind) and len(set(index.keys.values())) == len(IdentifierKind)


def test_another_team_and_another_installation_have_other_digests(index: BlindIndex, tmp_path: Path) -> None:
    elsewhere = BlindIndex.of(load_or_create_root(tmp_path / "elsewhere.json"))
    number = Identifier(IdentifierKind.NHS_NUMBER, "9991234519")
    digests = {index.digest(TEAM, number), index.digest(OTHER_TEAM, number), elsewhere.digest(TEAM, number)}
    assert len(digests) == 3


def test_the_same_person_is_found_again(index: BlindIndex) -> None:
    born = date(1990, 2, 3)
    [identifier] = identifiers.normalise(Identity(family_name="O'Brien", given_name="Zoë", born=born), TODAY)
    [other] = identifiers.normalise(Identity(family_name="obrien", given_name="ZOE", born=born), TODAY)
    assert index.digest(TEAM, identifier) == index.digest(TEAM, other)


# --- nothing shows


def test_nothing_of_a_person_shows_when_printed(index: BlindIndex) -> None:
    identity = Identity(nhs_number=NHS, family_name="Sample", given_name="Ada", born=date(1990, 2, 3))
    assert repr(identity) == "Identity(…)"
    normalised = identifiers.normalise(identity, TODAY)[0]
    assert repr(normalised) == "Identifier(kind=<IdentifierKind.NHS_NUMBER: 'nhs_number'>)"
    assert all(str(key) not in repr(index) for key in index.keys.values())


def test_a_refusal_shows_nothing_of_what_was_sent() -> None:
    with pytest.raises(Refused) as refused:
        identifiers.normalise(Identity(nhs_number="9991234518", police_ref="AB1", family_name="Unknown"), TODAY)
    assert not any(sent in repr(refused.value.problem) for sent in ("9991234518", "AB1", "Unknown"))
