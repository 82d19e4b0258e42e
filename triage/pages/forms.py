"""One page a form, reached from what asks for it and sent with the second press: an entry, a task or a person's link.

The entry's id comes with the page, so that sending a form twice is one entry. The page also carries the place in the
log up to which it showed the incident: a form that has gone stale says what changed before it is sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter
from uuid_utils.compat import uuid7

from triage import codes
from triage.access.actors import PROFESSIONS, Actor
from triage.log.append_decision import IncomingEntry, Receipt
from triage.log.canonical import canonical
from triage.log.decode import decode
from triage.pages import fields, words
from triage.pages.entry_forms import form_for
from triage.pages.fields import Field
from triage.pages.form import EntryForm
from triage.pages.incident_words import clock, heading, reference
from triage.pages.loaded_incident import ID, LoadedIncident, author, load
from triage.pages.other_forms import ask_form, assign_form, person_form
from triage.pages.refusals import problem_page
from triage.pages.request import (
    FormSuccess,
    Page,
    PageRequest,
    TheService,
    page,
    read_form,
    redirect,
    uuid_field,
)
from triage.people.identifiers import Identity
from triage.problems import ENTRY_CONFLICT, Problem, Refused
from triage.service import Service
from triage.store.access import attempts
from triage.store.log import review_lists, tasks
from triage.store.log.incidents import IncidentFilter
from triage.store.log.tasks import NewTask

MOST_WITH_REFERENCE: Final = 20
NOT_OF_THE_PERSON: Final = ("id", "seen", "sure", "back", "other", "entry", "reason")
"""The fields of a person's form that may be shown again."""
What = Annotated[str, PathParameter(description="What is to be recorded.")]
_Query = Annotated[str, QueryParameter(max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForm:
    """A form about an incident, as one request opens or sends it."""

    request: PageRequest
    service: Service
    what: str
    form: EntryForm
    incident: LoadedIncident
    sent: Mapping[str, str]

    @property
    def actor(self) -> Actor:
        """Whose name goes with what is recorded."""
        return self.incident.reader

    def show(
        self,
        status: int = 200,
        *,
        typed: Mapping[str, str] | None = None,
        faults: Mapping[str, str] = {},
        sure: str = "",
        changed: Sequence[str] = (),
    ) -> Page:
        """The form with what was typed, else sent, what is wrong with it, and what changed since it was opened."""
        incident, view, form = self.incident, self.incident.view, self.form
        typed = self.sent if typed is None else typed
        hidden = {
            "id": typed.get("id") or str(uuid7()),
            "seen": str(max(entry.seq for entry in incident.stored)),
            "back": typed.get("back", ""),
            "sure": ",".join(filter(None, (typed.get("sure", ""), sure))),
        }
        return page(
            self.request,
            "form.html",
            status,
            id=view.id,
            what=self.what,
            form=form,
            hidden=dict(form.hidden) | hidden,
            typed=typed,
            faults=faults,
            where={field.name: _first_input(field) for field in form.fields if field.name in faults},
            questions={field.name: field.question for field in form.fields},
            changed=changed,
            title=heading(view),
            when=incident.local.when(view.occurred_at),
            ref=reference(view),
            clock=clock(view, incident.local, height=18),
        )

    def leave(self, undo: str = "", notices: tuple[str, ...] = ()) -> Page:
        """Back to where the form was opened from, saying what it has done."""
        origins = {"today": "/review", "queue": "/review/queue"}
        back = origins.get(self.sent.get("back", ""), f"/review/incidents/{self.incident.view.id}")
        return redirect(self.request, back, FormSuccess(self.form.done, undo, notices))

    def leave_recorded(self, notices: tuple[str, ...] = ()) -> Page:
        """Back, with the entry in the log and a way to withdraw it."""
        undo = f"/review/incidents/{self.incident.view.id}/withdraw?entry={uuid_field(self.sent, 'id')}"
        return self.leave(undo, notices)


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
    opened = await _open(request, service, id, what, {"other": other, "entry": entry, "about": about})
    form, incident = opened.form, opened.incident
    return opened.show(typed=fields.typed(form.fields, form.filled, incident.local) | {"back": back})


@post("/incidents/{id:uuid}/{what:str}", status_code=303)
async def send_form(request: PageRequest, service: TheService, id: ID, what: What) -> Page:
    """Store what the form says, or show it again with everything typed and what is wrong."""
    sent = await read_form(request)
    opened = await _open(request, service, id, what, sent)
    form, incident = opened.form, opened.incident
    if "look" in sent:
        return opened.show()
    entry_id = uuid_field(sent, "id")
    if any(entry.id == entry_id for entry in incident.stored):
        return opened.leave_recorded()
    if changed := _changed_since(incident, sent):
        return opened.show(409, changed=changed)
    answers = fields.read(form.fields, sent, incident.local.zone)
    odd = {name: said for name, said in form.odd(answers.values).items() if name not in sent.get("sure", "").split(",")}
    if answers.faults or odd:
        return opened.show(422, faults=answers.faults | odd, sure=",".join(odd))
    match what:
        case "ask" | "assign":
            return await _put_task(opened, answers.values)
        case "person":
            return await _link_person(opened, answers.values)
        case "link" if not sent.get("other"):
            return await _link_by_reference(opened, answers.values)
        case _:
            return await _store(opened, form.body(answers.values))


async def _open(
    request: PageRequest, service: Service, incident_id: UUID, what: str, asked: Mapping[str, str]
) -> OpenForm:
    incident = await load(service, request.user, incident_id)
    form = await _form(service, what, incident, asked)
    return OpenForm(request=request, service=service, what=what, form=form, incident=incident, sent=asked)


async def _form(service: Service, what: str, incident: LoadedIncident, asked: Mapping[str, str]) -> EntryForm:
    actor = incident.reader
    if what not in ("ask", "assign", "person"):
        return form_for(what, incident, asked)
    if what == "person":
        actor.require("people.match")
        return person_form(actor)
    async with service.database.team(actor.team_id) as connection:
        colleagues = await tasks.list_colleagues(connection, actor)
    if what == "assign":
        return assign_form([(str(colleague.staff_id), colleague.name) for colleague in colleagues])
    wrote = {entry.author for entry in incident.stored}
    authors = [
        (str(colleague.staff_id), f"{colleague.name} ({_profession(colleague).lower()})")
        for colleague in colleagues
        if colleague.staff_id in wrote
    ]
    return ask_form(authors, asked.get("about", ""), actor)


def _profession(colleague: tasks.Colleague) -> str:
    return PROFESSIONS.get(colleague.profession or "", colleague.role)


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


def _changed_since(incident: LoadedIncident, sent: Mapping[str, str]) -> list[str]:
    """The entries that came after the form was opened, in words."""
    text = sent.get("seen", "")
    seen = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    return [
        f"{words.kind(entry.entry)}, by {author(entry, incident.names)}, "
        f"received {incident.local.when(entry.received_at)}"
        for entry in incident.stored
        if entry.seq > seen
    ]


# --- entries ---


async def _store(opened: OpenForm, body: Mapping[str, Any]) -> Page:
    """Append the entry. What the log refuses is shown at its field, or as a page."""
    service, actor, incident = opened.service, opened.actor, opened.incident
    actor.require("entries.write")
    entry_id, now = uuid_field(opened.sent, "id"), datetime.now(UTC)
    whole = dict(body) | {"incident_id": str(incident.view.id), "captured_at": now, "codes_version": codes.version}
    if "amends" in whole:
        amended = UUID(str(whole["amends"]))
        hidden = await review_lists.hidden_content(service.database, actor, incident.stored, amended)
        whole["entry"] = hidden | whole["entry"]
    if "other_incident_id" in whole:
        await service.incidents.find(actor, UUID(str(whole["other_incident_id"])), now)
    try:
        entry = decode(msgspec.json.encode(whole), entry_id)
    except Refused as refused:
        return opened.show(422, faults=_faults(refused))
    item = IncomingEntry(id=entry_id, entry=entry, content=canonical(entry), actor=actor, skew_ms=None)
    [appended] = await service.log.append(actor.team_id, [item])
    match appended.result:
        case Receipt() as receipt:
            return opened.leave_recorded(tuple(notice.message for notice in receipt.notices))
        case Problem() as problem if _is_again(problem):
            return opened.leave_recorded()
        case Problem() as problem:
            return problem_page(opened.request, problem)
        case _:
            return redirect(opened.request, "/review/sign-in")


def _faults(refused: Refused) -> dict[str, str]:
    return {error.field.removeprefix("entry."): error.message for error in refused.problem.errors}


def _is_again(problem: Problem) -> bool:
    """Whether the log holds this very entry already: its author sent the form twice, at two moments."""
    return problem.code == ENTRY_CONFLICT.code and [error.field for error in problem.errors] == ["captured_at"]


async def _link_by_reference(opened: OpenForm, values: Mapping[str, Any]) -> Page:
    """The other incident by its log reference, which several may share."""
    incident = opened.incident
    wanted = IncidentFilter(log_ref=values["log_ref"], limit=MOST_WITH_REFERENCE)
    served, _ = await opened.service.incidents.page(opened.actor, wanted, incident.local.now)
    views = [view for view in (shown.view for shown in served) if view.id != incident.view.id]
    if not views:
        return opened.show(422, faults={"log_ref": "No other incident has this reference."})
    if len(views) == 1:
        return await _store(opened, opened.form.body({**values, "other": str(views[0].id)}))
    return page(
        opened.request,
        "choose.html",
        id=incident.view.id,
        title=heading(incident.view),
        others=[(view.id, heading(view), incident.local.when(view.occurred_at)) for view in views],
    )


# --- tasks ---


async def _put_task(opened: OpenForm, values: Mapping[str, Any]) -> Page:
    incident_id = opened.incident.view.id
    task = NewTask(
        id=uuid_field(opened.sent, "id"),
        incident_id=incident_id,
        kind="ask" if opened.what == "ask" else "chase",
        addressee=UUID(values["to"]),
        about=values.get("about", "disposal"),
        text=values.get("text", ""),
        due_at=values.get("due_at"),
    )
    await tasks.put_task(opened.service.database, opened.service.keys, opened.actor, task)
    return opened.leave()


# --- people ---


async def _link_person(opened: OpenForm, values: dict[str, Any]) -> Page:
    """Every try counts towards the hour's limit of the account. Nothing that was typed is shown again."""
    service, actor, reason = opened.service, opened.actor, values.pop("reason")
    most = service.settings.match_per_hour
    await attempts.count_attempt(service.database, "people", actor.account.bytes, most)
    try:
        person_id = await service.people.register(actor, Identity(**values), opened.incident.local.now.date())
    except Refused as refused:
        kept = {name: value for name, value in opened.sent.items() if name in NOT_OF_THE_PERSON}
        return opened.show(422, typed=kept, faults=_faults(refused))
    return await _store(opened, {"kind": "person_link", "person_id": str(person_id), "reason": reason})


HANDLERS: Final = (show_form, send_form)
