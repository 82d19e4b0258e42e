"""Enrolment, devices, and who one is."""

import io
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import segno
from msgspec import Meta, Struct

from triage.http.asked import Asked
from triage.http.messages import NO_STORE, Answer, an_id, in_json, require_acceptable
from triage.log.decode import decode_as
from triage.store.access import attempts, devices, enrolment, staff, teams

HOUR = timedelta(hours=1)


class EnrolmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to enrol."""

    staff_id: UUID


class EnrolmentAnswer(Struct, frozen=True):
    """A one-time code, shown once, also as a picture for the phone's camera."""

    code: str
    expires_at: datetime
    qr_svg: str


class DeviceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A code, and what to call the device."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    installation: UUID | None = None


class DeviceName(Struct, frozen=True, forbid_unknown_fields=True):
    """What to call the device from now on."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]


class DeviceList(Struct, frozen=True):
    """Devices, the latest seen first."""

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
    """The actor, what it may do, and its team."""

    actor: ActorView
    verbs: list[str]
    team: TeamView


async def post_enrolment(asked: Asked) -> Answer:
    """A one-time code, valid for 15 minutes, for a member of staff."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    request = decode_as(EnrolmentRequest, await asked.body())
    issued = await enrolment.issue_code(asked.service.database, actor, request.staff_id)
    return in_json(EnrolmentAnswer(issued.code, issued.expires_at, _qr(issued.code)), 201)


def _qr(code: str) -> str:
    picture = io.BytesIO()
    segno.make(code, error="m").save(picture, kind="svg", scale=4, xmldecl=False, title="Enrolment code")
    return picture.getvalue().decode()


async def post_device(asked: Asked) -> Answer:
    """Enrol a phone with a code. Attempts are counted for the address and for the code, in all processes together."""
    require_acceptable(asked.scope, "application/json")
    service = asked.service
    most = service.settings.enrol_attempts_per_hour
    await attempts.count_attempt(service.database, "enrol/address", asked.address(), most * 5, HOUR)
    request = decode_as(DeviceRequest, await asked.body())
    await attempts.count_attempt(service.database, "enrol/code", enrolment.code_digest(request.code), most, HOUR)
    return in_json(await enrolment.enrol(service.database, request.code, request.name, request.installation), 201)


async def post_token(asked: Asked) -> Answer:
    """A new token for the device that asks."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    tokens = await devices.renew_tokens(asked.service.database, actor, an_id(asked.path("id"), "id"))
    return in_json(TokenAnswer(tokens.token, tokens.send_token), 201)


async def delete_device(asked: Asked) -> Answer:
    """Revoke a device, at once on every process."""
    actor = await asked.actor()
    device_id = an_id(asked.path("id"), "id")
    journal = asked.service.journal
    await devices.revoke_device(
        asked.service.database, actor, device_id, lambda: journal.revoked(actor.team_id, device_id)
    )
    return Answer(204, headers=[NO_STORE])


async def list_devices(asked: Asked) -> Answer:
    """The devices one may manage; for those who manage none, their own."""
    require_acceptable(asked.scope, "application/json")
    actor = await asked.actor()
    return in_json(DeviceList((await devices.list_devices(asked.service.database, actor))[0]))


async def put_device(asked: Asked) -> Answer:
    """Call a device something else."""
    actor = await asked.actor()
    device_id = an_id(asked.path("id"), "id")
    request = decode_as(DeviceName, await asked.body())
    await devices.rename_device(asked.service.database, actor, device_id, request.name)
    return Answer(204, headers=[NO_STORE])


async def get_me(asked: Asked) -> Answer:
    """Who one is, what one may do, and one's team."""
    require_acceptable(asked.scope, "application/json")
    actor, database = await asked.actor(), asked.service.database
    own = await staff.find_own(database, actor)
    team = await teams.find_team(database, actor.team_id)
    return in_json(
        Me(
            ActorView(
                staff_id=actor.staff_id,
                partner_id=actor.partner_id,
                device_id=actor.device_id,
                name=own.name if own else None,
                role=actor.role,
                profession=actor.profession,
            ),
            sorted(actor.verbs),
            TeamView(team.team_id, team.name, team.zone, f"{team.day_start_hour:02}:00"),
        )
    )
