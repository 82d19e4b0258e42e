"""Code lists are dated data: complete, consistent, replaceable by an owner, and the same bytes on every replica."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from msgspec import Meta

from triage import codes
from triage.commands.codes import page
from triage.log import entries

PAGE = Path(__file__).parents[1] / "docs" / "codes.md"


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Path]:
    """A copy of the shipped file for an owner to change; the shipped lists are in force again afterwards."""
    path = tmp_path / "codes.toml"
    path.write_text(codes.SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    yield path
    codes.load()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- files that are refused


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('male = { label = "Male" }\n', "", "sex lacks male"),
        ("[lists.sex]", "[lists.gender]", "sex lacks"),
        ("[lists.window_source]", "[lists.windows]\nx = { label = 'x' }\n[lists.window_source]", "windows"),
        ('replaced_by = "A4"', 'replaced_by = "A5"', "O1"),
        ('replaced_by = "A4"', 'replaced_by = "O1"', "O1"),
        ("valid_to = 2026-03-31, replaced_by", 'valid_to = "soon", replaced_by', "valid_to"),
        ('male = { label = "Male" }', 'male = { label = "Male", colour = "blue" }', "colour"),
        ('male = { label = "Male" }', "male = { }", "label"),
        ('available = "depends"', 'available = "perhaps"', "perhaps"),
        ("persons = 225300", 'persons = "many"', "persons"),
        ("[lists.sex]", "[lists.sex", "Expected"),
        ("version = 1\n", "", "version"),
        ('short = "Vehicle, tent"', 'short = "Vehicle, boat, tent"', "vehicle_boat_tent_caravan"),
    ],
)
def test_a_faulty_file_is_refused_and_says_what_is_wrong(owned: Path, old: str, new: str, says: str) -> None:
    before = codes.document()
    change(owned, old, new)
    with pytest.raises(ValueError, match=re.escape(says)):
        codes.load(owned)
    assert codes.document() == before
    assert "male" in codes.list("sex")


def test_a_circle_of_replacements_is_refused(owned: Path) -> None:
    change(owned, 'A2 = { label = "Asian: Pakistani"', 'A2 = { replaced_by = "A3", label = "Asian: Pakistani"')
    change(owned, 'A3 = { label = "Asian: Bangladeshi"', 'A3 = { replaced_by = "A2", label = "Asian: Bangladeshi"')
    with pytest.raises(ValueError, match="is replaced by no other code"):
        codes.load(owned)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="codes"):
        codes.load(tmp_path / "codes.toml")


# --- an owner's lists


def test_an_owner_may_add_and_retire_codes(owned: Path) -> None:
    sexes, seen_before = codes.list("sex"), codes.document()
    change(
        owned, 'male = { label = "Male" }', 'male = { label = "Male", replaced_by = "man" }\nman = { label = "Man" }'
    )
    change(owned, "[lists.area]", '[[versions]]\nversion = 3\nvalid_from = 2027-01-01\nnote = "Ours."\n[lists.area]')
    codes.load(owned)
    assert codes.version == 3
    assert codes.list("sex") is sexes
    assert "man" in sexes
    assert None in sexes.accepted
    assert codes.current("sex", "male") == "man"
    assert codes.changed().keys() == {"sex", "ethnicity", "organisation"}
    assert codes.document() != seen_before
    codes.load()
    assert "man" not in sexes
    assert codes.current("sex", "male") == "male"
    assert codes.document() == seen_before


def test_a_chain_of_replacements_is_followed_to_its_end(owned: Path) -> None:
    change(
        owned, 'A4 = { label = "Asian: Chinese (18+1)"', 'A4 = { replaced_by = "A9", label = "Asian: Chinese (18+1)"'
    )
    codes.load(owned)
    assert codes.current("ethnicity", "O1") == codes.current("ethnicity", "A4") == "A9"


# --- the shipped lists


def test_every_field_with_codes_has_its_list() -> None:
    needed = {
        meta.extra["codes"]
        for kind in vars(entries).values()
        for meta in getattr(kind, "__metadata__", ())
        if isinstance(meta, Meta) and meta.extra and "codes" in meta.extra
    }
    assert len(needed) > 40
    assert needed == set(codes.names()) - {"police_force", "local_authority", "organisation"}
    with pytest.raises(KeyError):
        codes.list("colour")


def test_o1_of_16_plus_1_is_read_as_a4_of_18_plus_1() -> None:
    assert [row.version for row in codes.versions][:2] == [1, 2]
    assert "O1" in codes.list("ethnicity")
    assert codes.current("ethnicity", "O1") == "A4"
    assert codes.retired("ethnicity", "O1", date(2026, 11, 21))
    assert codes.list("ethnicity")["O1"].nhs == codes.list("ethnicity")["A4"].nhs == "R"
    assert codes.current("ethnicity", "W1") == "W1"
    assert not codes.retired("ethnicity", "W1", date(2026, 11, 21))


def test_a_code_without_a_replacement_is_retired_from_the_day_after_its_last() -> None:
    assert not codes.retired("organisation", "QHG", date(2026, 3, 31))
    assert codes.retired("organisation", "QHG", date(2026, 4, 1))
    assert codes.current("organisation", "QHG") == "QHG"


def test_ethnicity_maps_to_nhs_categories_and_published_groups() -> None:
    rows = codes.list("ethnicity")
    police = "W1 W2 W3 W5 W9 M1 M2 M3 M9 A1 A2 A3 A4 O1 A9 B1 B2 B9 O2 O9 NS UN N1 N2 N3 N4"
    nhs = "A  B  C  C  C  D  E  F  G  H  J  K  R  R  L  M  N  P  S  S  Z  99 99 99 99 Z"
    assert {row.code: row.nhs for row in rows} == dict(zip(police.split(), nhs.split(), strict=True))
    assert {row.group for row in rows} == {"White", "Mixed", "Asian", "Black", "Other", "Not known"}
    assert (
        {row.code for row in rows if row.group == "Not known"} == rows.missing == {"NS", "UN", "N1", "N2", "N3", "N4"}
    )


def test_seven_areas_roll_up_to_luton_and_none_outside_the_county() -> None:
    areas = list(codes.list("area"))
    assert sum(row.local_authority == "E06000032" for row in areas) == 7
    assert {row.code for row in areas if row.local_authority is None} == {"out_of_county", "unknown"}
    assert {row.local_authority for row in areas} - {None} == {row.code for row in codes.list("local_authority")}
    assert {row.local_authority for row in codes.populations} <= {row.code for row in codes.list("local_authority")}


def test_every_place_says_whether_s136_reaches_it() -> None:
    by_answer: dict[str | None, set[str]] = {}
    for row in codes.list("location_type"):
        by_answer.setdefault(row.available, set()).add(row.code)
    assert by_answer["no"] == {"own_home", "someones_home", "private_garden_or_garage", "care_home_room"}
    assert by_answer["disputed"] == {"care_home_shared", "vehicle_boat_tent_caravan"}
    assert by_answer["depends"] == {"hotel_hostel_room"}
    assert by_answer["unresolved"] == {"other", "unknown"}
    assert by_answer["yes"].isdisjoint(("own_home", "other", "unknown"))
    assert "street_or_park" in by_answer["yes"]
    assert None not in by_answer


def test_age_bands_cover_every_year_once() -> None:
    bands = [row for row in codes.list("age_band") if row.youngest is not None]
    for years in range(131):
        assert sum(row.youngest <= years <= (row.oldest or 130) for row in bands if row.youngest is not None) == 1


def test_a_follow_up_is_about_a_referral_of_either_service() -> None:
    either = set(codes.list("police_referral").codes) | set(codes.list("health_referral").codes)
    assert set(codes.list("referral").codes) == either - {"none"}


def test_what_says_that_nothing_is_known() -> None:
    assert codes.is_missing("area", None)
    for name, code in (("area", "unknown"), ("disability", "not_asked"), ("ethnicity", "N4")):
        assert codes.is_missing(name, code)
    for name, code in (
        ("sex", "other"),
        ("crisis_plan", "none"),
        ("immediate_danger", "unclear"),
        ("advice", "deferred"),
        ("s136_justified", "cannot_say"),
        ("not_consulted_reason", "no_answer"),
    ):
        assert not codes.is_missing(name, code)


# --- what is served


def test_the_document_holds_every_code_with_its_dates_and_replacement() -> None:
    document = json.loads(codes.document())
    assert document["version"] == codes.version
    assert document["lists"].keys() == set(codes.names())
    for name, rows in document["lists"].items():
        assert [row["code"] for row in rows] == [row.code for row in codes.list(name)]
        assert all(1 <= len(row["short"]) <= 18 for row in rows)
        assert all({"code", "label", "valid_from", "valid_to", "replaced_by"} <= row.keys() for row in rows)
    retired = next(row for row in document["lists"]["ethnicity"] if row["code"] == "O1")
    assert (retired["valid_to"], retired["replaced_by"], retired["check"]) == ("2026-03-31", "A4", True)


def test_lists_that_a_newer_version_kept_are_read(owned: Path) -> None:
    kept = json.loads(codes.document())
    kept["lists"]["sex"][0]["colour"] = "blue"
    with codes.reading(json.dumps(kept | {"colours": 3}).encode()):
        assert codes.list("sex")["female"].label == "Female"


def test_the_document_is_the_same_in_every_process() -> None:
    other = subprocess.run(
        [sys.executable, "-c", "import sys; from triage import codes; sys.stdout.buffer.write(codes.document())"],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "42"},
    )
    assert other.stdout == codes.document()


def test_the_page_marks_what_was_not_confirmed() -> None:
    unconfirmed = [row.code for name in codes.names() for row in codes.list(name) if row.check]
    assert {"RWK", "RYC", "N1", "paramedic"} <= set(unconfirmed)
    marked = [line for line in page().splitlines() if line.startswith("| `") and "**[check]**" in line]
    assert len(marked) == len(unconfirmed) + sum(row.check for row in codes.populations)
