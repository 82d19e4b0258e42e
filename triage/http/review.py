"""The review pages under `/review`: for the sergeant and the clinical lead, working without script.

They are a table of their own beside the API's: people use them, no program should, and the API's description leaves
them out.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Struct
from uuid_utils.compat import uuid7

from triage import codes
from triage.access import oidc_login
from triage.access.actors import Actor
from triage.access.oidc import OidcRefused, Provider, Reason
from triage.access.oidc_login import Callback, Pending
from triage.http.incidents import listed_entries
from triage.http.negotiation import tagged
from triage.http.parameters import AnyRequest
from triage.http.quarantine import release_item
from triage.http.summaries import PROTECTED_KINDS
from triage.http.visits import (
    HOME,
    Answer,
    Visit,
    check_sign_in_form,
    file_operation,
    go_to,
    leads_on,
    new_form_secret,
    page_operation,
    to,
)
from triage.log.append_decision import IncomingEntry, Receipt
from triage.log.canonical import canonical
from triage.log.entries import NotSameIncident, SameIncident, Time
from triage.log.view import IncidentView
from triage.pages import figures, frame, incidents, sessions, words
from triage.pages.sessions import FORM, LEAVING, SESSION
from triage.problems import (
    CODE_EXPIRED,
    EDITION_NOT_FOUND,
    ENTRY_CONFLICT,
    FORBIDDEN,
    INVALID_PARAMETER,
    MALFORMED,
    NOT_FOUND,
    NOT_READY,
    PERIOD_NOT_FOUND,
    Problem,
    Refused,
)
from triage.store import audit
from triage.store.access import attempts, page_sign_in, staff
from triage.store.log import review_lists
from triage.store.log.incidents import IncidentPosition
from triage.store.log.quarantine import QuarantineItem
from triage.store.summaries import calendars, publications, scopes
from triage.summaries import comparison, editions
from triage.summaries import pages as summary_pages
from triage.summaries.editions import Summary
from triage.times import PeriodKind, parse_period

HOUR: Final = timedelta(hours=1)
CONFLICTS: Final = 20
"""Incidents whose disagreeing records are laid side by side on one page."""
PERIODS: Final = 13
"""A quarter of weeks, a year of months and the one before."""
CALLBACK: Final = "/review/sign-in/callback"
_CALLBACK: Final = Callback.__struct_fields__
BY: Final[dict[str, PeriodKind]] = {"week": "weekly", "month": "monthly"}
INTERNAL: Final = ("daily", "weekly", *PROTECTED_KINDS)
DONE: Final = {
    "linked": "Linked: they are one incident now.",
    "kept-apart": "Kept apart: they stay two incidents.",
    "released": "Released into the log.",
    "discarded": "Discarded for good.",
}


# --- signing in and out ---


async def sign_in_page(visit: Visit) -> Answer:
    """The form for a one-time code, and the issuers to sign in with."""
    sent = visit.query("out", "to")
    return _sign_in_page(visit, onward=leads_on(sent.get("to")), signed_out="out" in sent)


def _sign_in_page(
    visit: Visit, status: int = 200, fault: str = "", *, onward: str = "", signed_out: bool = False
) -> Answer:
    issuers = [(f"{n}{to(onward)}", provider.issuer.url) for n, provider in enumerate(_with_login(visit))]
    form = new_form_secret(visit)
    return visit.page(
        "sign_in.html", status, form=form, issuers=issuers, fault=fault, signed_out=signed_out, onward=onward
    )


def _with_login(visit: Visit) -> list[Provider]:
    return [provider for provider in visit.service.providers if provider.issuer.login is not None]


async def post_sign_in(visit: Visit) -> Answer:
    """Begin a session with a one-time code. Attempts are counted for the address and the code, in all processes."""
    sent = await visit.form("csrf", "code", "to")
    check_sign_in_form(visit, sent)
    onward = leads_on(sent.get("to"))
    database, code = visit.service.database, sent.get("code", "")
    most = visit.service.settings.enrol_attempts_per_hour
    await attempts.count_attempt(database, "review/address", visit.service.address_digest(visit.scope), most * 5, HOUR)
    await attempts.count_attempt(database, "review/code", page_sign_in.code_digest(code), most, HOUR)
    try:
        actor = await page_sign_in.use_code(database, code)
    except Refused:
        await audit.note_sign_in(database, None, None, None, CODE_EXPIRED.code)
        fault = "The code is wrong, was used, or has expired. Ask for a new one."
        return _sign_in_page(visit, 422, fault, onward=onward)
    _begin(visit, actor)
    return go_to(onward or HOME)


def _begin(visit: Visit, actor: Actor) -> None:
    visit.keep(SESSION, sessions.begin(actor, visit.now))
    visit.keep(FORM, None)


class Leaving(Struct, frozen=True, array_like=True):
    """What the browser keeps while it is at an issuer: the sign-in that was begun, and the page to go to after it."""

    pending: Pending
    onward: str


async def leave_for_issuer(visit: Visit) -> Answer:
    """Send the browser to an issuer. Lax, for the browser comes back from another site."""
    provider = _provider(visit, visit.path("n"))
    onward = leads_on(visit.query("to").get("to"))
    try:
        address, pending = await oidc_login.begin(
            provider, visit.service.settings.public_url.rstrip("/") + CALLBACK, visit.now
        )
    except OidcRefused as refused:
        raise Refused(NOT_READY, "The issuer cannot be reached. Try again later.") from refused
    visit.keep(LEAVING, Leaving(pending, onward), "Lax")
    return go_to(address)


def _provider(visit: Visit, n: str) -> Provider:
    found = dict(enumerate(_with_login(visit)))
    if not n.isascii() or not n.isdecimal() or len(n) > 3 or int(n) not in found:
        raise Refused(NOT_FOUND)
    return found[int(n)]


async def come_back(visit: Visit) -> Answer:
    """Begin a session for whom an issuer names. A page of ours leads on: a cookie that is Strict is not sent on a
    redirect that began at another site."""
    callback = _callback(visit)
    leaving = sessions.opened(visit.key, LEAVING, visit.cookie(LEAVING), Leaving)
    visit.keep(LEAVING, None, "Lax")
    provider = next((one for one in _with_login(visit) if leaving and one.issuer.url == leaving.pending.issuer), None)
    try:
        if leaving is None or provider is None:
            raise OidcRefused(Reason.STATE)
        subject = await oidc_login.finish(provider, leaving.pending, callback, visit.now)
        actor = await page_sign_in.sign_in_subject(visit.service.database, subject)
    except (OidcRefused, Refused) as refused:
        code = refused.reason.value if isinstance(refused, OidcRefused) else refused.problem.code
        await audit.note_sign_in(visit.service.database, None, None, None, code)
        return _sign_in_page(visit, 403, "You could not be signed in with this account.")
    _begin(visit, actor)
    return visit.page("onward.html", title="You are signed in", to=leads_on(leaving.onward) or HOME)


def _callback(visit: Visit) -> Callback:
    """What the issuer sent along; what is not of the protocol is passed over (RFC 6749 section 4.1.2)."""
    sent = visit.scope["query_string"].decode("latin-1")
    pairs = [(name, value) for name, value in parse_qsl(sent) if name in _CALLBACK]
    if len(dict(pairs)) < len(pairs):
        raise Refused(INVALID_PARAMETER, "A query parameter is given twice.")
    return msgspec.convert(dict(pairs), Callback)


async def sign_out(visit: Visit) -> Answer:
    """End every session of the account."""
    actor, _ = await visit.writer()
    await staff.end_sessions(visit.service.database, actor)
    visit.cookies.clear()
    visit.keep(SESSION, None)
    return go_to("/review/sign-in?out")


# --- pages ---


async def today(visit: Visit) -> Answer:
    """What needs action now, as the reader may see it, with clocks read at this moment."""
    actor, now = await visit.reader(), visit.now
    service = visit.service
    zone = (await calendars.team(service.database, actor.team_id)).calendar.zone
    views = await review_lists.list_needing_action(service.database, service.incidents, actor, now)
    alone = await review_lists.list_unlinked(service.database, service.incidents, actor, now)
    of_nobody = await review_lists.list_without_person(service.database, service.incidents, actor, now)
    sections = [*incidents.needs(views, zone, now), *incidents.unlinked(alone, of_nobody, zone, now)]
    shown = {card.id for section in sections for card in section.cards}
    if shown:
        await service.incidents.record_reading(actor, "review/today", sorted(shown))
    items = await service.quarantine.list_waiting(actor, _side(actor))
    return visit.page("today.html", sections=sections, quarantined=len(items), made=words.at(now, zone))


def _side(actor: Actor) -> Any:
    actor.require(f"quarantine.{actor.side}")
    return actor.side


async def chase(visit: Visit) -> Answer:
    """Incidents whose outcome nobody recorded, the longest waiting first."""
    actor, now = await visit.reader(), visit.now
    values = visit.query("after")
    service = visit.service
    zone = (await calendars.team(service.database, actor.team_id)).calendar.zone
    after = _read_place(values["after"]) if "after" in values else None
    views, following = await review_lists.list_awaiting_outcome(service.database, service.incidents, actor, after, now)
    groups: dict[str, list[incidents.Card]] = {}
    for view in views:
        groups.setdefault(incidents.waiting(view, now), []).append(incidents.card(view, zone, now))
    return visit.page(
        "chase.html",
        groups=list(groups.items()),
        following=following and _write_place(following),
        made=words.at(now, zone),
    )


def _write_place(place: IncidentPosition) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read_place(text: str) -> IncidentPosition:
    try:
        return IncidentPosition(
            *msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[Time, UUID])
        )
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(INVALID_PARAMETER, "after is no place in this list.") from error


async def incident(visit: Visit) -> Answer:
    """One incident and every entry of it that the reader may see."""
    actor, now = await visit.reader(), visit.now
    incident_id = visit.id()
    service = visit.service
    zone = (await calendars.team(service.database, actor.team_id)).calendar.zone
    _, seen = await service.incidents.find(actor, incident_id, now)
    view = msgspec.json.decode(seen.body, type=IncidentView)
    shown = listed_entries(await service.incidents.entries(actor, incident_id), actor)
    listed = msgspec.json.decode(msgspec.json.encode(shown))
    names = await staff.names_of_colleagues(service.database, actor, [UUID(one["author"]) for one in listed])
    return visit.page(
        "incident.html",
        card=incidents.card(view, zone, now),
        facts=incidents.facts(view, zone),
        history=[incidents.told(one, names, zone) for one in listed],
        made=words.at(now, zone),
    )


# --- the queue ---


class QueueItem(Struct, frozen=True, kw_only=True):
    """A quarantined entry, beside what is stored under its id where that is another content."""

    id: UUID
    title: str
    received: str
    problem: str
    detail: str
    faults: tuple[tuple[str, str], ...]
    beside: bool
    lines: tuple[tuple[str, str, str], ...]


async def queue(visit: Visit) -> Answer:
    """Likely duplicates, records that disagree, and the quarantine of the reader's side."""
    actor, now = await visit.reader(), visit.now
    done = visit.query("done").get("done", "")
    service = visit.service
    zone = (await calendars.team(service.database, actor.team_id)).calendar.zone
    pairs = await review_lists.list_likely_duplicates(service.database, service.incidents, actor, now)
    views = await review_lists.list_needing_action(service.database, service.incidents, actor, now)
    differing = [view for view in views if any(flag.startswith("conflict:") for flag in view.flags)]
    conflicts = []
    for view in differing[:CONFLICTS]:
        held = [one.held for one in await service.incidents.entries(actor, view.id)]
        conflicts.append(incidents.Conflict(incidents.card(view, zone, now), incidents.disagreements(view, held, zone)))
    items = await service.quarantine.list_waiting(actor, _side(actor))
    if items:
        await service.incidents.record_reading(actor, "quarantine", [item.id for item in items])
    return visit.page(
        "queue.html",
        done=DONE.get(done),
        suggestions=incidents.suggestions(pairs, zone, now, uuid7),
        conflicts=conflicts,
        more_conflicts=max(0, len(differing) - CONFLICTS),
        items=[await _queue_item(visit, actor, item, zone) for item in items],
    )


