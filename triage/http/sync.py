"""`POST /v1/sync`: everything a phone needs in one round trip. Lean as `PUT /v1/entries/{id}` is."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from msgspec import Raw, structs

from triage import codes
from triage.access.actors import Actor
from triage.http.access_control import needs, sign_in
from triage.http.bodies import read_json
from triage.http.entries import skew_of
from triage.http.negotiation import MINIMAL, prefers_minimal, ready
from triage.http.openapi import PREFERENCE_APPLIED
from triage.http.parameters import SignedIn, TheService
from triage.http.sync_messages import Counts, HeldAnswer, HeldRequest, ItemResult, SyncAnswer, SyncRequest
from triage.http.versions import SERVICE, entry_schema
from triage.log.append_decision import IncomingEntry, Receipt, StaleSender
from triage.log.body_errors import as_uuid
from triage.log.canonical import canonical
from triage.log.decode import decode_as, decode_item
from triage.log.phone_clock import ClockCorrection, clock_correction
from triage.problems import (
    BUSY,
    CURSOR_MALFORMED,
    CURSOR_UNKNOWN,
    DEVICE_REVOKED,
    ENTRY_ERASED,
    NEWER_THAN_SERVICE,
    QUARANTINE_FULL,
    SEND_ONLY,
    TOO_MANY_ITEMS,
    Problem,
    Refused,
)
from triage.service import Service
from triage.store.access import teams
from triage.store.log import cursor, pull, tasks
from triage.store.log.cursor import Cursor
from triage.store.log.pull import PullStart
from triage.store.log.quarantine import Refusal
from triage.store.log.release import check_profession

_encode = msgspec.json.Encoder().encode


@post(
    "/v1/sync",
    reads=SyncRequest,
    sign_in="even_revoked",
    verbs=["entries.write"],
    status_code=200,
    response_description="One result for each entry, and what changed.",
    request_headers=["Prefer"],
    response_headers=[PREFERENCE_APPLIED],
    responses={
        202: ResponseSpec(
            SyncAnswer, description="The device is revoked: all is in quarantine.", generate_examples=False
        )
    },
    problems=[CURSOR_MALFORMED, CURSOR_UNKNOWN, SEND_ONLY, TOO_MANY_ITEMS, BUSY],
)
async def post_sync(request: SignedIn) -> Response[SyncAnswer]:
    """Send entries and fetch what changed.

    Takes what the phone sends, item by item, and tells it what changed since its cursor. With `pull: false` nothing is
    pulled. With `Prefer: return=minimal` the results leave out what was stored without notices, but for an id that
    stands more than once; a phone takes an omitted item as stored only where `counts` adds up to what it sent.
    """
    service: Service = request.app.state.service
    if "entries.write" not in request.user.verbs:
        await _sign_in_afresh(request)
    try:
        sent = decode_as(SyncRequest, await read_json(request))
    except Refused:
        await _sign_in_afresh(request)  # no statement asked whether what is remembered still holds
        raise
    if service.syncing >= service.settings.sync_at_once:
        raise Refused(BUSY, retry_after=5)
    service.syncing += 1
    try:
        return await _sync(request, service, sent, prefers_minimal(request.scope))
    finally:
        service.syncing -= 1


async def _sign_in_afresh(request: SignedIn) -> tuple[Actor, bool]:
    """The actor as it stands, and whether its device is revoked. Raises Refused: 401, 403, 429."""
    actor, revoked = await sign_in(request.app.state.service, request.scope, "fresh_even_revoked")
    actor.require("entries.write")
    return actor, revoked


async def _sync(request: SignedIn, service: Service, sent: SyncRequest, minimal: bool) -> Response[SyncAnswer]:
    now, entries = datetime.now(UTC), sent.entries or []
    skew_ms = skew_of(sent.sent_at, now) if sent.sent_at else None
    try:
        begun = await _begin(request, service, sent, now)
    except Refused:
        await _sign_in_afresh(request)
        begun = await _begin(request, service, sent, now)
    actor = request.user
    if begun is None:
        return await _hand_over(service, actor, entries, skew_ms, now)
    since, start = begun
    if skew_ms is not None:
        await service.clocks.record_skew(actor, skew_ms)
    results = await _take(request, service, actor, entries, skew_ms) if entries else []
    if results is None:
        return await _hand_over(service, actor, entries, skew_ms, now)
    answer = _answer(results, now, start.epoch.bytes[: cursor.EPOCH_BYTES].hex())
    if sent.pull is False:
        answer = structs.replace(answer, cursor=sent.cursor or None)
    else:
        afresh = since is None or since.stage == "scope"
        database = service.database if afresh else service.pullers
        pulled = await pull.pull(database, service.incidents, actor, since, now, None if entries else start)
        answer = structs.replace(
            answer,
            incidents=[Raw(body) for body in pulled.incidents],
            gone=pulled.gone,
            cursor=cursor.encode(pulled.cursor),
            more=pulled.more,
            epoch=pulled.cursor.epoch.hex(),
            asks=await tasks.list_asks(service.database, service.keys, actor) if pulled.asked else [],
        )
    if minimal:
        answer = structs.replace(answer, results=_worth_telling(results))
    return ready(_encode(answer), headers=MINIMAL if minimal else {})


async def _begin(
    request: SignedIn, service: Service, sent: SyncRequest, now: datetime
) -> tuple[Cursor | None, PullStart] | None:
    """The cursor, and how the pull begins; None: the device is revoked. Raises Refused: 400, 403, 410, 413, and
    StaleActor."""
    if len(sent.entries or ()) > service.settings.sync_limit:
        raise Refused(TOO_MANY_ITEMS)
    if request.auth:
        return None
    if request.user.send_only and (sent.cursor or sent.pull is not False):
        raise Refused(SEND_ONLY)
    since = cursor.decode(sent.cursor) if isinstance(sent.cursor, str) else None
    return since, await pull.begin(service.pullers, request.user, since, now)


def _answer(results: list[ItemResult], now: datetime, epoch: str) -> SyncAnswer:
    """The results of the items, and nothing pulled."""
    return SyncAnswer(
        counts=_counts(results),
        results=results,
        incidents=[],
        gone=[],
        cursor=None,
        more=False,
        server_time=now,
        epoch=epoch,
        service=SERVICE,
        entry_schema=entry_schema(),
        codes_version=codes.version,
        asks=[],
    )


def _worth_telling(results: Sequence[ItemResult]) -> list[ItemResult]:
    """Results without what was stored and has no notices, where no other item has the same id."""
    times = Counter(result.id for result in results)
    return [result for result in results if result.status != "stored" or result.notices or times[result.id] > 1]


async def _take(
    request: SignedIn, service: Service, actor: Actor, entries: Sequence[Raw], skew_ms: int | None
) -> list[ItemResult] | None:
    """Append what can be appended; what is refused is kept in quarantine. None: the device was revoked meanwhile."""
    clock = clock_correction(skew_ms, datetime.now(UTC))
    read = [_read(actor, raw, skew_ms, clock) for raw in entries]
    items = [item for item in read if isinstance(item, IncomingEntry)]
    appended = iter(await service.log.append(actor.team_id, items))
    outcomes = [next(appended).result if isinstance(item, IncomingEntry) else item for item in read]
    if any(isinstance(outcome, StaleSender) for outcome in outcomes):
        fresh, revoked = await _sign_in_afresh(request)
        # all of them again: what was stored a moment ago answers as a duplicate
        return None if revoked else await _take(request, service, fresh, entries, skew_ms)
    problems = [(n, outcome) for n, outcome in enumerate(outcomes) if isinstance(outcome, Problem)]
    kept = await service.quarantine.keep(
        actor, [Refusal(_id_of(entries[n]), bytes(entries[n]), problem, skew_ms) for n, problem in problems]
    )
    lost = {
        n
        for (n, problem), safe in zip(problems, kept, strict=True)
        if not safe and problem.code != ENTRY_ERASED.code  # of which nothing is to be kept
    }
    return [
        _result(_id_of(raw) if isinstance(outcome, Problem) else None, outcome, n in lost)
        for n, (raw, outcome) in enumerate(zip(entries, outcomes, strict=True))
    ]


def _read(actor: Actor, raw: Raw, skew_ms: int | None, clock: ClockCorrection | None) -> IncomingEntry | Problem:
    try:
        entry = decode_item(raw, clock)
        check_profession(actor, entry)
    except Refused as refused:
        return refused.problem
    assert entry.id
    return IncomingEntry(id=entry.id, entry=entry, content=canonical(entry), actor=actor, skew_ms=skew_ms)


def _id_of(raw: Raw) -> UUID | None:
    """The id of an item that was refused, also where something else in it cannot be read."""
    try:
        item = json.loads(
            bytes(raw).decode(errors="replace"), strict=False, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    return as_uuid(item.get("id")) if isinstance(item, dict) else None


def _result(entry_id: UUID | None, outcome: Receipt | Problem | StaleSender, lost: bool) -> ItemResult:
    if isinstance(outcome, Receipt):
        return ItemResult(id=outcome.id, status=outcome.status, seq=outcome.seq, notices=outcome.notices)
    assert isinstance(outcome, Problem)
    if lost:
        return ItemResult(id=entry_id, status="refused", problem=QUARANTINE_FULL.problem())
    waits = outcome.code == NEWER_THAN_SERVICE.code
    return ItemResult(id=entry_id, status="quarantined" if waits else "refused", problem=outcome)


async def _hand_over(
    service: Service, actor: Actor, entries: Sequence[Raw], skew_ms: int | None, now: datetime
) -> Response[SyncAnswer]:
    """A revoked phone hands over its outbox once, then wipes: nothing enters the log, is lost, or is told."""
    problem = DEVICE_REVOKED.problem()
    kept = await service.quarantine.keep(actor, [Refusal(_id_of(e), bytes(e), problem, skew_ms) for e in entries])
    results = [
        ItemResult(
            id=_id_of(entry),
            status="quarantined" if safe else "refused",
            problem=problem if safe else QUARANTINE_FULL.problem(),
        )
        for entry, safe in zip(entries, kept, strict=True)
    ]
    answer = _answer(results, now, await _epoch(service))
    return ready(_encode(structs.replace(answer, wipe=True)), 202)


async def _epoch(service: Service) -> str:
    """The name of the history, as a cursor holds it."""
    epoch = await teams.find_epoch(service.database)
    return epoch.bytes[: cursor.EPOCH_BYTES].hex()


def _counts(results: Sequence[ItemResult]) -> Counts:
    n = Counter(result.status for result in results)
    return Counts(stored=n["stored"], duplicate=n["duplicate"], refused=n["refused"], quarantined=n["quarantined"])


@post(
    "/v1/sync/held",
    guards=[needs("entries.write")],
    status_code=200,
    response_description="Held and missing ids.",
    problems=[TOO_MANY_ITEMS],
)
async def post_held(request: SignedIn, service: TheService, data: JSONBody[HeldRequest]) -> Response[HeldAnswer]:
    """Ask which entries are in the log, and which a phone should offer again, after a backup was restored."""
    if len(data.ids) > service.settings.held_limit:
        raise Refused(TOO_MANY_ITEMS)
    held = await pull.held_ids(service.database, request.user, data.ids)
    answer = HeldAnswer([id for id in data.ids if id in held], [id for id in data.ids if id not in held])
    return ready(_encode(answer))


router = Router("/", route_handlers=[post_sync, post_held], tags=["Sync"])
