"""Every code of the code lists has exactly one class; what is in no list stops a release."""

from datetime import UTC, datetime

import pytest

from triage import codes
from triage.exports import members as m

LISTS = [
    ("area", m.AREA),
    ("area", m.LOCAL_AUTHORITY),
    ("age_band", m.AGE),
    ("sex", m.SEX),
    ("ethnicity", m.ETHNICITY),
    ("ethnicity", m.ETHNIC_GROUP),
    ("intent_power", m.POWER),
    ("disposal", m.DISPOSAL),
    ("place_of_safety", m.PLACE_OF_SAFETY),
    ("referral_source", m.SOURCE),
    ("conveyed", m.CONVEYANCE),
    ("transport", m.CONVEYANCE),
]


@pytest.mark.parametrize("classification", [c for _, c in LISTS] + [m.GRADE])
def test_a_code_in_no_class_stops_the_release(classification: m.Classification) -> None:
    with pytest.raises(m.UnmappedCode, match=classification.name):
        classification.of("a code issued tomorrow")


@pytest.mark.parametrize(("name", "classification"), LISTS)
def test_every_code_and_no_code_has_a_class(name: str, classification: m.Classification) -> None:
    for code in (*(row.code for row in codes.list(name)), None):
        assert classification.of(code) in classification.classes


@pytest.mark.parametrize("classification", [c for _, c in LISTS])
def test_every_class_has_a_code_and_none_has_two(classification: m.Classification) -> None:
    assert set(classification.of_code.values()) == set(classification.classes)
    assert len(set(classification.classes)) == len(classification.classes)


def test_published_ethnic_groups_are_those_of_the_code_list() -> None:
    for row in codes.list("ethnicity"):
        assert row.group is not None
        assert m.ETHNIC_GROUP.of(row.code) == row.group.lower().replace(" ", "_")


def test_areas_roll_up_as_the_code_list_says() -> None:
    authority = {"E06000032": "luton", "E06000055": "bedford", "E06000056": "central_bedfordshire"}
    for row in codes.list("area"):
        assert m.LOCAL_AUTHORITY.of(row.code) == authority.get(row.local_authority or "", row.code)


def test_age_nests_in_its_first_cut() -> None:
    assert tuple(age for ages in m.AGE_FIRST.values() for age in ages) == m.AGE.classes


def test_nothing_but_section_136_counts_as_section_136() -> None:
    assert [code for code, label in m.DISPOSAL.of_code.items() if label == "s136"] == ["s136_removed", "s136_kept"]
    assert [code for code, label in m.POWER.of_code.items() if label == "s136"] == ["s136"]


def test_labels_can_be_pooled_without_ambiguity() -> None:
    for label in [*m.SHIFTS, *m.MINUTES, *m.AGE_FIRST, *(x for _, c in LISTS for x in c.classes)]:
        assert m.POOLED not in label and label != m.NOT_SHOWN


@pytest.mark.parametrize(
    ("utc", "label"),
    [
        ("2026-06-30T05:59:59", "23 to 07"),
        ("2026-06-30T06:00:00", "07 to 15"),
        ("2026-06-30T14:00:00", "15 to 23"),
        ("2026-06-30T22:00:00", "23 to 07"),
        ("2026-12-30T06:59:59", "23 to 07"),
        ("2026-12-30T07:00:00", "07 to 15"),
    ],
)
def test_shifts_follow_the_wall_clock_in_summer_and_winter(utc: str, label: str) -> None:
    assert m.shift(datetime.fromisoformat(utc).replace(tzinfo=UTC)) == label


@pytest.mark.parametrize(
    ("minutes", "band"),
    [(None, "unknown"), (0, "0-29"), (29, "0-29"), (30, "30-59"), (59, "30-59"), (60, "60-119"), (120, "120+")],
)
def test_minutes_bands(minutes: int | None, band: str) -> None:
    assert m.minutes_band(minutes) == band