async def _queue_item(visit: Visit, actor: Actor, item: QuarantineItem, zone: Any) -> QueueItem:
    sent = msgspec.json.decode(item.entry)
    content = sent if isinstance(sent, dict) else {"sent": str(sent)}
    stored = await _stored(visit, actor, content) if item.problem.code == ENTRY_CONFLICT.code else {}
    said, kept = (dict(words.lines(one, zone)) for one in (content, stored))
    kind = content.get("kind")
    return QueueItem(
        id=item.id,
        title=words.KINDS.get(kind if isinstance(kind, str) else "", "Something that cannot be read"),
        received=words.at(item.received_at, zone),
        problem=item.problem.title,
        detail=item.problem.detail,
        faults=tuple((error.field, error.message) for error in item.problem.errors),
        beside=bool(kept),
        lines=tuple((term, said.get(term, words.UNSAID), kept.get(term, words.UNSAID)) for term in {**said, **kept}),
    )


async def _stored(visit: Visit, actor: Actor, sent: dict[str, Any]) -> dict[str, Any]:
    """What is stored under the id of a refused entry, as far as the reader may see it; else nothing."""
    try:
        incident_id, entry_id = UUID(str(sent.get("incident_id"))), UUID(str(sent.get("id")))
        shown = await visit.service.incidents.entries(actor, incident_id)
    except (ValueError, Refused):
        return {}
    found: dict[str, Any] = next((msgspec.to_builtins(one.held.entry) for one in shown if one.held.id == entry_id), {})
    return found


