"""The lines of the journal: each something that holds whatever is restored."""

from datetime import datetime
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

PUBLISHED: Final = (
    "partner",
    "agreement",
    "force_total",
    "code_lists",
    "summary_run",
    "summary_edition",
    "release_cadence",
    "release",
    "release_row",
    "rendering",
    "rendered_file",
    "rendered_chunk",
)
"""The tables whose rows are kept in the journal, parents first."""


class _Line(Struct, frozen=True, tag_field="what", kw_only=True):
    """Something that holds whatever is restored."""

    at: datetime
    team_id: UUID


class DeviceRevoked(_Line, frozen=True, tag="revocation", kw_only=True):
    """A device was revoked."""

    device_id: UUID


class StaffDisabled(_Line, frozen=True, tag="leaver", kw_only=True):
    """An account was disabled, with its devices."""

    staff_id: UUID


class TokenIssued(_Line, frozen=True, tag="token", kw_only=True):
    """A further token of a device or partner, by its hash in hex."""

    hash: str
    device_id: UUID | None = None
    partner_id: UUID | None = None
    send_only: bool = False


class TokenReplaced(_Line, frozen=True, tag="token_used", kw_only=True):
    """A token was first used: the ones of its kind before it ended."""

    hash: str


class TokenRevoked(_Line, frozen=True, tag="token_revoked", kw_only=True):
    """A token of a partner was revoked."""

    hash: str


class PartnerRevoked(_Line, frozen=True, tag="partner_revoked", kw_only=True):
    """All access of a partner ended."""

    partner_id: UUID


class AgreementRevoked(_Line, frozen=True, tag="agreement_revoked", kw_only=True):
    """An agreement ended."""

    agreement_id: UUID


class DestinationDisabled(_Line, frozen=True, tag="destination_disabled", kw_only=True):
    """Nothing is sent to this address any more."""

    destination_id: UUID


class ReleaseWithdrawn(_Line, frozen=True, tag="release_withdrawn", kw_only=True):
    """A release was withdrawn as a whole."""

    dataset: str
    period: str
    edition: int
    because: str


class PersonErased(_Line, frozen=True, tag="person_erasure", kw_only=True):
    """A person's identifiers were destroyed, and the key of this reference. Ids lead to nothing any more."""

    receipt: UUID
    person_id: UUID
    by: str
    key: UUID | None = None


class NotesErased(_Line, frozen=True, tag="notes_erasure", kw_only=True):
    """The texts of these entries were destroyed; `keys` are their references in the key store. `whole`: the incidents
    were erased, and take nothing new."""

    receipt: UUID
    incident_ids: list[UUID]
    entries: list[UUID]
    keys: list[UUID]
    by: str
    whole: bool = False


class HoldPlaced(_Line, frozen=True, tag="hold", kw_only=True):
    """An incident was put under legal hold at this instant."""

    incident_id: UUID
    reason: str
    by: str


class HoldLifted(_Line, frozen=True, tag="lift", kw_only=True):
    """Every hold that an incident was under at this instant was lifted."""

    incident_id: UUID
    by: str


class RegimeChanged(_Line, frozen=True, tag="regime", kw_only=True):
    """Incidents were put under a regime at this instant."""

    incident_ids: list[UUID]
    regime: str
    reason: str
    by: str


class RowPublished(_Line, frozen=True, tag="published", kw_only=True):
    """A row of what was published, or of what it rests on, as it was stored: kept, and never cut again."""

    table: str
    row: msgspec.Raw


ChainName = Literal["entries", "audit", "pulls"]


class ChainAnchored(_Line, frozen=True, tag="head", kw_only=True):
    """Where a chain of the team stood: whoever cuts its end off in the database does not reach this."""

    chain: ChainName
    position: int
    link: str


class ChainRewound(_Line, frozen=True, tag="rewound", kw_only=True):
    """The chain went on from here, after a restore or in an adopted database; what was told of later positions is void.

    `since` is when the last row that was kept was written: what phones sent between then and `at` is lost here, and is
    received again.
    """

    chain: ChainName
    position: int
    since: datetime | None = None


class EpochBegan(_Line, frozen=True, tag="epoch", kw_only=True):
    """The history that the database holds has a new name."""

    epoch: UUID


JournalLine = (
    DeviceRevoked
    | StaffDisabled
    | TokenIssued
    | TokenReplaced
    | TokenRevoked
    | PartnerRevoked
    | AgreementRevoked
    | DestinationDisabled
    | ReleaseWithdrawn
    | PersonErased
    | NotesErased
    | HoldPlaced
    | HoldLifted
    | RegimeChanged
    | RowPublished
    | ChainAnchored
    | ChainRewound
    | EpochBegan
)


def kind_of(line: JournalLine) -> str:
    """The key by which lines are looked up: the tag, and of a published row its table."""
    tag = str(line.__struct_config__.tag)
    return f"{tag} {line.table}" if isinstance(line, RowPublished) else tag


def name_of(line: JournalLine) -> bytes | None:
    """The digest by which a published row is known: of a run, which goes on changing, only which one it is."""
    if not isinstance(line, RowPublished):
        return None
    values = msgspec.json.decode(line.row)
    if line.table == "summary_run":
        values = {name: values[name] for name in ("team_id", "kind", "period", "form")}
    return sha256(line.table.encode() + msgspec.json.encode(values, order="sorted")).digest()
