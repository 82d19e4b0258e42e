"""Making the journal true again in a database that is older than it, line by line in the journal's order."""

from typing import assert_never
from uuid import UUID

from triage.store import outbox
from triage.store.access.staff import disable_staff
from triage.store.access.teams import team_ids
from triage.store.database import Connection, set_team
from triage.store.exports import agreements, releases
from triage.store.journal import Journal, JournalFault
from triage.store.journal_lines import (
    PUBLISHED,
    AgreementRevoked,
    ChainAnchored,
    ChainRewound,
    DestinationDisabled,
    DeviceRevoked,
    EpochBegan,
    HoldLifted,
    HoldPlaced,
    JournalLine,
    NotesErased,
    PartnerRevoked,
    PersonErased,
    RegimeChanged,
    ReleaseWithdrawn,
    RowPublished,
    StaffDisabled,
    TokenIssued,
    TokenReplaced,
    TokenRevoked,
)
from triage.store.keys import KeyStore
from triage.store.people import erasure
from triage.store.recovery.history import REMEMBER_LOSS
from triage.store.statements import statement

_REVOKE_DEVICE = statement("recovery.revoke_device")
_ISSUE_TOKEN = statement("recovery.issue_token")
_USE_TOKEN = statement("recovery.use_token")
_REVOKE_TOKEN = statement("recovery.revoke_token")
_KEEP_PUBLISHED = statement("recovery.keep_published", str)
_END_SESSIONS = statement("recovery.end_sessions")


async def replay(connection: Connection, keys: KeyStore | None, journal: Journal) -> None:
    """Make every line true, for the teams that the database has, and end every session of the pages.

    `connection` is the owner's, in a transaction. Without `keys` the key store is left alone. Raises JournalFault.
    """
    known = set(await team_ids(connection))
    team: UUID | None = None
    async for line in journal.lines():
        if line.team_id in known:
            if line.team_id != team:
                team = line.team_id
                await set_team(connection, team)
            await _make_true(connection, keys, line)
    await _END_SESSIONS.execute(connection)


async def _make_true(connection: Connection, keys: KeyStore | None, line: JournalLine) -> None:
    team_id, at = line.team_id, line.at
    match line:
        case DeviceRevoked(device_id=device_id):
            await _REVOKE_DEVICE.execute(connection, team_id=team_id, device_id=device_id, at=at)
        case StaffDisabled(staff_id=staff_id):
            await disable_staff(connection, team_id, staff_id)
        case TokenIssued() | TokenReplaced() | TokenRevoked():
            await _settle_token(connection, line)
        case PartnerRevoked(partner_id=partner_id):
            await agreements.revoke_partner(connection, team_id, partner_id, at)
        case AgreementRevoked(agreement_id=agreement_id):
            await agreements.revoke_agreement(connection, team_id, agreement_id, at)
        case DestinationDisabled(destination_id=destination_id):
            await outbox.disable_destination(connection, team_id, destination_id, at)
        case ReleaseWithdrawn(dataset=dataset, period=period, edition=edition, because=because):
            await releases.withdraw(connection, team_id, dataset, period, edition, at, because)
        case PersonErased() | NotesErased() | HoldPlaced() | HoldLifted() | RegimeChanged():
            await erasure.replay(connection, keys, line)
        case RowPublished():
            await _keep(connection, line)
        case ChainRewound(chain="entries", since=since) if since is not None:
            await REMEMBER_LOSS.execute(connection, team_id=team_id, since=since, until=at)
        case ChainAnchored() | ChainRewound() | EpochBegan():
            pass  # for verifying, see anchors and history
        case _:
            assert_never(line)


async def _settle_token(connection: Connection, line: TokenIssued | TokenReplaced | TokenRevoked) -> None:
    values = {"team_id": line.team_id, "token_hash": bytes.fromhex(line.hash), "at": line.at}
    match line:
        case TokenIssued(device_id=device_id, partner_id=partner_id, send_only=send_only):
            whose = {"device_id": device_id, "partner_id": partner_id}
            await _ISSUE_TOKEN.execute(connection, send_only=send_only, **values, **whose)
        case TokenReplaced():
            await _USE_TOKEN.execute(connection, **values)
        case TokenRevoked():
            await _REVOKE_TOKEN.execute(connection, **values)


async def _keep(connection: Connection, line: RowPublished) -> None:
    if line.table not in PUBLISHED:
        raise JournalFault(f"the journal names a table that is not published: {line.table}")
    row = bytes(line.row).decode()
    insert = await _KEEP_PUBLISHED.fetch_one(connection, table_name=line.table, row=row)
    await connection.execute(insert, row)
