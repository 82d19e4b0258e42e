"""People and devices of the reader's side of the team: enrol, last seen, clock, revoke."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from litestar import get, post
from litestar.params import PathParameter
from markupsafe import Markup
from msgspec import Struct

from triage.access import enrolment_picture
from triage.pages import words
from triage.pages.local_time import LocalTime, local_time
from triage.pages.request import FormSuccess, Page, PageRequest, TheService, page, read_form, redirect
from triage.store.access import devices as store_devices
from triage.store.access import enrolment
from triage.store.access.devices import Device
from triage.store.log import tasks
from triage.store.log.tasks import Colleague

TEAM: Final = "/review/team"
SKEW_WORTH_SAYING: Final = timedelta(minutes=2)
DEVICE = Annotated[UUID, PathParameter(description="A device.")]
STAFF = Annotated[UUID, PathParameter(description="A member of staff.")]


class DeviceLine(Struct, frozen=True, kw_only=True):
    """A phone, when it was last heard, and how far its clock is off."""

    id: UUID
    name: str
    seen: str
    clock: str
    revoked: str


class PersonCard(Struct, frozen=True, kw_only=True):
    """A member of staff with the phones in use, and those that are not any more."""

    id: UUID
    name: str
    role: str
    devices: tuple[DeviceLine, ...]
    gone: tuple[DeviceLine, ...]


@get("/team")
async def show_team(request: PageRequest, service: TheService) -> Page:
    """The staff of the reader's side with their phones."""
    actor, local = request.user, await local_time(service, request.user)
    devices, _ = await store_devices.list_devices(service.database, actor, most=1000)
    async with service.database.team(actor.team_id) as connection:
        colleagues = await tasks.list_colleagues(connection, actor)
    return page(request, "team.html", locks=True, people=[_card(colleague, devices, local) for colleague in colleagues])


def _card(colleague: Colleague, devices: list[Device], local: LocalTime) -> PersonCard:
    lines = [(_line(device, local), device.revoked_at) for device in devices if device.staff_id == colleague.staff_id]
    return PersonCard(
        id=colleague.staff_id,
        name=colleague.name,
        role=words.ROLES.get(colleague.role) or words.sentence(colleague.role),
        devices=tuple(line for line, revoked in lines if revoked is None),
        gone=tuple(line for line, revoked in lines if revoked is not None),
    )


def _line(device: Device, local: LocalTime) -> DeviceLine:
    skew = timedelta(milliseconds=device.clock_skew_ms or 0)
    clock = (
        f"Clock {words.lasting(skew)} {'fast' if skew > timedelta(0) else 'slow'}"
        if abs(skew) > SKEW_WORTH_SAYING
        else ""
    )
    wiped = device.wiped_at
    revoked = f"Revoked {local.when(device.revoked_at)}" if device.revoked_at else ""
    return DeviceLine(
        id=device.id,
        name=device.name,
        seen=local.when(device.last_seen_at),
        clock=clock,
        revoked=f"{revoked}, emptied {local.when(wiped)}" if wiped else revoked,
    )


@post("/team/{id:uuid}/enrol", status_code=200)
async def enrol(request: PageRequest, service: TheService, id: STAFF) -> Page:
    """A one-time code for a colleague, shown once: to enrol a phone, or to sign in to review."""
    sent = await read_form(request)
    if "look" in sent:
        return redirect(request, TEAM)
    actor, local = request.user, await local_time(service, request.user)
    issued = await enrolment.issue_code(service.database, actor, id)
    async with service.database.team(actor.team_id) as connection:
        colleagues = await tasks.list_colleagues(connection, actor)
    name = next((colleague.name for colleague in colleagues if colleague.staff_id == id), "your colleague")
    look = {"scale": 5, "light": "#fff", "nl": False, "title": "Enrolment code as a QR code"}
    return page(
        request,
        "enrol.html",
        name=name,
        code=issued.code,
        until=local.when(issued.expires_at),
        qr=Markup(enrolment_picture.draw(service.settings.public_url, issued.code, **look)),
    )


@post("/devices/{id:uuid}/revoke", status_code=303)
async def revoke(request: PageRequest, service: TheService, id: DEVICE) -> Page:
    """Revoke a phone, at once on every process."""
    sent = await read_form(request)
    if "look" in sent:
        return redirect(request, TEAM)
    await store_devices.revoke_device(service.database, request.user, id, service.journal)
    said = "Revoked. The phone hands over what it holds once, then wipes itself."
    return redirect(request, TEAM, FormSuccess(said))


HANDLERS: Final = (show_team, enrol, revoke)
