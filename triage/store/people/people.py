"""People whom incidents may concern: sealed under a key each, found by keyed digests, never shown."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct, structs
from uuid_utils.compat import uuid4

from triage.access.actors import Actor, Side
from triage.people.encryption import DataKey, Root, decrypt, encrypt
from triage.people.identifiers import BlindIndex, Identifier, IdentifierKind, Identity, normalise
from triage.problems import NOT_FOUND, Refused
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.statements import statement

NUMBERS: Final[dict[Side, IdentifierKind]] = {"health": IdentifierKind.NHS_NUMBER, "police": IdentifierKind.POLICE_REF}
"""The identifier that belongs to a side, which its lead may search by."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Identity).decode


class Match(Struct, frozen=True):
    """The answer to a search: whom, under an alias of its own, and by what; both null where nobody is found."""

    person_id: UUID | None
    matched_on: str | None


class KnownPerson(NamedTuple):
    """A person, by the id that is never given out, with what is sealed of the person; erased: nothing."""

    person_id: UUID
    sealed: bytes | None
    key_ref: UUID | None


class _Found(NamedTuple):
    kind: str
    person_id: UUID
    sealed: bytes | None
    key_ref: UUID | None
    numbered: bool


_LOCK = statement("people.lock")
_FIND = statement("people.find", _Found)
_ADD = statement("people.add")
_ADD_ALIAS = statement("people.add_alias")
_ADD_IDENTIFIERS = statement("people.add_identifiers")
_RESEAL = statement("people.reseal")
_IS_OPEN = statement("people.is_open", bool)
_MATCH = statement("people.match", UUID)
_RESOLVE = statement("people.resolve", KnownPerson)
_ALIASES = statement("people.aliases", UUID)


