"""Enrolment, devices, and who one is."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from triage import codes
from triage.access import enrolment_picture
from triage.http import versions
from triage.http.access_control import find_device
from triage.http.negotiation import ready
from triage.http.openapi import LINK
from triage.http.paging import next_page, read_place
from triage.http.parameters import After, AnyRequest, Id, Limit, SignedIn, TheService
from triage.http.responses import NO_STORE
from triage.problems import CODE_EXPIRED, CODE_USED, NOT_FOUND, RATE_LIMITED, TOKEN_INVALID, TOKEN_MISSING, Refused
from triage.store.access import attempts, devices, enrolment, staff, teams
from triage.store.access.devices import DevicePosition
from triage.store.access.enrolment import EnrolledDevice

_encode = msgspec.json.Encoder().encode


class EnrolmentRequest(Struct, frozen=True):
    """Whom to enrol."""

    staff_id: UUID


class EnrolmentAnswer(Struct, frozen=True):
    """A one-time code, shown once, also as a picture for the phone's camera."""

    code: str
    expires_at: datetime
    qr_svg: str


class DeviceRequest(Struct, frozen=True):
    """A code, and what to call the device. `installation` is an id that the phone made once, and keeps.

    What was served to one device of an installation counts as served to all of them.
    """

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    installation: UUID | None = None


class DeviceName(Struct, frozen=True):
    """The device's new name."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]


class DeviceList(Struct, frozen=True):
    """Devices, the latest seen first; `Link: rel="next"` leads to the next page."""

    devices: list[devices.Device]


class TokenAnswer(Struct, frozen=True):
    """New tokens, shown once; the old ones work until these are first used."""

    token: str
    send_token: str


class ActorView(Struct, frozen=True, kw_only=True):
    """Who asks."""

    staff_id: UUID | None
    partner_id: UUID | None
    device_id: UUID | None
    name: str | None
    role: str
    profession: str | None


class TeamView(Struct, frozen=True):
    """The team; `operational_day_start` is a local wall-clock time."""

    id: UUID
    name: str
    time_zone: str
    operational_day_start: str


class Me(Struct, frozen=True):
    """The actor, what it may do, its team, and what the service is: `service` its version, `entry_schema` a digest of
    the shape of entries."""

    actor: ActorView
    verbs: list[str]
    team: TeamView
    service: str
    entry_schema: str
    codes_version: int


@post(
    "/v1/enrolments",
    response_description="The code, shown once.",
    problems=[NOT_FOUND],
)
async def post_enrolment(
    request: SignedIn, service: TheService, data: JSONBody[EnrolmentRequest]
) -> Response[EnrolmentAnswer]:
    """Make a one-time code, valid for 15 minutes, for a member of staff, or for oneself.

    For a colleague it needs `enrol.police`, `enrol.health` or `enrol.office`.
    """
    issued = await enrolment.issue_code(service.database, request.user, data.staff_id)
    picture = enrolment_picture.draw(service.settings.public_url, issued.code, scale=4, title="Enrolment code")
    return ready(_encode(EnrolmentAnswer(issued.code, issued.expires_at, picture)), 201)


async def count_attempt(request: AnyRequest) -> None:
    """An attempt to enrol counts for its address before its body is looked at. Raises Refused: 429."""
    service = request.app.state.service
    most = service.settings.enrol_attempts_per_hour
    await attempts.count_attempt(
        service.database, "enrol/address", service.address_digest(request.scope["client"]), most * 5
    )


@post(
    "/v1/devices",
    sign_in="nobody",
    security=[{}],
    before_request=count_attempt,
    response_description="The device and its token, shown once.",
    problems=[NOT_FOUND, CODE_USED, CODE_EXPIRED, RATE_LIMITED],
)
async def post_device(service: TheService, data: JSONBody[DeviceRequest]) -> Response[EnrolledDevice]:
    """Enrol a device with a code. Attempts are counted for the address and for the code, in all processes together."""
    most = service.settings.enrol_attempts_per_hour
    await attempts.count_attempt(service.database, "enrol/code", enrolment.code_digest(data.code), most)
    return ready(_encode(await enrolment.enrol(service.database, data.code, data.name, data.installation)), 201)


@post(
    "/v1/devices/{id:uuid}/token",
    response_description="The new token, shown once.",
    problems=[NOT_FOUND],
)
async def post_token(request: SignedIn, service: TheService, id: Id) -> Response[TokenAnswer]:
    """Renew the token of the device that asks."""
    tokens = await devices.renew_tokens(service.database, request.user, id, service.journal)
    return ready(_encode(TokenAnswer(tokens.token, tokens.send_token)), 201)


@delete("/v1/devices/{id:uuid}", response_description="Revoked.", problems=[NOT_FOUND])
async def delete_device(request: SignedIn, service: TheService, id: Id) -> Response[None]:
    """Revoke a device, at once on every process: one's own, or with `devices.manage`."""
    await devices.revoke_device(service.database, request.user, id, service.journal)
    return Response(None, headers=NO_STORE)


