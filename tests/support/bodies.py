"""Bodies as a phone sends them: a plausible one of every kind, and one with every field there is."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

from msgspec import Struct, inspect

from triage import codes
from triage.log.body_errors import without_null
from triage.log.entries import KINDS, AnyEntry, Entry

INCIDENT = "01930000-0000-7000-8000-00000000000a"
OTHER = "01930000-0000-7000-8000-00000000000b"

KIND_TYPES: dict[str, type[Struct]] = dict(zip(KINDS, AnyEntry.__args__, strict=True))


def entry_id(number: int) -> UUID:
    return UUID(f"01930000-0000-7000-8000-{number:012x}")


def _body(kind: str, captured_at: str, /, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "incident_id": INCIDENT, "captured_at": captured_at, "codes_version": 1, **content}


_INTENT = {
    "power": "s136",
    "confidence": 2,
    "formed_at": "2026-10-03T01:12:00+01:00",
    "source": "self",
    "tests": {"mental_disorder": True, "immediate_need": True, "necessary": False},
    "evidence": "body_worn_video",
}

PLAUSIBLE: dict[str, dict[str, Any]] = {
    "intent": _body("intent", "2026-10-03T01:12:30+01:00", form_version=2, intent=_INTENT),
    "officer": _body(
        "officer",
        "2026-10-03T02:20:00+01:00",
        log_ref="BP-20261003-0031",
        car="MH1",
        occurred_at="2026-10-03T01:02:00+01:00",
        arrived_at="2026-10-03T01:10:00+01:00",
        left_at="2026-10-03T02:15:00+01:00",
        area="bedford",
        location_type="street_or_park",
        contact_mode="attended",
        referral_source="control_room",
        age_band="35_49",
        sex="female",
        ethnicity="A4",
        presenting=["self_harm", "acute_distress"],
        legal_status="free_to_leave",
        immediate_danger="unclear",
        intent=_INTENT,
        consulted={"role": "nurse", "at": "2026-10-03T01:15:00+01:00"},
        offence="alleged_minor",
        arrest_necessity=["address"],
        domestic_abuse=False,
        force_type="none",
        referrals=["safeguarding_adult"],
        note='Said "I am fine" twice.\nWent with the crew.',
    ),
    "nurse": _body(
        "nurse",
        "2026-10-03T01:40:00Z",
        age=41,
        assessment="phone",
        known_to_services="open_caseload",
        advice="voluntary_pathway",
        advice_given_at="2026-10-03T00:20:00Z",
        s136_justified="cannot_say",
        told_intent=False,
        referrals=["crisis_team"],
        follow_up_owner="crisis_team",
        follow_up_due="2026-10-04",
    ),
    "paramedic": _body(
        "paramedic", "2026-10-03T00:50:00Z", physical_need="none", initial_plan="ed", ed_reason="wound", news2=0
    ),
    "outcome": _body(
        "outcome",
        "2026-10-03T01:22:00Z",
        disposal="s136_removed",
        decided_at="2026-10-03T01:20:00Z",
        decided_by="officer",
        transport="police_vehicle",
        ambulance_requested=True,
        police_vehicle_reason="retasked",
    ),
    "detention": _body(
        "detention",
        "2026-10-03T02:00:00Z",
        event="arrived_site",
        at="2026-10-03T01:50:00Z",
        power="s136",
        place_of_safety="health_based",
        place_reason="nearest",
    ),
    "follow_up": _body("follow_up", "2026-10-05T09:00:00Z", event="window_checked", at="2026-10-05T08:55:00Z"),
    "amendment": _body(
        "amendment",
        "2026-10-03T09:00:00Z",
        amends=OTHER,
        reason="wrong_code",
        entry={"kind": "nurse", "age": 14, "note": "Was mistaken."},
    ),
    "withdrawal": _body("withdrawal", "2026-10-03T09:00:00Z", withdraws=OTHER, reason="entered_in_error"),
    "same_incident": _body("same_incident", "2026-10-03T09:00:00Z", other_incident_id=OTHER, reason="same_person"),
    "not_same_incident": _body("not_same_incident", "2026-10-03T09:00:00Z", other_incident_id=OTHER, reason="error"),
    "person_link": _body("person_link", "2026-10-03T09:00:00Z", person_id=OTHER, reason="identified_later"),
    "person_unlink": _body("person_unlink", "2026-10-03T09:00:00Z", person_id=OTHER, reason="wrong_person"),
}


def plausible(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A plausible body of this kind, with these fields changed."""
    return copy.deepcopy(PLAUSIBLE[kind]) | changes


def replacement(body: dict[str, Any]) -> dict[str, Any]:
    """The content of a body as an amendment carries it."""
    return {name: value for name, value in body.items() if name not in Entry.__struct_fields__}


@cache
def _type_of(kind: str) -> inspect.Type:
    return inspect.type_info(KIND_TYPES[kind])


def full(kind: str) -> dict[str, Any]:
    """A body with every field of this kind; an amendment replaces an officer's contact."""
    body: dict[str, Any] = _value(_type_of(kind))
    body["id"] = str(entry_id(1))
    return body


def fields(node: inspect.Type, path: str = "") -> Iterator[tuple[str, inspect.Field, inspect.Type]]:
    """Every field below a type, nested ones included: its dotted path, the field, and its type where it is not null."""
    match without_null(node):
        case inspect.StructType(fields=own_fields):
            for field in own_fields:
                below = f"{path}.{field.encode_name}" if path else field.encode_name
                inner = without_null(field.type)
                yield below, field, inner
                yield from fields(inner, below)
        case inspect.UnionType(types=types):
            yield from fields(types[0], path)


def fields_of(kind: str) -> list[tuple[str, inspect.Field, inspect.Type]]:
    return list(fields(_type_of(kind)))


def put(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The body with the field at this path replaced."""
    changed = copy.deepcopy(body)
    *parts, name = path.split(".")
    holder = changed
    for part in parts:
        holder = holder[part]
    holder[name] = value
    return changed


def drop(body: dict[str, Any], path: str) -> dict[str, Any]:
    """The body without the field at this path."""
    changed = copy.deepcopy(body)
    *parts, name = path.split(".")
    holder = changed
    for part in parts:
        holder = holder[part]
    del holder[name]
    return changed


_ids = iter(range(2, 1_000_000))


def _value(node: inspect.Type) -> Any:
    match without_null(node):
        case inspect.Metadata(extra={"codes": str(name)}):
            return next(iter(codes.list(name))).code
        case inspect.Metadata(type=inner):
            return _value(inner)
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            tagged = {} if tag_field is None else {tag_field: tag}
            return tagged | {field.encode_name: _value(field.type) for field in fields}
        case inspect.UnionType(types=types):
            return _value(types[0])
        case inspect.ListType(item_type=item):
            return [_value(item)]
        case inspect.UUIDType():
            return str(entry_id(next(_ids)))
        case inspect.DateTimeType():
            return "2026-10-03T01:20:00+01:00"
        case inspect.DateType():
            return "2026-10-04"
        case inspect.BoolType():
            return True
        case inspect.IntType(ge=least):
            return least
        case inspect.StrType():
            return "x"
        case unknown:
            raise TypeError(f"no example for {unknown}")