class People:
    """The people of every team."""

    def __init__(self, database: Database, keys: KeyStore, root: Root) -> None:
        self._database = database
        self._keys = keys
        self._index = BlindIndex.of(root)

    async def register(self, actor: Actor, identity: Identity, today: date, alias: UUID | None = None) -> UUID:
        """A fresh alias of the person with this identity, known before or not: which aliases are one person is known to
        the service alone. Raises Refused (422) for impossible identifiers.

        A number decides alone. Name and birth date find somebody only where that joins no NHS number with a police
        reference, nor two numbers: then it is somebody else of the same name. `alias` is for the demo.
        """
        alias = alias or uuid4()
        identifiers = normalise(identity, today)
        digests = {identifier.kind: self._index.digest(actor.team_id, identifier) for identifier in identifiers}
        [key] = await self._keys.take(1)
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            await _LOCK.execute(connection, locks=sorted(_lock_of(digest) for digest in digests.values()))
            rows = await _FIND.fetch(connection, team_id=actor.team_id, digests=list(digests.values()))
            known, added = _decide(identifiers, {IdentifierKind(row.kind): row for row in rows})
            if known is None:
                person_id = await self._add(connection, actor.team_id, identity, key)
            else:
                person_id = known.person_id
                if added:
                    await self._add_to(connection, actor.team_id, known, identity)
            await self._add_identifiers(connection, actor.team_id, person_id, added, digests)
            await _ADD_ALIAS.execute(connection, team_id=actor.team_id, alias=alias, person_id=person_id)
            operation: audit.Operation = "collection" if known is None else "alteration" if added else "consultation"
            await audit.record(connection, actor, operation, "people", [person_id])
        return alias

    async def _add(self, connection: Connection, team_id: UUID, identity: Identity, key: DataKey) -> UUID:
        person_id = uuid4()
        sealed = encrypt(key.key, _encode(identity), _place(team_id, person_id))
        await _ADD.execute(connection, team_id=team_id, person_id=person_id, sealed=sealed, key_ref=key.ref)
        return person_id

    async def _add_to(self, connection: Connection, team_id: UUID, known: _Found, identity: Identity) -> None:
        """Keep what is newly known of somebody who was known by less."""
        assert known.key_ref and known.sealed
        key = (await self._keys.fetch([known.key_ref]))[known.key_ref]
        before = open_person(key, known.sealed, team_id, known.person_id)
        news = {name: value for name, value in structs.asdict(identity).items() if value is not None}
        sealed = encrypt(key, _encode(structs.replace(before, **news)), _place(team_id, known.person_id))
        await _RESEAL.execute(connection, team_id=team_id, person_id=known.person_id, sealed=sealed)

    async def _add_identifiers(
        self,
        connection: Connection,
        team_id: UUID,
        person_id: UUID,
        added: Sequence[Identifier],
        digests: dict[IdentifierKind, bytes],
    ) -> None:
        kinds = [identifier.kind for identifier in added]
        await _ADD_IDENTIFIERS.execute(
            connection,
            team_id=team_id,
            person_id=person_id,
            digests=[digests[kind] for kind in kinds],
            kinds=[str(kind) for kind in kinds],
        )

    async def match(self, actor: Actor, identity: Identity, incident_id: UUID, today: date) -> Match | None:
        """Whom a lead's own kind of number belongs to, for an incident under way. None: not for this role.

        Field roles are told nothing, and nothing is looked up for them, so that no timing tells either. Raises Refused:
        422 for impossible identifiers, 404 for an incident that is none of the team.
        """
        identifiers = {identifier.kind: identifier for identifier in normalise(identity, today)}
        match, ids = None, [incident_id]
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            if actor.level == "lead" and actor.side:
                is_open = await _IS_OPEN.fetch_first(connection, team_id=actor.team_id, incident_id=incident_id)
                if is_open is None:
                    raise Refused(NOT_FOUND)
                wanted = identifiers.get(NUMBERS[actor.side]) if is_open else None
                person_id = await self._find_by(connection, actor.team_id, wanted) if wanted else None
                match = Match(None, None)
                if person_id and wanted:
                    match = Match(uuid4(), str(wanted.kind))
                    await _ADD_ALIAS.execute(
                        connection, team_id=actor.team_id, alias=match.person_id, person_id=person_id
                    )
                    ids.append(person_id)
            await audit.record(connection, actor, "consultation", "people/match", ids)
        return match

    async def _find_by(self, connection: Connection, team_id: UUID, identifier: Identifier) -> UUID | None:
        return await _MATCH.fetch_first(connection, team_id=team_id, digest=self._index.digest(team_id, identifier))


async def resolve(connection: Connection, team_id: UUID, person_id: UUID) -> KnownPerson | None:
    """Whom an alias, or the person's own id, means."""
    return await _RESOLVE.fetch_first(connection, team_id=team_id, person_id=person_id)


async def list_aliases(connection: Connection, team_id: UUID, person_id: UUID) -> list[UUID]:
    """Every id under which somebody may speak of the person."""
    return await _ALIASES.fetch(connection, team_id=team_id, person_id=person_id)


def _decide(
    identifiers: Sequence[Identifier], known: dict[IdentifierKind, _Found]
) -> tuple[_Found | None, list[Identifier]]:
    """Whom these identifiers mean, if anybody known, and which of them are to be kept with the person."""
    numbers = [identifier for identifier in identifiers if identifier.kind is not IdentifierKind.NAME_AND_BIRTH]
    named = known.get(IdentifierKind.NAME_AND_BIRTH)
    for number in numbers:
        if number.kind in known:
            return known[number.kind], []
    if named is not None and (not numbers or not named.numbered):
        return named, numbers
    return None, numbers if named is not None else list(identifiers)


def _place(team_id: UUID, person_id: UUID) -> bytes:
    """The place that a sealed person is bound to: it opens in no other row."""
    return b"person" + team_id.bytes + person_id.bytes


def _lock_of(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def open_person(key: bytes, sealed: bytes, team_id: UUID, person_id: UUID) -> Identity:
    """A person's identifiers. Raises Undecryptable."""
    return _decode(decrypt(key, sealed, _place(team_id, person_id)))
