"""One page a form, reached from what asks for it and sent with the second press: an entry, a task or a person's link.

The entry's id comes with the page, so that sending a form twice is one entry. The page also carries the place in the
log up to which it showed the incident: a form that has gone stale says what changed before it is sent again.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct
from uuid_utils.compat import uuid7

from triage import codes
from triage.access.actors import Actor
from triage.log.append_decision import IncomingEntry, Receipt
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.pages import fields, incident, words
from triage.pages.entry_forms import EntryForm, form_for
from triage.pages.fields import Field, when
from triage.pages.incident import ID, LoadedIncident, author
from triage.pages.incident_words import clock, heading, reference
from triage.pages.request import (
    Done,
    Page,
    PageRequest,
    TheService,
    page,
    problem_page,
    read_form,
    redirect,
    uuid_field,
)
from triage.people.identifiers import Identity
from triage.people.notes import likely_identifiers
from triage.problems import ENTRY_CONFLICT, Problem, Refused
from triage.service import Service
from triage.store.access import attempts
from triage.store.log import review_lists, tasks
from triage.store.log.incidents import IncidentFilter
from triage.store.log.tasks import LONGEST_TEXT, NewTask

HOUR: Final = timedelta(hours=1)
MOST_WITH_REFERENCE: Final = 20
HIDDEN: Final = ("id", "seen", "sure", "back", "other", "entry")
What = Annotated[str, PathParameter(description="What is to be recorded.")]
_Query = Annotated[str, QueryParameter(max_length=64)]


class FormState(Struct, kw_only=True):
    """A form as it is shown: what was typed, what is wrong with it, and what changed since it was opened."""

    typed: Mapping[str, str]
    faults: Mapping[str, str] = {}
    sure: str = ""
    changed: Sequence[str] = ()


@get("/incidents/{id:uuid}/{what:str}")
async def show_form(
    request: PageRequest,
    service: TheService,
    id: ID,
    what: What,
    other: _Query = "",
    entry: _Query = "",
    about: _Query = "",
    back: _Query = "",
) -> Page:
    """A form, with today filled in."""
    found = await incident.load(service, request.user, id)
    asked = {"other": other, "entry": entry, "about": about}
    form = await _form(service, request.user, what, found, asked)
    typed = fields.typed(form.fields, form.filled, found.zone, _today(found)) | {"back": back}
    return _show(request, what, form, found, FormState(typed=typed))


@post("/incidents/{id:uuid}/{what:str}", status_code=303)
async def send_form(request: PageRequest, service: TheService, id: ID, what: What) -> Page:
    """Store what the form says, or show it again with everything typed and what is wrong."""
    actor, found = request.user, await incident.load(service, request.user, id)
    sent = await read_form(request)
    form = await _form(service, actor, what, found, sent)
    if "look" in sent:
        return _show(request, what, form, found, FormState(typed=sent))
    entry_id = uuid_field(sent, "id")
    if any(each.id == entry_id for each in found.stored):
        return redirect(request, _back(found, sent), Done(form.done, _undo(found, entry_id)))
    if changed := _changed_since(found, sent):
        return _show(request, what, form, found, FormState(typed=sent, changed=changed), 409)
    answers = fields.read(form.fields, sent, found.zone)
    odd = {name: said for name, said in form.odd(answers.values).items() if name not in sent.get("sure", "").split(",")}
    if answers.faults or odd:
        state = FormState(typed=sent, faults=answers.faults | odd, sure=",".join(odd))
        return _show(request, what, form, found, state, 422)
    match what:
        case "ask" | "assign":
            return await _put_task(request, service, what, form, found, sent, answers.values)
        case "person":
            return await _link_person(request, service, form, found, sent, answers.values)
        case "link" if not sent.get("other"):
            return await _link_by_reference(request, service, form, found, sent, answers.values)
        case _:
            body = form.body(answers.values)
            return await _store(request, service, what, form, found, sent, body)


async def _form(
    service: Service, actor: Actor, what: str, found: LoadedIncident, asked: Mapping[str, str]
) -> EntryForm:
    if what not in OTHER_FORMS:
        return form_for(what, found, actor, asked)
    if what == "person":
        actor.require("people.match")
        return _person_form(actor)
    async with service.database.team(actor.team_id) as connection:
        colleagues = await tasks.list_colleagues(connection, actor)
    if what == "assign":
        return _assign_form([(str(each.staff_id), each.name) for each in colleagues])
    wrote = {each.author for each in found.stored}
    authors = [
        (str(each.staff_id), f"{each.name} ({words.PROFESSIONS.get(each.profession or '', each.role).lower()})")
        for each in colleagues
        if each.staff_id in wrote
    ]
    return _ask_form(authors, asked.get("about", ""), actor)


def _today(found: LoadedIncident) -> Any:
    return found.now.astimezone(found.zone).date()


def _show(
    request: PageRequest, what: str, form: EntryForm, found: LoadedIncident, state: FormState, status: int = 200
) -> Page:
    view = found.view
    typed = dict(state.typed)
    hidden = dict(form.hidden) | {
        "id": typed.get("id") or str(uuid7()),
        "seen": str(_seen(found)),
        "back": typed.get("back", ""),
        "sure": ",".join(filter(None, (typed.get("sure", ""), state.sure))),
    }
    questions = {field.name: field.question for field in form.fields}
    return page(
        request,
        "form.html",
        status,
        id=view.id,
        what=what,
        form=form,
        hidden=hidden,
        typed=typed,
        faults=state.faults,
        where={name: _first_input(field) for name in state.faults for field in form.fields if field.name == name},
        questions=questions,
        changed=state.changed,
        title=heading(view),
        when=words.when(view.occurred_at, found.now, found.zone),
        ref=reference(view),
        clock=clock(view, found.now, found.zone, height=18),
    )


def _first_input(field: Field) -> str:
    """The id of the input that an error leads to."""
    match field.kind:
        case "when":
            return f"{field.name}-time"
        case "duration":
            return f"{field.name}-hours"
        case "radios" | "boxes":
            return f"{field.name}-1"
        case _:
            return field.name


def _seen(found: LoadedIncident) -> int:
    """The place in the log up to which the reader has seen the incident."""
    return max(each.seq for each in found.stored)


def _changed_since(found: LoadedIncident, sent: Mapping[str, str]) -> list[str]:
    """The entries that came after the form was opened, in words."""
    text = sent.get("seen", "")
    seen = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    return [
        f"{words.KINDS.get(str(each.entry.__struct_config__.tag), 'An entry')}, by {author(each, found.names)}, "
        f"received {words.when(each.received_at, found.now, found.zone)}"
        for each in found.stored
        if each.seq > seen
    ]


def _back(found: LoadedIncident, sent: Mapping[str, str]) -> str:
    """Where one came from."""
    return {"today": "/review", "queue": "/review/queue"}.get(
        sent.get("back", ""), f"/review/incidents/{found.view.id}"
    )


# --- entries ---


async def _store(
    request: PageRequest,
    service: Service,
    what: str,
    form: EntryForm,
    found: LoadedIncident,
    sent: Mapping[str, str],
    body: Mapping[str, Any],
) -> Page:
    """Append the entry. What the log refuses is shown at its field, or as a page."""
    actor = request.user
    actor.require("entries.write")
    entry_id, now = uuid_field(sent, "id"), datetime.now(UTC)
    whole = dict(body) | {"incident_id": str(found.view.id), "captured_at": now, "codes_version": codes.version}
    if "amends" in whole:
        hidden = await review_lists.hidden_content(service.database, actor, found.stored, UUID(str(whole["amends"])))
        whole["entry"] = hidden | whole["entry"]
    if "other_incident_id" in whole:
        await service.incidents.find(actor, UUID(str(whole["other_incident_id"])), now)
    try:
        entry = decode(msgspec.json.encode(whole), entry_id)
    except Refused as refused:
        faults = {each.field.removeprefix("entry."): each.message for each in refused.problem.errors}
        return _show(request, what, form, found, FormState(typed=sent, faults=faults), 422)
    item = IncomingEntry(id=entry_id, entry=entry, content=canonical(entry), actor=actor, skew_ms=None)
    [appended] = await service.log.append(actor.team_id, [item])
    match appended.result:
        case Receipt() as receipt:
            notices = tuple(notice.message for notice in receipt.notices)
            return redirect(request, _back(found, sent), Done(form.done, _undo(found, entry_id), notices))
        case Problem() as problem if _is_again(problem):
            return redirect(request, _back(found, sent), Done(form.done, _undo(found, entry_id)))
        case Problem() as problem:
            return problem_page(request, problem)
        case _:
            return redirect(request, "/review/sign-in")


def _undo(found: LoadedIncident, entry_id: UUID) -> str:
    return f"/review/incidents/{found.view.id}/withdraw?entry={entry_id}"


def _is_again(problem: Problem) -> bool:
    """Whether the log holds this very entry already: its author sent the form twice, at two moments."""
    return problem.code == ENTRY_CONFLICT.code and [error.field for error in problem.errors] == ["captured_at"]


async def _link_by_reference(
    request: PageRequest,
    service: Service,
    form: EntryForm,
    found: LoadedIncident,
    sent: Mapping[str, str],
    values: Mapping[str, Any],
) -> Page:
    """The other incident by its log reference, which several may share."""
    wanted = IncidentFilter(log_ref=values["log_ref"], limit=MOST_WITH_REFERENCE)
    served, _ = await service.incidents.page(request.user, wanted, found.now)
    views = [incident.view_of(each) for each in served]
    others = [view for view in views if view.id != found.view.id]
    if len(others) == 1:
        body = form.body({**values, "other": str(others[0].id)})
        return await _store(request, service, "link", form, found, sent, body)
    if not others:
        faults = {"log_ref": "No other incident has this reference."}
        return _show(request, "link", form, found, FormState(typed=sent, faults=faults), 422)
    return page(
        request,
        "choose.html",
        id=found.view.id,
        title=heading(found.view),
        others=[(view.id, heading(view), words.when(view.occurred_at, found.now, found.zone)) for view in others],
    )


# --- tasks ---

OF_POLICE: Final = (("intent", "The intent"),)
ABOUT: Final = (
    ("location_type", "The place"),
    ("disposal", "The outcome"),
    ("at", "A time"),
    ("age", "The age"),
    ("intent", "The intent"),
    ("conflict", "Where records disagree"),
    ("other", "Something else"),
)


def _ask_form(authors: Sequence[tuple[str, str]], about: str, actor: Actor) -> EntryForm:
    """About a field that the addressee may see: health staff are asked of no intent."""
    options = ABOUT if actor.side == "police" else tuple(each for each in ABOUT if each not in OF_POLICE)
    known = about in dict(options)
    note = Field(
        name="text",
        kind="note",
        question="Question",
        required=False,
        longest=LONGEST_TEXT,
        hint="No names. It goes to the author’s phone with the next sync; the answer is an entry or an amendment.",
    )
    return EntryForm(
        title="Ask the author",
        button="Ask",
        done="Asked. It reaches the author’s phone with its next sync.",
        before="" if authors else "Nobody of your own profession wrote of this incident.",
        fields=(
            Field(
                name="to",
                kind="radios",
                question="Whom?",
                options=tuple(authors),
                hint="Your own staff who wrote of it.",
            ),
            Field(name="about", kind="radios", question="About what?", options=options),
            note,
        ),
        body=dict,
        odd=_odd_text,
        filled={"about": about if known else "conflict" if about else ""}
        | ({"to": authors[0][0]} if len(authors) == 1 else {}),
    )


def _assign_form(colleagues: Sequence[tuple[str, str]]) -> EntryForm:
    return EntryForm(
        title="Give somebody the chase",
        button="Give it",
        done="Given. It reaches the phone with its next sync.",
        fields=(
            Field(name="to", kind="choice", question="To whom?", options=tuple(colleagues)),
            when("due_at", "By when?"),
        ),
        body=dict,
    )


def _odd_text(values: Mapping[str, Any]) -> dict[str, str]:
    if likely_identifiers(values.get("text", "")):
        return {"text": "This looks like a name, a number or an address. Take it out, or send it again if it is none."}
    return {}


async def _put_task(
    request: PageRequest,
    service: Service,
    what: str,
    form: EntryForm,
    found: LoadedIncident,
    sent: Mapping[str, str],
    values: Mapping[str, Any],
) -> Page:
    new = NewTask(
        id=uuid_field(sent, "id"),
        incident_id=found.view.id,
        kind="ask" if what == "ask" else "chase",
        addressee=UUID(values["to"]),
        about=values.get("about", "disposal"),
        text=values.get("text", ""),
        due_at=values.get("due_at"),
    )
    await tasks.put_task(service.database, service.keys, request.user, new)
    return redirect(request, _back(found, sent), Done(form.done, f"/review/incidents/{found.view.id}#tasks"))


@post("/incidents/{id:uuid}/task/{task_id:uuid}/take-back", status_code=303)
async def take_back(
    request: PageRequest, service: TheService, id: ID, task_id: Annotated[UUID, PathParameter()]
) -> Page:
    """Take back what one asked, while nobody has answered."""
    sent = await read_form(request)
    here = f"/review/incidents/{id}"
    if "look" in sent:
        return redirect(request, here)
    await tasks.take_back(service.database, request.user, task_id)
    return redirect(request, here, Done("Taken back."))


# --- people ---


def _person_form(actor: Actor) -> EntryForm:
    number = (
        Field(name="nhs_number", kind="text", question="NHS number", required=False, hint="Ten digits.")
        if actor.side == "health"
        else Field(name="police_ref", kind="text", question="Police reference", required=False)
    )
    return EntryForm(
        title="Link a person",
        button="Link",
        done="The person is linked.",
        before="What is typed here is sealed, and never shown again. It says that this incident concerns the same "
        "person as others; nobody is told whether the person is known.",
        fields=(
            number,
            Field(name="family_name", kind="text", question="Family name", required=False),
            Field(name="given_name", kind="text", question="Given name", required=False),
            Field(
                name="born",
                kind="date",
                question="Date of birth",
                required=False,
                hint="Names and birth date count only together.",
            ),
            Field(name="reason", kind="radios", question="How is it known?", options=PERSON_REASONS),
        ),
        body=dict,
        odd=lambda values: (
            {} if len(values) > 1 else {"family_name": "Enter a number, or both names and the date of birth."}
        ),
    )


PERSON_REASONS: Final = (
    ("confirmed_identity", "Identity confirmed"),
    ("record_checked", "Found in a record"),
    ("other", "Something else"),
)


async def _link_person(
    request: PageRequest,
    service: Service,
    form: EntryForm,
    found: LoadedIncident,
    sent: Mapping[str, str],
    values: dict[str, Any],
) -> Page:
    """Every try counts towards the hour's limit of the account. Nothing that was typed is shown again."""
    actor, reason = request.user, values.pop("reason")
    most = service.settings.match_per_hour
    await attempts.count_attempt(service.database, "people", actor.account.bytes, most, HOUR)
    try:
        person_id = await service.people.register(actor, Identity(**values), found.now.date())
    except Refused as refused:
        faults = {each.field: each.message for each in refused.problem.errors}
        kept = {name: value for name, value in sent.items() if name in (*HIDDEN, "reason")}
        return _show(request, "person", form, found, FormState(typed=kept, faults=faults), 422)
    body = {"kind": "person_link", "person_id": str(person_id), "reason": reason}
    return await _store(request, service, "person", form, found, sent, body)


OTHER_FORMS: Final = ("ask", "assign", "person")
"""The forms that become something else than one entry from their answers."""
HANDLERS: Final = (show_form, send_form, take_back)