async def link(visit: Visit) -> Answer:
    """Say that two incidents are one."""
    return await _decide(visit, SameIncident, "same_log_and_person", "linked")


async def keep_apart(visit: Visit) -> Answer:
    """Say that two incidents are two."""
    return await _decide(visit, NotSameIncident, "different_incidents", "kept-apart")


async def _decide(visit: Visit, kind: type[SameIncident | NotSameIncident], reason: str, done: str) -> Answer:
    """The entry's id came with the page: the same form sent again is the same entry."""
    actor, sent = await visit.writer("id", "incident", "other")
    actor.require("entries.write")
    service, now = visit.service, visit.now
    entry_id, one, other = (_uuid(sent, name) for name in ("id", "incident", "other"))
    if one == other:
        raise Refused(MALFORMED, "An incident is not compared with itself.")
    for incident_id in (one, other):
        await service.incidents.find(actor, incident_id, now)  # 404 for what the actor may not see
    entry = kind(
        id=entry_id,
        incident_id=one,
        other_incident_id=other,
        captured_at=now,
        codes_version=codes.version,
        reason=reason,
    )
    item = IncomingEntry(id=entry_id, entry=entry, content=canonical(entry), actor=actor, skew_ms=None)
    [appended] = await service.log.append(actor.team_id, [item])
    if isinstance(appended.result, Receipt) or _is_again(appended.result):
        return go_to(f"/review/queue?done={done}")
    if isinstance(appended.result, Problem):
        return visit.problem(appended.result)
    raise Refused(FORBIDDEN)


