"""Every field has a row that says who may see it; what has none is shown to nobody."""

from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import pytest
from msgspec import UNSET, Struct, structs
from support.bodies import full
from support.cast import BEDFORDSHIRE
from support.story import AUDIENCES, Story, minute

from triage.access.actors import side_of
from triage.log import redaction
from triage.log.entries import AMENDABLE, AnyEntry
from triage.log.incident import fold, view_at
from triage.log.redaction import redact
from triage.log.view import IncidentView
from triage.log.visibility import FIELDS, PARTS, VIEW, Sight, Who

KINDS = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEntry)}
SIGHTS = {
    "police": Sight("police", False),
    "health": Sight("health", False),
    "blind": Sight("health", True),
}


def parts_of(kind: type[Struct]) -> Iterator[tuple[str, type[Struct]]]:
    """The fields of a kind, and of its parts, that hold a part of their own; not the content of an amendment."""
    for field in structs.fields(kind):
        options = get_args(field.type) if get_origin(field.type) is Union or get_args(field.type) else (field.type,)
        for option in options:
            if isinstance(option, type) and issubclass(option, Struct) and field.name != "entry":
                yield field.name, option
                yield from parts_of(option)


def test_every_field_of_every_kind_has_a_row_and_every_row_a_field() -> None:
    assert FIELDS.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        assert set(FIELDS[name]) == set(kind.__struct_fields__), name


def test_so_has_every_field_of_every_part() -> None:
    fields_of = {name: set(part.__struct_fields__) for kind in KINDS.values() for name, part in parts_of(kind)}
    assert fields_of == {name: set(rows) for name, rows in PARTS.items()}


def test_so_has_every_member_of_a_view() -> None:
    assert set(VIEW) == set(IncidentView.__struct_fields__)


@pytest.fixture
def without_a_row(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The table as it is after somebody added `force_type` to the contact and forgot it here."""
    monkeypatch.delitem(FIELDS["officer"], "force_type")
    redaction._masked.cache_clear()
    yield
    redaction._masked.cache_clear()


@pytest.mark.usefixtures("without_a_row")
def test_a_field_without_a_row_is_shown_to_nobody() -> None:
    story = Story()
    stored = story.officer(9, area="bedford", force_type="handcuffs")
    for sight in SIGHTS.values():
        [shown] = redact([stored], sight)
        assert content_of(shown).keys() & {"area", "force_type"} == {"area"}


def content_of(stored: Any) -> dict[str, Any]:
    return {
        name: value for name in stored.entry.__struct_fields__ if (value := getattr(stored.entry, name)) is not None
    }


@pytest.mark.parametrize("kind", [str(kind.__struct_config__.tag) for kind in AMENDABLE])
@pytest.mark.parametrize("sight", SIGHTS)
def test_what_is_left_of_an_entry_is_what_the_table_says(kind: str, sight: str) -> None:
    story = Story()
    envelope = ("kind", "id", "incident_id", "test", "captured_at", "codes_version")
    body = {name: value for name, value in full(kind).items() if name not in envelope}
    stored = story.tell(
        kind, 9, **{name: value for name, value in body.items() if name not in ("captured_at", "codes_version")}
    )
    shown = redact([stored], SIGHTS[sight])
    author = side_of(stored.profession)
    transformed = {Who.OFFENCE, Who.RESULT, Who.EXTENSION}
    seen = {name for name, who in FIELDS[kind].items() if SIGHTS[sight].sees(who, author) or who in transformed}
    if not shown:
        assert kind in ("intent", "follow_up")
        assert not {"intent"} <= seen or kind == "follow_up"
        return
    assert set(content_of(shown[0])) <= seen
    untransformed = {name for name in seen if FIELDS[kind][name] not in transformed}
    assert set(content_of(stored)) & untransformed <= set(content_of(shown[0]))


def test_members_that_may_not_be_seen_are_absent_and_the_others_are_there() -> None:
    story = Story()
    story.officer(9, area="bedford")
    incident = fold(story.stored, terms=BEDFORDSHIRE)
    for audience in AUDIENCES:
        for blind in (False, True):
            if audience.side == "police" and blind:
                continue
            sight = Sight(audience.side, blind)
            view = view_at(incident, minute(10), audience, sight)
            for name, who in VIEW.items():
                sees = audience.level == "lead" if who is Who.LEADS else sight.sees(who, sight.side)
                if name != "repeat_contact":
                    assert (getattr(view, name) is not UNSET) is sees, (name, audience, blind)
