"""The forms that change what was recorded: an entry is withdrawn or amended, a person unlinked."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import inspect

from triage.log import effective
from triage.log.entries import AMENDABLE, Entry, PersonLink, StoredEntry
from triage.pages import words
from triage.pages.fields import YES_NO, Field, Options, of_list, when
from triage.pages.form import REASON, EntryForm, FormQuery
from triage.pages.loaded_incident import LoadedIncident, author, content_of, may_change
from triage.problems import NOT_FOUND, NOT_YOURS, Refused

WITHDRAW_REASONS: Final[Options] = (
    ("entered_in_error", "Entered in error"),
    ("wrong_incident", "Wrong incident"),
    ("sent_twice", "Sent twice"),
    ("other", "Something else"),
)


def withdraw(incident: LoadedIncident, asked: FormQuery) -> EntryForm:
    """An entry never counted."""
    stored = _entry(incident, asked)
    return EntryForm(
        title="Withdraw an entry",
        button="Withdraw it",
        done="Withdrawn. The entry stays readable.",
        before=f"Entry {stored.seq}, {words.kind(stored.entry).lower()}, by {author(stored, incident.names)}. "
        "It stays readable; nothing counts it.",
        fields=(Field(name="reason", kind="radios", question=REASON, options=WITHDRAW_REASONS),),
        body=lambda values: {"kind": "withdrawal", "withdraws": str(stored.id), **values},
        hidden={"entry": str(stored.id)},
        warning=True,
    )


def person_unlink(incident: LoadedIncident, asked: FormQuery) -> EntryForm:
    """A person's link was a mistake."""
    stored = _entry(incident, asked)
    if not isinstance(stored.entry, PersonLink):
        raise Refused(NOT_FOUND)
    person_id = stored.entry.person_id
    options = (
        ("wrong_person", "The wrong person"),
        ("entered_in_error", "Entered in error"),
        ("other", "Something else"),
    )
    return EntryForm(
        title="Unlink the person",
        button="Unlink",
        done="The person is unlinked. Figures follow with their next edition.",
        fields=(Field(name="reason", kind="radios", question=REASON, options=options),),
        body=lambda values: {"kind": "person_unlink", "person_id": str(person_id), **values},
        hidden={"entry": str(stored.id)},
        warning=True,
    )


def _entry(incident: LoadedIncident, asked: FormQuery) -> StoredEntry:
    """The entry that the form is about. Raises Refused: 404, or 403 for who may not change it."""
    entry = next((stored for stored in incident.stored if str(stored.id) == asked.get("entry")), None)
    if entry is None:
        raise Refused(NOT_FOUND)
    if not may_change(entry, incident.reader):
        raise Refused(NOT_YOURS)
    return entry


# --- amending: the whole content again, one question a field ---

AMEND_REASONS: Final[Options] = (
    ("wrong_code", "A wrong answer was chosen"),
    ("wrong_time", "A wrong time"),
    ("learned_later", "Learned later"),
    ("other", "Something else"),
)
_KEPT: Final = ("note", "s136_justified", "told_intent", "assessment")
"""A note left out is kept; a judgement is its author's own."""


def amend(incident: LoadedIncident, asked: FormQuery) -> EntryForm:
    """An entry's content as it should have been; what the form does not ask for stays as it is."""
    stored = _entry(incident, asked)
    if not isinstance(stored.entry, AMENDABLE):
        raise Refused(NOT_FOUND)
    served = next(entry for entry in incident.entries if entry.stored.id == stored.id)
    content = _content_in_force(incident, stored.id) or content_of(served)
    on = incident.local.day_of(effective.captured(stored))
    questions = tuple(field for name in _own_fields(stored.entry) if (field := _question(name, on)))
    if not questions:
        raise Refused(NOT_FOUND)
    asked_for = {field.name for field in questions}
    kept = {name: value for name, value in content.items() if name not in asked_for and name not in _NOT_CONTENT}

    def body(values: dict[str, Any]) -> dict[str, Any]:
        reason = values.pop("amend_reason")
        content = {"kind": effective.kind(stored.entry), **kept, **values}
        return {"kind": "amendment", "amends": str(stored.id), "reason": reason, "entry": content}

    filled = {name: _filled(value) for name, value in content.items()}
    return EntryForm(
        title=f"Amend entry {stored.seq}: {words.kind(stored.entry).lower()}",
        button="Amend it",
        done="Amended. The original stays readable.",
        before=f"By {author(stored, incident.names)}. Change what is wrong; the original stays readable.",
        fields=(
            *questions,
            Field(name="amend_reason", kind="radios", question="Why is it amended?", options=AMEND_REASONS),
        ),
        body=body,
        hidden={"entry": str(stored.id)},
        filled=filled,
    )


_NOT_CONTENT: Final = frozenset((*Entry.__struct_fields__, "kind", "note"))


def _content_in_force(incident: LoadedIncident, entry_id: UUID) -> dict[str, Any] | None:
    """The content that the latest amendment in force gave the entry, as the reader may see it."""
    amended = [entry for entry in incident.entries if getattr(entry.stored.entry, "amends", None) == entry_id]
    return content_of(amended[-1])["entry"] if amended else None


def _own_fields(entry: Entry) -> list[inspect.Field]:
    info = inspect.type_info(type(entry))
    assert isinstance(info, inspect.StructType)
    return [field for field in info.fields if field.name not in _NOT_CONTENT and field.name not in _KEPT]


def _question(field: inspect.Field, on: Any) -> Field | None:
    """A question for a plain field of an entry; parts within parts are kept as they are."""
    plain, codes_of = _plain(field.type)
    name, question = field.name, words.sentence(field.name)
    match plain:
        case inspect.StrType() if codes_of:
            return of_list(name, question, codes_of, on=on, required=field.required)
        case inspect.StrType():
            return Field(name=name, kind="text", question=question, required=field.required)
        case inspect.BoolType():
            return Field(name=name, kind="radios", question=question, options=YES_NO, required=field.required)
        case inspect.IntType():
            return Field(name=name, kind="number", question=question, required=field.required)
        case inspect.DateTimeType():
            return when(name, question, required=field.required, hint="On the 24-hour clock.")
        case inspect.ListType():
            _, codes_of = _plain(plain.item_type)
            on_list = of_list(name, question, codes_of, on=on, required=field.required) if codes_of else None
            return msgspec.structs.replace(on_list, kind="boxes") if on_list else None
        case _:
            return None


def _plain(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """The type without None and annotations, and the code list it draws on."""
    codes_of = ""
    while isinstance(kind, inspect.UnionType | inspect.Metadata):
        if isinstance(kind, inspect.Metadata):
            codes_of = codes_of or str((kind.extra or {}).get("codes", ""))
            kind = kind.type
        else:
            kind = next(member for member in kind.types if not isinstance(member, inspect.NoneType))
    return kind, codes_of


def _filled(value: Any) -> Any:
    if isinstance(value, str) and words.is_time(value):
        return msgspec.convert(value, datetime)
    return value