def _uuid(sent: dict[str, str], name: str) -> UUID:
    try:
        return UUID(sent.get(name, ""))
    except ValueError as error:
        raise Refused(MALFORMED, "The form cannot be read.") from error


def _is_again(result: object) -> bool:
    """Whether the log holds this very decision already: its author sent the form twice, at two moments."""
    return (
        isinstance(result, Problem)
        and result.code == ENTRY_CONFLICT.code
        and [error.field for error in result.errors] == ["captured_at"]
    )


async def release(visit: Visit) -> Answer:
    """Put a quarantined entry into the log as its author's."""
    actor, _ = await visit.writer()
    await release_item(visit.service, actor, visit.id())
    return go_to("/review/queue?done=released")


async def discard(visit: Visit) -> Answer:
    """Let a quarantined entry go for good."""
    actor, _ = await visit.writer()
    _side(actor)
    item = await visit.service.quarantine.find(actor, visit.id())
    await visit.service.quarantine.decide(actor, item.id, "discarded")
    return go_to("/review/queue?done=discarded")


# --- summaries ---


async def latest_day(visit: Visit) -> Answer:
    """The newest daily summary."""
    actor = await visit.reader()
    actor.require("summaries.internal")
    async with visit.service.database.team(actor.team_id) as connection:
        found = await publications.list_latest(connection, actor.team_id, kind="daily", limit=1)
    if not found:
        return visit.page("summary.html", title="The day’s summary", summary=None)
    return await _summary(visit, actor, "daily", found[0].period, None)


async def one_summary(visit: Visit) -> Answer:
    """A summary of any kind, beside its earlier editions."""
    actor = await visit.reader()
    actor.require("summaries.internal")
    kind = visit.path("kind")
    if kind not in INTERNAL:
        raise Refused(NOT_FOUND)
    text = visit.query("edition").get("edition")
    if text is not None and (not text.isascii() or not text.isdecimal() or len(text) > 6):
        raise Refused(EDITION_NOT_FOUND)
    return await _summary(visit, actor, kind, visit.path("period"), text and int(text))  # type: ignore[arg-type]


async def _summary(visit: Visit, actor: Actor, kind: PeriodKind, name: str, edition: int | None) -> Answer:
    try:
        period = parse_period(kind, name)
    except ValueError as error:
        raise Refused(PERIOD_NOT_FOUND) from error
    zone = (await calendars.team(visit.service.database, actor.team_id)).calendar.zone
    shown = await _editions(visit, actor, kind, period.name, edition)
    summary = shown[-1]
    title = (
        f"Summary of {words.day(period.starts)}" if kind == "daily" else f"{kind.capitalize()} summary {period.name}"
    )
    earlier = period.starts - timedelta(days=1)
    return visit.page(
        "summary.html",
        title=title,
        summary=summary,
        editions=[one.edition for one in shown],
        measures=figures.compare(shown),
        about=summary_pages.facts(summary, zone),
        earlier=f"/review/summaries/daily/{earlier}" if kind == "daily" else "",
    )


