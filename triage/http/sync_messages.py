"""The messages of a sync."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from triage.log.entries import ClockTime
from triage.log.notices import Notice
from triage.problems import Problem
from triage.store.log.tasks import Ask

# what is passed on unread is described all the same
SentEntry = Annotated[
    Raw, Meta(extra_json_schema={"allOf": [{"$ref": "#/components/schemas/AnyEntry"}], "required": ["id"]})
]
SeenIncident = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/IncidentView"})]
ItemStatus = Annotated[str, Meta(extra_json_schema={"enum": ["stored", "duplicate", "refused", "quarantined"]})]


class SyncRequest(Struct, frozen=True):
    """`cursor` null starts afresh. `sent_at` lets the service measure the phone's clock. `pull` false only sends."""

    cursor: str | UnsetType | None = UNSET
    sent_at: ClockTime | UnsetType | None = UNSET
    entries: list[SentEntry] | UnsetType = UNSET
    pull: bool | UnsetType | None = UNSET


class Counts(Struct, frozen=True, kw_only=True):
    """How many items ended how."""

    stored: int
    duplicate: int
    refused: int
    quarantined: int


class ItemResult(Struct, frozen=True, kw_only=True):
    """The result of one item, in request order. `id` is null where the item had none that can be read."""

    id: UUID | None
    status: ItemStatus
    seq: int | UnsetType = UNSET
    notices: tuple[Notice, ...] | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class SyncAnswer(Struct, frozen=True, kw_only=True):
    """The changes for the phone; `gone` is to be wiped, `more` says that another page waits behind `cursor`.

    `epoch` names the history that the database holds, `service` is the version of the program, and `entry_schema` a
    digest of the shape of entries: where one of them is another than before, what was too new is offered again.
    """

    counts: Counts
    results: list[ItemResult]
    incidents: list[SeenIncident]
    gone: list[UUID]
    cursor: str | None
    more: bool
    server_time: datetime
    epoch: str
    service: str
    entry_schema: str
    codes_version: int
    asks: list[Ask]
    wipe: bool | UnsetType = UNSET


class HeldRequest(Struct, frozen=True):
    """Ids of entries that a phone still has."""

    ids: list[UUID]


class HeldAnswer(Struct, frozen=True):
    """Which of them are in the log, and which the phone should offer again."""

    held: list[UUID]
    missing: list[UUID]