@post(
    "/v1/devices/{id:uuid}/wiped",
    sign_in="by_itself",
    status_code=204,
    response_description="Revoked.",
    problems=[TOKEN_MISSING, TOKEN_INVALID, NOT_FOUND, RATE_LIMITED],
)
async def post_wiped(request: AnyRequest, service: TheService, id: Id) -> Response[None]:
    """The last word of a phone that has wiped itself: it is revoked, if it was not, and the list of devices shows it.

    Any token that the device ever had is good for it, its send token too. Repeated, it changes nothing.
    """
    team_id, device_id = await find_device(service, request.scope)
    if device_id != id:
        raise Refused(NOT_FOUND)
    await devices.record_wipe(service.database, team_id, id, service.journal)
    return Response(None, status_code=204, headers=NO_STORE)


@get("/v1/devices", response_headers=[LINK], response_description="The devices one may manage, or one's own.")
async def list_devices(
    request: SignedIn, service: TheService, limit: Limit = 50, after: After = None
) -> Response[DeviceList]:
    """List the devices one may manage, the latest seen first; for those who manage none, their own."""
    place = read_place(after, DevicePosition)
    page, following = await devices.list_devices(service.database, request.user, place, limit)
    return ready(_encode(DeviceList(page)), headers=next_page(request, following))


@put("/v1/devices/{id:uuid}", status_code=204, response_description="Renamed.", problems=[NOT_FOUND])
async def put_device(request: SignedIn, service: TheService, id: Id, data: JSONBody[DeviceName]) -> Response[None]:
    """Rename a device: one's own, or with `devices.manage`."""
    await devices.rename_device(service.database, request.user, id, data.name)
    return Response(None, status_code=204, headers=NO_STORE)


@get("/v1/me", response_description="The actor, its verbs, its team.")
async def get_me(request: SignedIn, service: TheService) -> Response[Me]:
    """Who asks, what it may do, and its team."""
    actor, database = request.user, service.database
    own = await staff.find_own(database, actor)
    team = await teams.find_team(database, actor.team_id)
    view = ActorView(
        staff_id=actor.staff_id,
        partner_id=actor.partner_id,
        device_id=actor.device_id,
        name=own.name if own else None,
        role=actor.role,
        profession=actor.profession,
    )
    team_view = TeamView(team.team_id, team.name, team.zone, f"{team.day_start_hour:02}:00")
    me = Me(view, sorted(actor.verbs), team_view, versions.SERVICE, versions.entry_schema(), codes.version)
    return ready(_encode(me))


router = Router(
    "/",
    route_handlers=[
        post_enrolment,
        post_device,
        post_token,
        post_wiped,
        delete_device,
        list_devices,
        put_device,
        get_me,
    ],
    tags=["Access"],
)