async def _editions(visit: Visit, actor: Actor, kind: PeriodKind, name: str, edition: int | None) -> list[Summary]:
    """An edition after those before it; one without data where the run failed. The reading is logged."""
    async with visit.service.database.team(actor.team_id) as connection, connection.transaction():
        found = [editions.decode(b) for b in await publications.all_editions(connection, actor.team_id, kind, name)]
        if not found:
            failed = await publications.find_failed(connection, actor.team_id, kind, name)
            if failed is None:
                raise Refused(PERIOD_NOT_FOUND)
            found = [failed]
        shown = [one for one in found if edition is None or one.edition <= edition][-figures.COMPARED :]
        if not shown or edition not in (None, shown[-1].edition):
            raise Refused(EDITION_NOT_FOUND)
        await audit.record(connection, actor, "consultation", f"summary {kind} {name} internal")
    return shown


async def trends(visit: Visit) -> Answer:
    """Chosen measures over the last weeks or months, charts beside their tables."""
    actor = await visit.reader()
    actor.require("summaries.internal")
    by = visit.query("by").get("by", "week")
    if by not in BY:
        raise Refused(INVALID_PARAMETER, "by is week or month.")
    kind = BY[by]
    async with visit.service.database.team(actor.team_id) as connection, connection.transaction():
        listed = await publications.list_latest(connection, actor.team_id, kind=kind, limit=PERIODS)
        found = []
        for one in reversed(listed):
            body = await publications.find_edition(connection, actor.team_id, kind, one.period)
            failed = None if body else await publications.find_failed(connection, actor.team_id, kind, one.period)
            found += [editions.decode(body)] if body else [failed] if failed else []
        if found:
            await audit.record(connection, actor, "consultation", f"review/trends {kind}")
    periods = [(one.period, f"/review/summaries/{kind}/{one.period}") for one in found]
    return visit.page("trends.html", by=by, periods=periods, trends=figures.trends(found))


async def compare(visit: Visit) -> Answer:
    """The quarterly measures of two spans of whole months side by side, once both are given."""
    actor = await visit.reader()
    actor.require("summaries.internal")
    sent = visit.query("first", "second")
    first, second = sent.get("first", ""), sent.get("second", "")
    if not sent:
        return visit.page("compare.html", first="", second="", fault="", report=None)
    try:
        before, after = comparison.parse_span(first.strip()), comparison.parse_span(second.strip())
    except ValueError:
        fault = "Enter both spans as whole months, the earlier month first."
        return visit.page("compare.html", 422, first=first, second=second, fault=fault, report=None)
    team = await calendars.team(visit.service.database, actor.team_id)
    async with (
        visit.service.database.team(actor.team_id) as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        report = await scopes.compare(connection, team, before, after, visit.now)
        await audit.record(connection, actor, "consultation", f"review/compare {before.name} {after.name}")
    return visit.page(
        "compare.html",
        first=first,
        second=second,
        fault="",
        report=report,
        measures=figures.spans(report),
        made=words.at(report.as_at, team.calendar.zone),
    )


# --- what pages load ---


async def get_style(request: AnyRequest) -> Response[bytes]:
    """The style sheet of every page."""
    return tagged(request, frame.file("style.css"), "text/css", {"cache-control": "no-cache"})


async def get_icon(request: AnyRequest) -> Response[bytes]:
    """The icon of every page."""
    return tagged(request, frame.file("icon.svg"), "image/svg+xml", {"cache-control": "no-cache"})


PAGES: Final = (
    page_operation("GET", "/review", today),
    page_operation("GET", "/review/sign-in", sign_in_page),
    page_operation("POST", "/review/sign-in", post_sign_in),
    page_operation("GET", "/review/sign-in/issuer/{n}", leave_for_issuer),
    page_operation("GET", CALLBACK, come_back),
    page_operation("POST", "/review/sign-out", sign_out),
    page_operation("GET", "/review/day", latest_day),
    page_operation("GET", "/review/summaries/{kind}/{period}", one_summary),
    page_operation("GET", "/review/trends", trends),
    page_operation("GET", "/review/compare", compare),
    page_operation("GET", "/review/chase", chase),
    page_operation("GET", "/review/queue", queue),
    page_operation("POST", "/review/queue/link", link),
    page_operation("POST", "/review/queue/keep-apart", keep_apart),
    page_operation("POST", "/review/quarantine/{id}/release", release),
    page_operation("POST", "/review/quarantine/{id}/discard", discard),
    page_operation("GET", "/review/incidents/{id}", incident),
    file_operation("/review/style.css", get_style),
    file_operation("/review/icon.svg", get_icon),
)
"""Every page, and what pages load."""
