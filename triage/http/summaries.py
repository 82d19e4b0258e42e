"""Published summaries: the list, and one edition as JSON, a page or CSV."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, datetime, time
from typing import Any, Final, get_args
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from triage.access.actors import Actor
from triage.exports import protected
from triage.exports.files import TABLES_COLUMNS
from triage.http.asked import Asked
from triage.http.messages import (
    NO_STORE,
    Answer,
    HeaderList,
    a_number,
    a_time,
    in_json,
    is_unchanged,
    query,
    require_acceptable,
    strong_etag,
)
from triage.problems import EDITION_NOT_FOUND, FORBIDDEN, INVALID_PARAMETER, NOT_FOUND, PERIOD_NOT_FOUND, Refused
from triage.store import audit
from triage.store.summaries import calendars, publications
from triage.store.summaries.publications import ListedSummary
from triage.summaries import csv_files, editions, pages
from triage.summaries.editions import Form, Summary
from triage.times import PeriodKind, due_at, parse_period

JSON: Final = "application/json"
HTML: Final = "text/html"
CSV: Final = "text/csv"
DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200
KINDS: Final = get_args(PeriodKind)
PROTECTED_KINDS: Final = ("monthly", "quarterly", "yearly")
LARGEST_EDITION: Final = 100_000


class SummaryList(Struct, frozen=True):
    """The latest edition of each period and form; `Link: rel="next"` leads to the next page."""

    summaries: list[ListedSummary]


async def list_summaries(asked: Asked) -> Answer:
    """One row a kind, period and form, newest first. A period whose run failed is there, with its problem."""
    require_acceptable(asked.scope, JSON)
    actor = await asked.actor()
    form = form_of(actor)
    values = query(asked.scope, "kind", "from", "to", "limit", "after")
    limit = a_number(values, "limit", DEFAULT_PAGE, LARGEST_PAGE)
    kind = _kind(values["kind"], INVALID_PARAMETER) if "kind" in values else None
    if form == "protected" and kind not in (None, *PROTECTED_KINDS):
        raise Refused(FORBIDDEN)
    team = await calendars.team(asked.service.database, actor.team_id)
    calendar = team.calendar
    after = _read_place(values["after"]) if "after" in values else None
    async with asked.service.database.team(actor.team_id) as connection:
        found = await publications.list_latest(
            connection,
            actor.team_id,
            form,
            kind=kind,
            from_=_day_or_time(values, "from", calendar),
            to=_day_or_time(values, "to", calendar),
            after=after,
            limit=limit + 1,
        )
    link: HeaderList = []
    if len(found) > limit:
        kept = {name: value for name, value in values.items() if name != "after"}
        last = found[limit - 1]
        address = "/v1/summaries?" + urlencode(kept | {"after": _write_place(last.first_day, last.kind)})
        link.append((b"link", f'<{address}>; rel="next"'.encode()))
    return in_json(SummaryList(found[:limit]), headers=link)


async def get_summary(asked: Asked) -> Answer:
    """An edition, the latest where none is named, in the form that the reader gets."""
    media_type = require_acceptable(asked.scope, JSON, HTML, CSV)
    actor = await asked.actor()
    form = form_of(actor)
    kind = _kind(asked.path("kind"), NOT_FOUND)
    if form == "protected" and kind not in PROTECTED_KINDS:
        raise Refused(FORBIDDEN)
    values = query(asked.scope, "edition")
    edition = a_number(values, "edition", 1, LARGEST_EDITION) if "edition" in values else None
    period = _existing(kind, asked.path("period"))
    database = asked.service.database
    async with database.team(actor.team_id) as connection:
        body = await publications.find_edition(connection, actor.team_id, kind, period, edition, form)
        if body is None:
            body = await _without_edition(connection, actor, kind, period, edition, form)
        operation: audit.Operation = "disclosure" if actor.partner_id else "consultation"
        recipient = str(actor.partner_id) if actor.partner_id else None
        await audit.record(connection, actor, operation, f"summary {kind} {period} {form}", recipient=recipient)
    if media_type != JSON:
        team = await calendars.team(database, actor.team_id)
        zone = team.calendar.zone
        internal = form == "internal"
        body = rendered(editions.decode(body), media_type, zone) if internal else partners(body, media_type, zone)
    return _answer(asked, body, media_type)


def form_of(actor: Actor) -> Form:
    """The form an actor gets, never the other. Raises Refused (403) without either verb."""
    if "summaries.internal" in actor.verbs:
        return "internal"
    actor.require("summaries.protected")
    return "protected"


def rendered(summary: Summary, media_type: str, zone: Any) -> bytes:
    """An edition as a page or as CSV."""
    return pages.of_summary(summary, zone) if media_type == HTML else csv_files.of_summary(summary)


def partners(body: bytes, media_type: str, zone: Any) -> bytes:
    """A protected edition as a page, or as the CSV that is frozen with the caveats after it."""
    summary = protected.decode(body)
    if media_type == HTML:
        return protected.page(summary, zone)
    return protected.csv(summary) + csv_files.caveats(summary.statement.read_me, len(TABLES_COLUMNS))


async def _without_edition(
    connection: Any, actor: Actor, kind: PeriodKind, period: str, edition: int | None, form: Form
) -> bytes:
    """No data where the run failed. Raises Refused (404) where nothing is published, or not this edition."""
    if edition is not None:
        if await publications.find_edition(connection, actor.team_id, kind, period, None, form) is not None:
            raise Refused(EDITION_NOT_FOUND)
        raise Refused(PERIOD_NOT_FOUND)
    failed = await publications.find_failed(connection, actor.team_id, kind, period, form)
    if failed is None:
        raise Refused(PERIOD_NOT_FOUND)
    return editions.encode(failed)


def _answer(asked: Asked, body: bytes, media_type: str) -> Answer:
    etag = strong_etag(body)
    headers: HeaderList = [NO_STORE, (b"etag", etag.encode()), (b"vary", b"Accept")]
    if media_type == HTML:
        headers += [
            (b"content-security-policy", pages.CONTENT_SECURITY_POLICY.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
    if is_unchanged(asked.scope, etag):
        return Answer(304, headers=headers)
    content_type = media_type if media_type == JSON else f"{media_type}; charset=utf-8"
    return Answer(200, body, content_type.encode(), headers)


def _kind(text: str, otherwise: Any) -> PeriodKind:
    if text not in KINDS:
        raise Refused(otherwise)
    kind: PeriodKind = text  # type: ignore[assignment]
    return kind


def _existing(kind: PeriodKind, name: str) -> str:
    """The period's name. Raises Refused (404) for a period that does not exist, such as 2026-W60."""
    try:
        return parse_period(kind, name).name
    except ValueError as error:
        raise Refused(PERIOD_NOT_FOUND) from error


def _day_or_time(values: dict[str, str], name: str, calendar: Any) -> datetime | None:
    """A bound of the list: a date, which stands for the start of that operational day, or a time with an offset."""
    if name not in values:
        return None
    try:
        day = date.fromisoformat(values[name])
        return due_at(day, time(calendar.day_start_hour), calendar.zone)
    except (ValueError, OverflowError):
        return a_time(values, name)


def _write_place(day: date, kind: PeriodKind) -> str:
    return urlsafe_b64encode(msgspec.json.encode((day, kind))).decode().rstrip("=")


def _read_place(text: str) -> tuple[date, PeriodKind]:
    try:
        place = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[date, str])
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(INVALID_PARAMETER, "after is no place in this list.") from error
    return place[0], _kind(place[1], INVALID_PARAMETER)
