"""A note that could name somebody is noticed; one that names a place, a service or a day is left in peace.

Every number, address and name here is made up, or from a range that is given to nobody (Ofcom's numbers for drama,
NHS numbers beginning with 999, example domains).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.people.notes import FindingKind, likely_identifiers


def seen(note: str) -> list[tuple[str, str]]:
    return [(finding.kind.value, note[finding.start : finding.end]) for finding in likely_identifiers(note)]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "Calm after talking. Agreed to walk to the car.",
        "Taken to Luton and Dunstable by ambulance, handed over to the Crisis Team at 23:10.",
        "Walked along Bury Park Road towards Luton Airport Parkway. Friday night, cold.",
        "Marsh Farm. Attended with Ambulance. Advised NHS 111 and Samaritans on 116 123.",
        "Known to Mental Health Services. Bedford Hospital informed, Weller Wing full.",
        "Section 136 considered 22:04, not used. HBPOS full. AMHP and CAMHS aware.",
        "BP-20261121-0417. Car MH1, arrived 21.11.2026 22:04, left 01.12.2026 02:30.",
        "Will call again on Monday. May need a bed. Mark on left arm. Hope to see GP on Tuesday.",
        "Called Mum. Called Ambulance. Partner Agencies told. Dad arrived.",
        "On the bridge over the M1 2nd exit after J11, train at 5am.",
        "Took 20 Sertraline and 10mg Diazepam at 2100.",
        "ALL CAPS NOTE. PERSON CALM. AMBULANCE CALLED TO LUTON STATION.",
        "Lives in Houghton Regis, works in Milton Keynes. Speaks Polish and English.",
        "Dr informed. PC attended. Nurse Practitioner spoke by phone.",
        "Has EUPD and PTSD. Under CMHT Luton.",
    ],
)
def test_an_ordinary_note_is_left_in_peace(note: str) -> None:
    assert seen(note) == []


@pytest.mark.parametrize(
    ("note", "name"),
    [
        ("Spoke to John Smith at the scene.", "John Smith"),
        ("Sarah was calm and agreed to go home.", "Sarah"),
        ("spoke to sarah, agreed to go", "sarah"),
        ("Sarah's phone is flat.", "Sarah's"),
        ("Mohammed Khan agreed to walk.", "Mohammed Khan"),
        ("Kwabena Owusu calm after talking.", "Kwabena Owusu"),
        ("With Kwabena Owusu on the bridge.", "Kwabena Owusu"),
        ("Handed over to Tomasz KOWALSKI.", "Tomasz KOWALSKI"),
        ("Agreed with Łukasz Żak to walk.", "Łukasz Żak"),
        ("Met Siân O'Brien by the river.", "Siân O'Brien"),
        ("Mr Patel drove him home.", "Mr Patel"),
        ("Mr. Patel drove him home.", "Mr. Patel"),
        ("spoke to mrs adeyemi", "mrs adeyemi"),
        ("Known to Dr Okafor.", "Dr Okafor"),
        ("Relieved by PC Brown at 02:00.", "PC Brown"),
        ("His mum Oluchi came.", "Oluchi"),
        ("Partner Oluchi came.", "Partner Oluchi"),
        ("Gave her name as: unknown, known as Shazza", "Shazza"),
        ("Name: Kwabena", "Kwabena"),
        ("He said Mark hit him.", "Mark"),
        ("Staying with Sarah Hill in Luton.", "Sarah Hill"),
        ("Lives with Anna-Maria Nowak.", "Anna-Maria Nowak"),
    ],
)
def test_a_likely_name_is_noticed(note: str, name: str) -> None:
    assert seen(note) == [("name", name)]


@pytest.mark.parametrize("number", ["9991234519", "999 123 4519", "999-123-4519", "999.123.4519"])
def test_an_nhs_number_is_noticed(number: str) -> None:
    assert seen(f"Record {number}, open caseload.") == [("nhs_number", number)]


@pytest.mark.parametrize("number", ["9991234518", "99912345190", "20261121-0417", "1111111111"])
def test_ten_digits_that_are_no_nhs_number_are_not_taken_for_one(number: str) -> None:
    assert seen(f"Log {number}, open caseload.") == []


@pytest.mark.parametrize(
    "number",
    [
        "07700900123",
        "07700 900123",
        "07700 900 123",
        "+447700900123",
        "+44 7700 900123",
        "+44 (0)7700 900123",
        "0044 7700 900123",
        "01632 960123",
        "(01632) 960123",
        "020 7946 0123",
        "0800-496-0123",
    ],
)
def test_a_phone_number_is_noticed(number: str) -> None:
    assert seen(f"Ring {number} tomorrow.") == [("phone", number)]


@pytest.mark.parametrize("number", ["999", "116 123", "0770090012", "077009001234", "00000000000"])
def test_other_digits_are_no_phone_number(number: str) -> None:
    assert seen(f"Ring {number} tomorrow.") == []


@pytest.mark.parametrize("postcode", ["LU1 2AB", "LU12AB", "lu1 2ab", "MK40 1AB", "W1A 1HQ", "EC1A 1BB"])
def test_a_postcode_is_noticed(postcode: str) -> None:
    assert seen(f"Lives at {postcode} alone.") == [("postcode", postcode)]


@pytest.mark.parametrize("text", ["A6 3rd lane", "LU1", "s136", "S2 5am", "M1 J10", "W1 2nd"])
def test_what_only_begins_like_a_postcode_is_none(text: str) -> None:
    assert seen(f"Found near {text} alone.") == []


@pytest.mark.parametrize("address", ["a.person@example.org", "x_1+y@mail.example.co.uk"])
def test_an_email_address_is_noticed(address: str) -> None:
    assert seen(f"Write to {address}, please.") == [("email", address)]


def test_a_handle_is_no_email_address() -> None:
    assert seen("Meet @ the station, or @nobody") == []


def test_everything_in_one_note_is_noticed_in_order_and_once() -> None:
    note = "John Smith, 999 123 4519, 07700 900123, LU1 2AB, john.smith@example.org"
    assert [kind for kind, _ in seen(note)] == ["name", "nhs_number", "phone", "postcode", "email"]


@given(st.text(max_size=280))
def test_findings_lie_inside_the_note_in_order_and_apart(note: str) -> None:
    findings = likely_identifiers(note)
    edges = [edge for finding in findings for edge in (finding.start, finding.end)]
    assert edges == sorted(edges)
    assert all(0 <= finding.start < finding.end <= len(note) for finding in findings)


@given(st.text(max_size=100), st.text(max_size=100))
def test_an_address_is_noticed_wherever_it_stands(before: str, after: str) -> None:
    note = f"{before} a.person@example.org {after}"
    assert FindingKind.EMAIL in {finding.kind for finding in likely_identifiers(note)}


def test_a_finding_shows_nothing_of_the_note() -> None:
    assert "Smith" not in repr(likely_identifiers("Spoke to John Smith."))
