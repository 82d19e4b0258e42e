"""An incident with everything of it that a reader may see, loaded once for a page or a form."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.params import PathParameter
from msgspec import Struct

from triage.access.actors import PROFESSIONS, Actor
from triage.log import effective
from triage.log.canonical import shown_content
from triage.log.entries import SEALED, StoredEntry
from triage.log.view import IncidentView
from triage.pages import words
from triage.pages.local_time import LocalTime, local_time
from triage.service import Service
from triage.store.access import staff
from triage.store.log import tasks
from triage.store.log.served_entries import ServedEntry, list_entries
from triage.store.log.tasks import Task

ID = Annotated[UUID, PathParameter(description="The incident, under any of its ids.")]


class LoadedIncident(Struct, frozen=True, kw_only=True):
    """An incident with everything of it that the reader may see, loaded once for a page or form."""

    view: IncidentView
    entries: Sequence[ServedEntry]
    names: Mapping[UUID, str]
    tasks: Sequence[Task]
    local: LocalTime
    reader: Actor

    @property
    def stored(self) -> list[StoredEntry]:
        """The entries as redacted for the reader."""
        return [served.stored for served in self.entries]


async def load(service: Service, actor: Actor, incident_id: UUID) -> LoadedIncident:
    """An incident as the actor may see it. Raises Refused (404)."""
    local = await local_time(service, actor)
    _, served = await service.incidents.find(actor, incident_id, local.now)
    view = served.view
    entries = await list_entries(service.database, service.keys, actor, incident_id)
    authors = sorted({entry.stored.author for entry in entries})
    names = await staff.names_of_colleagues(service.database, actor, authors)
    ids = [view.id, *view.linked_ids]
    asked = await tasks.list_tasks_of(service.database, service.keys, actor, ids)
    return LoadedIncident(view=view, entries=entries, names=names, tasks=asked, local=local, reader=actor)


def texts_of(served: ServedEntry) -> dict[str, str]:
    """The free texts of an entry that the reader may read, by path."""
    if not served.secrets:
        return {}
    texts = msgspec.json.decode(served.secrets, type=dict[str, str])
    return {path: text for path, text in texts.items() if _is_left(served.stored.entry, path)}


def _is_left(entry: Any, path: str) -> bool:
    for name in path.split("."):
        entry = getattr(entry, name, None)
    return bool(entry == SEALED)


def content_of(served: ServedEntry) -> dict[str, Any]:
    """The content of an entry as redacted, its texts in place; for showing, and for refilling a form."""
    return shown_content(served.stored, texts_of(served))


def author(stored: StoredEntry, names: Mapping[UUID, str]) -> str:
    """Who wrote an entry: a colleague by name, others by profession."""
    profession = PROFESSIONS[stored.profession]
    name = names.get(stored.author)
    return f"{name} ({profession.lower()})" if name else words.ROLES.get(stored.role) or profession


def may_change(stored: StoredEntry, actor: Actor) -> bool:
    """Whether the actor may amend or withdraw an entry: its author, or the lead of its author's profession."""
    return stored.author == actor.staff_id or actor.role == effective.LEADS.get(stored.profession)
