"""Partners' agreements and tokens, as the owner of the database signs and revokes them."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from triage.access.actors import new_token
from triage.errors import OperatorError
from triage.exports import members as m
from triage.exports.calendar import Dataset
from triage.exports.keys import Keys
from triage.exports.rendering import SignedAgreement
from triage.exports.selection import Body, Selection, columns_for, faults
from triage.store.access import devices
from triage.store.database import Connection
from triage.store.exports import releases, rendered_files
from triage.store.statements import statement

TOKEN_NAME: int = 8
"""Hex digits of a token's hash by which it is listed and revoked."""


class AgreementFault(OperatorError):
    """An agreement that cannot be signed; the message says why."""


class NewAgreement(Struct, frozen=True, kw_only=True):
    """An agreement to be signed. Columns and areas: None is all that the kind of body may get."""

    agreement_id: UUID
    partner_id: UUID
    datasets: tuple[Dataset, ...]
    purpose: str
    contact: str
    expires_at: datetime
    columns: tuple[str, ...] | None = None
    areas: tuple[str, ...] | None = None


class ListedPartner(Struct, frozen=True):
    """A partner organisation."""

    partner_id: UUID
    name: str
    body: str
    revoked_at: datetime | None


class ListedAgreement(Struct, frozen=True):
    """An agreement as signed."""

    agreement_id: UUID
    partner_id: UUID
    datasets: list[str]
    purpose: str
    contact: str
    expires_at: datetime
    revoked_at: datetime | None


class ListedToken(Struct, frozen=True):
    """A partner's token, by the first digits of its hash."""

    name: str
    partner_id: UUID
    used_at: datetime | None
    revoked_at: datetime | None


class _SignedPartner(Struct, frozen=True):
    body: Body
    revoked: bool


_PARTNER = statement("agreements.partner", _SignedPartner)
_END_EXPIRED = statement("agreements.end_expired")
_SIGN = statement("agreements.sign")
_REVOKE_AGREEMENT = statement("agreements.revoke_agreement", UUID)
_REVOKE_TOKEN = statement("agreements.revoke_token", bytes)
_REVOKE_PARTNER = statement("agreements.revoke_partner", UUID)
_PARTNERS = statement("agreements.partners", ListedPartner)
_AGREEMENTS = statement("agreements.agreements", ListedAgreement)
_TOKENS = statement("agreements.tokens", ListedToken)


async def sign(connection: asyncpg.Connection, team_id: UUID, new: NewAgreement, keys: Keys, now: datetime) -> int:
    """Sign an agreement and render every release that it covers, in the caller's transaction; how many those are.

    Raises AgreementFault: unknown or revoked partner, a column or area that no file of such a body has, an expiry that
    has passed, or an agreement in force for the same dataset.
    """
    await releases.lock_releases(connection, team_id)
    body = await _body(connection, team_id, new.partner_id)
    selection = Selection(
        str(new.partner_id),
        body,
        columns_for(body) if new.columns is None else new.columns,
        m.AREA.classes if new.areas is None else new.areas,
    )
    if refused := faults(selection):
        raise AgreementFault(f"in no release, or not for a body of the kind {body}: {', '.join(refused)}")
    if new.expires_at <= now:
        raise AgreementFault("the agreement would have expired already")
    await _END_EXPIRED.execute(connection, team_id=team_id, partner_id=new.partner_id, now=now)
    try:
        await _SIGN.execute(
            connection,
            team_id=team_id,
            agreement_id=new.agreement_id,
            partner_id=new.partner_id,
            datasets=new.datasets,
            columns=selection.columns,
            areas=selection.areas,
            purpose=new.purpose,
            contact=new.contact,
            signed_at=now,
            expires_at=new.expires_at,
        )
    except asyncpg.UniqueViolationError as error:
        raise AgreementFault("an agreement for the same dataset is in force: revoke it first") from error
    agreed = SignedAgreement(new.agreement_id, selection, new.purpose)
    standing = await releases.releases_in_force(connection, team_id, new.datasets)
    for stored in standing:
        whole = await releases.load_rows(connection, team_id, stored)
        await rendered_files.render(connection, team_id, whole, [agreed], keys, now)
    return len(standing)


async def _body(connection: asyncpg.Connection, team_id: UUID, partner_id: UUID) -> Body:
    partner = await _PARTNER.fetch_first(connection, team_id=team_id, partner_id=partner_id)
    if partner is None or partner.revoked:
        raise AgreementFault("there is no such partner in this team, or it was revoked")
    return partner.body


async def add_token(connection: asyncpg.Connection, team_id: UUID, partner_id: UUID) -> str:
    """A further token of a partner, shown once. Raises AgreementFault for an unknown or revoked partner."""
    await _body(connection, team_id, partner_id)
    token = new_token()
    await devices.add_token(connection, token, team_id, partner_id=partner_id)
    return token


async def revoke_token(
    connection: asyncpg.Connection, team_id: UUID, partner_id: UUID, name: str, now: datetime
) -> list[bytes]:
    """Revoke the tokens of this name, at once on every process; the hashes of those that worked."""
    return await _REVOKE_TOKEN.fetch(connection, team_id=team_id, partner_id=partner_id, name=name, now=now)


async def revoke_agreement(connection: Connection, team_id: UUID, agreement_id: UUID, now: datetime) -> bool:
    """End an agreement; False where there is none in force."""
    revoked = await _REVOKE_AGREEMENT.fetch_first(connection, team_id=team_id, agreement_id=agreement_id, now=now)
    return revoked is not None


async def revoke_partner(connection: Connection, team_id: UUID, partner_id: UUID, now: datetime) -> bool:
    """End all access of a partner; False where there is none."""
    return await _REVOKE_PARTNER.fetch_first(connection, team_id=team_id, partner_id=partner_id, now=now) is not None


async def partners(connection: asyncpg.Connection, team_id: UUID) -> list[ListedPartner]:
    """Every partner of a team."""
    return await _PARTNERS.fetch(connection, team_id=team_id)


async def agreements(connection: asyncpg.Connection, team_id: UUID) -> list[ListedAgreement]:
    """Every agreement of a team, in the order of signing."""
    return await _AGREEMENTS.fetch(connection, team_id=team_id)


async def tokens(connection: asyncpg.Connection, team_id: UUID) -> list[ListedToken]:
    """Every token of every partner, without the token."""
    return await _TOKENS.fetch(connection, team_id=team_id)
