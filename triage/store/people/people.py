"""People whom incidents may concern: sealed under a key each, found by keyed digests, never shown."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs
from uuid_utils.compat import uuid4

from triage.access.actors import Actor, Side
from triage.people.encryption import Root, decrypt, encrypt
from triage.people.identifiers import BlindIndex, Identifier, IdentifierKind, Identity, normalise
from triage.store import audit
from triage.store.database import Connection, Database
from triage.store.keys import KeyStore
from triage.store.statements import load

SQL = load("people")

NUMBERS: Final[dict[Side, IdentifierKind]] = {"health": IdentifierKind.NHS_NUMBER, "police": IdentifierKind.POLICE_REF}
"""The identifier that belongs to a side, which its lead may search by."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Identity).decode


class Known(Struct, frozen=True):
    """A person by id; `made`: nobody told of the person before."""

    person_id: UUID
    made: bool


class Match(Struct, frozen=True):
    """The answer to a search: whom, and by what; both null where nobody is found."""

    person_id: UUID | None
    matched_on: str | None


class People:
    """The people of every team."""

    def __init__(self, database: Database, keys: KeyStore, root: Root) -> None:
        self._database = database
        self._keys = keys
        self._index = BlindIndex.of(root)

    async def find_or_create(
        self, actor: Actor, identity: Identity, today: date, person_id: UUID | None = None
    ) -> Known:
        """The person with this identity, made where nobody is found. Raises Refused (422) for impossible identifiers.

        A number decides alone. Name and birth date find somebody only where that joins no NHS number with a police
        reference, nor two numbers: then it is somebody else of the same name. `person_id` is for the demo.
        """
        identifiers = normalise(identity, today)
        digests = {one.kind: self._index.digest(actor.team_id, one) for one in identifiers}
        [key] = await self._keys.take(1)
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            await connection.execute(SQL.lock, sorted(_lock_of(digest) for digest in digests.values()))
            rows = await connection.fetch(SQL.find, actor.team_id, list(digests.values()))
            found = {IdentifierKind(row["kind"]): row for row in rows}
            held, added = _decide(identifiers, found)
            if held is not None:
                if added:
                    await self._add_to(connection, actor, held, identity, added, digests)
                operation: audit.Operation = "alteration" if added else "consultation"
                await audit.record(connection, actor, operation, "people", [held["person_id"]])
                return Known(held["person_id"], False)
            made = person_id or uuid4()
            sealed = encrypt(key.key, _encode(identity), _place(actor.team_id, made))
            await connection.execute(SQL.add, actor.team_id, made, sealed, key.ref)
            await self._add_identifiers(connection, actor.team_id, made, added, digests)
            await audit.record(connection, actor, "collection", "people", [made])
        return Known(made, True)

    async def _add_to(
        self,
        connection: Connection,
        actor: Actor,
        held: Any,
        identity: Identity,
        added: Sequence[Identifier],
        digests: dict[IdentifierKind, bytes],
    ) -> None:
        """Keep what is newly known of somebody who was known by less."""
        keys = await self._keys.fetch([held["key_ref"]])
        place = _place(actor.team_id, held["person_id"])
        before = _decode(decrypt(keys[held["key_ref"]], held["sealed"], place))
        news = {name: value for name, value in structs.asdict(identity).items() if value is not None}
        sealed = encrypt(keys[held["key_ref"]], _encode(structs.replace(before, **news)), place)
        await connection.execute(SQL.reseal, actor.team_id, held["person_id"], sealed)
        await self._add_identifiers(connection, actor.team_id, held["person_id"], added, digests)

    async def _add_identifiers(
        self,
        connection: Connection,
        team_id: UUID,
        person_id: UUID,
        added: Sequence[Identifier],
        digests: dict[IdentifierKind, bytes],
    ) -> None:
        kinds = [one.kind for one in added]
        await connection.execute(
            SQL.add_identifiers, team_id, [digests[kind] for kind in kinds], [str(kind) for kind in kinds], person_id
        )

    async def match(self, actor: Actor, identity: Identity, today: date) -> Match | None:
        """Whom a lead's own kind of number belongs to, if an incident of the person is open. None: not for this role.

        Field roles are told nothing, and nothing is looked up for them, so that no timing tells either. Raises Refused
        (422) for impossible identifiers.
        """
        identifiers = {one.kind: one for one in normalise(identity, today)}
        told = None
        async with self._database.team(actor.team_id) as connection, connection.transaction():
            if actor.level == "lead" and actor.side:
                wanted = identifiers.get(NUMBERS[actor.side])
                digest = self._index.digest(actor.team_id, wanted) if wanted else b""
                person_id = await connection.fetchval(SQL.match, actor.team_id, digest)
                told = Match(person_id, str(wanted.kind) if wanted and person_id else None)
            ids = [told.person_id] if told and told.person_id else []
            await audit.record(connection, actor, "consultation", "people/match", ids)
        return told


def _decide(identifiers: Sequence[Identifier], found: dict[IdentifierKind, Any]) -> tuple[Any, list[Identifier]]:
    """Whom these identifiers mean, if anybody known, and which of them are to be kept with the person."""
    numbers = [one for one in identifiers if one.kind is not IdentifierKind.NAME_AND_BIRTH]
    named = found.get(IdentifierKind.NAME_AND_BIRTH)
    for number in numbers:
        if number.kind in found:
            return found[number.kind], []
    if named is not None and (not numbers or not named["numbered"]):
        return named, numbers
    return None, numbers if named is not None else list(identifiers)


def _place(team_id: UUID, person_id: UUID) -> bytes:
    """What a sealed person is bound to: it opens in no other row."""
    return b"person" + team_id.bytes + person_id.bytes


def _lock_of(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def open_person(key: bytes, sealed: bytes, team_id: UUID, person_id: UUID) -> Identity:
    """What is known of a person. Raises Unreadable."""
    return _decode(decrypt(key, sealed, _place(team_id, person_id)))
